"""benchmarks/convert_data.py: small stand-ins of the three data sets, and the real ones where they are at hand."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks import convert_data
from PIL import Image

from tuwen.data._dataset import open_data


@pytest.fixture
def source(tmp_path):
    for i in range(4):
        for folder in ("easy_vqa/train/images", "emoji/png64"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((6, 6, 3), 40 * i, np.uint8)).save(tmp_path / folder / f"{i}.png")
    asked = [
        ["what color is the circle?", "red", 0],
        ["is there not a teal shape?", "no", 1],
        ["does the image contain a triangle?", "yes", 1],
        ["is there a circle?", "no", 2],
        ["what shape is present?", "rectangle", 2],
    ]
    (tmp_path / "easy_vqa/train/questions.json").write_text(json.dumps(asked))
    (tmp_path / "fsdd/recordings").mkdir(parents=True)
    for name in ("3_ann_5", "3_ann_12", "4_bob_40"):
        (tmp_path / f"fsdd/recordings/{name}.flac").write_bytes(name.encode())
    rows = [
        {"file": f"png64/{i}.png", "emoji": "x", "name": f"wave {i}", "base_name": "wave", "tone": None, "tags": []}
        for i in range(4)
    ]
    (tmp_path / "emoji/emoji.json").write_text(json.dumps([{**row, "category": "People"} for row in rows]))
    return tmp_path


def test_tables_of_stand_ins(source, tmp_path, capsys):
    convert_data.main([str(tmp_path / "out"), "--data", str(source)])
    assert "4 rows in " in capsys.readouterr().out
    data = open_data(tmp_path / "out/easy_vqa")
    assert [(s.fields["text"], s.fields["label"]) for s in data] == [
        (["a red circle"], "circle"),
        (["a teal triangle"], "triangle"),
        ([], "rectangle"),
    ]
    assert data[1].fields["answer"] == ["no", "yes"] and len(data[1].fields["question"]) == 2
    sounds = open_data(tmp_path / "out/fsdd")
    assert sounds.splits == {"train": 1, "val": 1, "test": 1} and sounds.split("test")[0].fields["label"] == "three"
    assert sounds[0].fields["audio"].is_file()
    people = open_data(tmp_path / "out/emoji")
    assert len({s.split for s in people}) == 1 and people[0].fields["label"] == "People"
    convert_data.main([str(tmp_path / "out"), "--data", str(source)])  # again does no harm


def test_a_folder_that_is_not_there(tmp_path, capsys):
    with pytest.raises(SystemExit):
        convert_data.main([str(tmp_path / "out"), "--data", str(tmp_path), "--only", "fsdd"])
    assert "name the folder that holds fsdd with --data" in capsys.readouterr().err


@pytest.mark.real
def test_the_real_ones(tmp_path):
    folder = os.environ.get("TUWEN_DATA", "")
    if not folder or not all((Path(folder) / name).is_dir() for name in convert_data.CONVERTERS):
        pytest.skip("TUWEN_DATA names no folder with easy_vqa, fsdd and emoji")
    convert_data.main([str(tmp_path), "--data", folder])
    shapes = open_data(tmp_path / "easy_vqa")
    assert len(shapes) == 4000 and sum(len(s.fields["answer"]) for s in shapes) == 38_575
    assert sum(s.fields["label"] is not None for s in shapes) > 3800
    sounds = open_data(tmp_path / "fsdd")
    assert sounds.splits == {"train": 2100, "val": 300, "test": 300}
    people = open_data(tmp_path / "emoji")
    sides = {}
    for sample in people:
        sides.setdefault(sample.fields["base_name"], set()).add(sample.split)
    assert len(people) == 2618 and all(len(names) == 1 for names in sides.values())
