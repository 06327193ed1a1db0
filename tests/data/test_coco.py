"""COCO's JSON: captions, instances and both, where the pictures lie, what is broken."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from tuwen.data import coco
from tuwen.data._config import Data
from tuwen.data._dataset import open_data
from tuwen.errors import DataError

SKIP = Data(on_error="skip")
IMAGES = [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}]
CAPTIONS = [
    {"image_id": 2, "caption": "a cat"},
    {"image_id": 1, "caption": "a dog "},
    {"image_id": 2, "caption": "pet"},
]
THINGS = [{"image_id": 1, "category_id": 18}, {"image_id": 1, "category_id": 17}, {"image_id": 1, "category_id": 18}]
CATEGORIES = [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}]


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.full((6, 8, 3), sum(map(ord, name)) % 251, np.uint8)).save(folder / name)


def write(file, **content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def captions(file, annotations=CAPTIONS, **more):
    return write(file, info={"year": 2017}, images=IMAGES, annotations=annotations, **more)


def instances(file, annotations=THINGS):
    return write(file, images=IMAGES, annotations=annotations, categories=CATEGORIES)


@pytest.mark.parametrize("pictures", [".", "images", "val2017", "images/val2017", "annotations"])
def test_captions_with_pictures_wherever_they_lie(tmp_path, pictures):
    put(tmp_path / pictures, "1.jpg", "2.jpg")
    file = captions(tmp_path / "annotations/captions_val2017.json")
    for path in (file, tmp_path, tmp_path / "annotations"):
        first, second = open_data(path)
        assert (first.fields["text"], second.fields["text"]) == (["a dog"], ["a cat", "pet"])
        assert first.split == "val" and first.where == "row 1 of images in captions_val2017.json"
        assert "label" not in first.fields and first.fields["image"].is_file()


def test_instances_are_labels_and_join_the_captions(tmp_path):
    put(tmp_path / "images", "1.jpg", "2.jpg")
    both = [captions(tmp_path / "captions_train2017.json"), instances(tmp_path / "instances_train2017.json")]
    alone = open_data(both[1])
    assert [s.fields["label"] for s in alone] == [["cat", "dog"], []] and "text" not in alone.fields
    for path in (tmp_path, ",".join(map(str, both))):
        data = open_data(path)
        assert [(s.fields["text"], s.fields["label"]) for s in data] == [
            (["a dog"], ["cat", "dog"]),
            (["a cat", "pet"], []),
        ]
    assert open_data(both[0])[0].fields.get("label") is None


def test_splits_follow_the_names_of_the_files(tmp_path):
    put(tmp_path / "train2017", "1.jpg", "2.jpg")
    put(tmp_path / "val2017", "9.jpg")
    captions(tmp_path / "annotations/captions_train2017.json")
    one = {"images": [{"id": 1, "file_name": "9.jpg"}], "annotations": [{"image_id": 1, "caption": "nine"}]}
    write(tmp_path / "annotations/captions_val2017.json", **one)
    write(
        tmp_path / "annotations/person_keypoints_val2017.json", images=[{"id": 1, "file_name": "7.jpg"}], annotations=[]
    )
    data = open_data(tmp_path)
    assert data.splits == {"train": 2, "val": 1} and data.split("val")[0].fields["text"] == ["nine"]
    assert data[2].fields["image"] == tmp_path / "val2017/9.jpg"  # of the same number, and not the same picture


def test_it_is_told_from_other_json(tmp_path):
    other = write(tmp_path / "a.json", images=[{"filename": "1.jpg", "sentences": [{"raw": "x"}]}])
    assert coco.recognise(str(other)) == coco.recognise(str(write(tmp_path / "b.json", rows=[1]))) == 0
    assert coco.recognise(str(captions(tmp_path / "c.json"))) > 0.95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 1}]}, "row 1 of images in captions.json has no id or file_name. Give"),
        (
            {"annotations": [{"image_id": 5, "caption": "x"}]},
            "row 1 of annotations in captions.json is of a picture that is not listed: image_id 5. Add it to images",
        ),
        (
            {"annotations": [{"image_id": 1, "category_id": 5}], "categories": CATEGORIES},
            "is of a category that is not listed: category_id 5. Add it to categories",
        ),
        ({"annotations": [3]}, "is of a picture that is not listed: image_id 3"),
    ],
)
def test_a_bad_row_is_named_or_left_out(tmp_path, change, message):
    put(tmp_path, "1.jpg", "2.jpg")
    file = write(tmp_path / "captions.json", **{"images": IMAGES, "annotations": [], **change})
    with pytest.raises(DataError, match=re.escape(message) + r".*on_error=\"skip\""):
        open_data(file)
    if "images" not in change:
        data = open_data(file, SKIP)
        assert len(data) == 2 and [problem.left_out for problem in data.problems] == [True]


def test_broken_files(tmp_path):
    file = captions(tmp_path / "captions_val.json")
    with pytest.raises(
        DataError, match=r"1\.jpg \(row 1 of images in captions_val\.json\) is not there\. Set data\.root"
    ):
        open_data(file)
    file.write_text('{"images": [\n{"id": 1')
    with pytest.raises(DataError, match=r"captions_val\.json, line 2: not JSON, .*Copy or download it again"):
        open_data(file)
    file.write_text('{"images": [], "annotations": {}}')
    with pytest.raises(DataError, match=r"is no COCO file\. It holds \{\"images\": \[\.\.\.\], \"annotations\""):
        open_data(file)
    file.write_bytes(b'{"images": "\xff"}')
    with pytest.raises(DataError, match=r"captions_val\.json cannot be read: "):
        open_data(file)


def test_an_id_twice_gives_no_caption_to_another_picture(tmp_path):
    put(tmp_path, "1.jpg", "2.jpg")
    images = [{"id": 1, "file_name": name} for name in ("1.jpg", "2.jpg")]
    file = write(tmp_path / "captions.json", images=images, annotations=[{"image_id": 1, "caption": "a dog"}])
    with pytest.raises(
        DataError, match="row 2 of images in captions.json has the id of an earlier picture: id 1. Give"
    ):
        open_data(file)
    data = open_data(file, SKIP)
    assert {s.key: s.fields["text"] for s in data} == {"1.jpg": ["a dog"]} and len(data.problems) == 1


def test_an_id_that_is_a_list(tmp_path):
    put(tmp_path, "1.jpg")
    file = write(
        tmp_path / "captions.json",
        images=[{"id": [1], "file_name": "1.jpg"}, {"id": 1, "file_name": "1.jpg"}],
        annotations=[{"image_id": [1], "caption": "a dog"}, {"image_id": 1, "caption": "a cat"}],
    )
    data = open_data(file, SKIP)
    assert [s.fields["text"] for s in data] == [["a cat"]] and len(data.problems) == 2


def test_a_category_whose_id_is_a_list(tmp_path):
    put(tmp_path, "1.jpg", "2.jpg")
    kinds = [{"id": [1], "name": "odd"}, *CATEGORIES]
    things = [*THINGS, {"image_id": 2, "category_id": [1]}]
    data = open_data(write(tmp_path / "instances.json", images=IMAGES, annotations=things, categories=kinds), SKIP)
    assert [s.fields["label"] for s in data] == [["cat", "dog"], []] and len(data.problems) == 1
