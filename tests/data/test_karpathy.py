"""Karpathy's JSON: where the pictures lie, the splits, broken files; the real Flickr8k where it is at hand."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuwen.data import karpathy
from tuwen.data._config import Data
from tuwen.data._dataset import open_data
from tuwen.errors import DataError


def made(folder, images, name="dataset.json", pictures="images"):
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        if image.get("filename"):
            file = folder / pictures / image.get("filepath", "") / image["filename"]
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((6, 8, 3), i * 9, np.uint8)).save(file)
    (folder / name).write_text(json.dumps({"images": images}))
    return folder / name


def image(name, split, *raw, **more):
    return {"filename": name, "split": split, "sentences": [{"raw": text} for text in raw], **more}


def test_sentences_and_splits(tmp_path):
    images = [image("a.jpg", "train", "one .", "two ."), image("b.jpg", "restval", "three"), image("c.jpg", "val")]
    images[2]["sentences"] = [{"tokens": ["only", "tokens"]}]
    file = made(tmp_path, images)
    for path in (file, tmp_path):
        data = open_data(path)
        assert [s.fields["text"] for s in data] == [["one .", "two ."], ["three"], ["only tokens"]]
        assert data.splits == {"train": 2, "val": 1}
        assert data[0].fields["image"] == tmp_path / "images/a.jpg" and data[1].where == "row 2 of dataset.json"


def test_coco_adds_a_filepath(tmp_path):
    file = made(tmp_path, [image("a.jpg", "train", "one", filepath="val2014")], pictures="coco")
    assert open_data(file)[0].key == "val2014/a.jpg"
    assert open_data(file, Data(root=str(tmp_path / "coco")))[0].fields["image"].is_file()


def test_broken_files(tmp_path):
    file = made(tmp_path, [image("a.jpg", "train", "one"), {"sentences": [], "split": "val"}])
    with pytest.raises(DataError, match=r"row 2 of dataset\.json has no filename\. Give \"filename\"\. Skip such rows"):
        open_data(file)
    assert open_data(file, Data(on_error="skip")).problems[0].left_out
    file.write_text('{"images": [{"filename": "a.jpg", "sentences": [],\n')
    with pytest.raises(DataError, match=r"dataset\.json, line 2: not JSON, .*Correct that line"):
        open_data(file)
    file.write_text('{"other": []}')
    with pytest.raises(DataError, match=r"is no file of Karpathy's layout \(KeyError: 'images'\)\. It holds"):
        list(karpathy.read(str(file), Data(), []))
    assert karpathy.recognise(str(file)) == 0


@pytest.mark.real
def test_flickr8k():
    folder = Path(os.environ.get("TUWEN_DATA", "/nowhere")) / "flickr8k"
    if not folder.is_dir():
        pytest.skip("TUWEN_DATA names no folder with flickr8k")
    data = open_data(folder)
    assert data.splits == {"train": 6000, "val": 1000} and {len(s.fields["text"]) for s in data} == {5}
    assert data.fingerprint() == open_data(folder / "dataset_flickr8k.json").fingerprint()
    assert not data.problems and data.facts().picture_side == 224
