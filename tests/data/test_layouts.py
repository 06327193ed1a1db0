"""The same pictures in every layout are the same samples."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.test_shards import shard

from tuwen.data._config import Data
from tuwen.data._dataset import _recognise, open_data

LAYOUTS = ("coco", "flickr", "folder", "table", "shards")


@pytest.fixture
def made(tmp_path):
    """Karpathy's layout of a few pictures of noise."""
    (tmp_path / "karpathy/images").mkdir(parents=True)
    images = []
    for i, split in enumerate(["train"] * 5 + ["val"] * 2 + ["test"]):
        noise = np.random.default_rng(i).integers(0, 255, (20, 24, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"karpathy/images/{i}.jpg")
        sentences = [{"raw": text} for text in (f'Number {i}, "so called" .', f"Zahl {i} , grün", "one | two")]
        images.append({"filename": f"{i}.jpg", "split": split, "sentences": sentences})
    (tmp_path / "karpathy/dataset.json").write_text(json.dumps({"images": images}))
    return tmp_path / "karpathy"


def lay_out(samples, folder):
    """Writes the samples in each of the layouts; returns nothing, each is a folder of its name."""
    names = {sample.key: Path(sample.fields["image"]) for sample in samples}
    for layout in LAYOUTS[:-1]:
        for sample in samples:
            below = {"folder": sample.split, "coco": f"{sample.split}2017"}.get(layout, "images")
            (folder / layout / below).mkdir(parents=True, exist_ok=True)
            shutil.copy(names[sample.key], folder / layout / below)
    splits = list(dict.fromkeys(sample.split for sample in samples))
    rows = [{"image": s.key, "text": s.fields["text"], "split": s.split} for s in samples]
    (folder / "table/rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [f"{s.key}#{i}\t{text}\n" for s in samples for i, text in enumerate(s.fields["text"])]
    (folder / "flickr/Flickr8k.token.txt").write_text("".join(lines), "utf-8")
    (folder / "coco/annotations").mkdir()
    for split in splits:
        part = [sample for sample in samples if sample.split == split]
        for sample in part:
            text = folder / "folder" / split / Path(sample.key).with_suffix(".txt")
            text.write_text("\n".join(sample.fields["text"]), "utf-8")
        named = "".join(f"{sample.key}\n" for sample in part)
        (folder / f"flickr/Flickr_8k.{split.replace('val', 'dev')}Images.txt").write_text(named)
        images = [{"id": i, "file_name": sample.key} for i, sample in enumerate(part)]
        said = [{"image_id": i, "caption": text} for i, s in enumerate(part) for text in s.fields["text"]]
        file = folder / f"coco/annotations/captions_{split}2017.json"
        file.write_text(json.dumps({"info": {}, "images": images, "annotations": said}))
        members = []
        for sample in part:
            stem = Path(sample.key).stem
            words = "\n".join(sample.fields["text"]).encode()
            members += [(f"{stem}.jpg", names[sample.key].read_bytes()), (f"{stem}.txt", words)]
        shard(folder / f"shards/{split}-0.tar", *members)


def content(data):
    """What a sample is, wherever it lies: the content of its picture, its captions, its side."""
    return {digest: (sample.fields["text"], sample.split) for digest, sample in zip(data.hashes, data, strict=True)}


def check(data, folder):
    lay_out(list(data), folder)
    for layout in LAYOUTS:
        assert _recognise(str(folder / layout)) == layout
        other = open_data(folder / layout, Data(val=0))
        assert content(other) == content(data) and other.splits == data.splits and not other.problems, layout


def test_every_layout_gives_the_same_samples(made, tmp_path):
    data = open_data(made)
    assert len(content(data)) == 8 and data.splits == {"train": 5, "val": 2, "test": 1}
    check(data, tmp_path / "made")


@pytest.mark.real
def test_every_layout_gives_the_same_of_flickr8k(tmp_path):
    folder = Path(os.environ.get("TUWEN_DATA", "/nowhere")) / "flickr8k"
    if not folder.is_dir():
        pytest.skip("TUWEN_DATA names no folder with flickr8k")
    every = open_data(folder)
    some = [i for i, sample in enumerate(every) if i % 140 == 0]
    data = every.take(some)
    assert len(data) >= 48 and set(data.splits) == {"train", "val"}
    check(data, tmp_path)
