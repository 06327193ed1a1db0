"""Results and references in files: joined by id, or a clear word about what does not fit."""

import json

import pytest

from tuwen.command._coco import join, read_references, read_results
from tuwen.errors import DataError

RESULTS = [{"image_id": 42, "caption": "a dog"}, {"image_id": 7, "caption": "a cat"}]
COCO = {
    "images": [],
    "annotations": [
        {"image_id": 42, "id": 1, "caption": "the dog"},
        {"image_id": 7, "id": 2, "caption": "the cat"},
        {"image_id": 42, "id": 3, "caption": "one dog"},
    ],
}


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def joined(tmp_path, results, references):
    a, b = write(tmp_path / "results.json", results), write(tmp_path / "refs.json", references)
    return join(read_results(a), read_references(b), a, b)


WANTED = [("42", "a dog", ["the dog", "one dog"]), ("7", "a cat", ["the cat"])]


@pytest.mark.parametrize("references", [COCO, COCO["annotations"], {"42": ["the dog", "one dog"], "7": "the cat"}])
def test_all_layouts_and_both_types_of_ids(tmp_path, references):
    assert joined(tmp_path, RESULTS, references) == WANTED
    assert joined(tmp_path, [{**row, "image_id": str(row["image_id"])} for row in RESULTS], references) == WANTED


@pytest.mark.parametrize(
    ("results", "references", "message"),
    [
        (RESULTS, {"42": ["x"]}, r"1 of 2 captions have no references in .*refs.json, such as 7 \(ids are numbers there, texts here, such as 42\)"),
        (RESULTS[:1], COCO, "1 of 2 pictures in .*refs.json have no caption in .*results.json, such as 7; caption them too"),
        ([*RESULTS, RESULTS[0]], COCO, "has two captions for image_id 42, the second is entry 3; keep one."),
        ([*RESULTS, {"image_id": "42", "caption": "a"}], COCO, r"has both 42 \(a number\) and '42' \(a text\) as ids; write all of them one way."),
        ([{"image_id": 1, "caption": 5}], COCO, "the caption of image_id 1 is int, not text."),
        ([{"id": 1, "text": "a"}], COCO, "is no list of results; it has to be "),
        ({"42": "a dog"}, COCO, "is no list of results; it has to be "),
        ([], COCO, "holds no captions; it has to be "),
        (RESULTS, {"images": 3}, "holds no references; it has to be "),
        ("{", COCO, "is no JSON: .*It has to be "),
    ],
)  # fmt: skip
def test_what_does_not_fit(tmp_path, results, references, message):
    with pytest.raises(DataError, match=message):
        joined(tmp_path, results, references)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="nowhere.json cannot be read: No such file or directory. Name a JSON file."):
        read_results(str(tmp_path / "nowhere.json"))
