"""Results and references in files: joined by id, or a clear word about what does not fit."""

import json

import pytest

from tuwen.command._coco import find_pictures, join, notes_of, read_references, read_results
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
        ([{"id": 1, "text": "a"}], COCO, r"""entry 1 of the results has no image_id and caption, it is \{"id": 1, "text": "a"\}; each is as in """),
        ({"42": "a dog"}, COCO, "is no list of results; it has to be "),
        ([], COCO, "holds no captions; it has to be "),
        (RESULTS, {"images": 3}, "holds no references; it has to be "),
        (RESULTS, {"images": [{"sentences": []}], "dataset": "flickr8k"}, "has images and no annotations, as Karpathy's splits"),
        ("{", COCO, "is no JSON: .*It has to be "),
        (RESULTS, {}, "refs.json holds no references; it has to be "),
        (RESULTS, {"42": ["x"], "7": []}, "1 of 2 captions have no references in .*refs.json, such as 7"),
        (RESULTS, {"42": ["x"], "7": [" ", ""]}, "refs.json: all references of image_id '7' have no words; give one that says"),
        (RESULTS, {"annotations": [{"image_id": 42, "caption": "a"}, {"image_id": 7}]}, "entry 2 of the annotations has no image_id and"),
        (RESULTS, {"42": ["x"], "7": ["...", "-"]}, "refs.json: all references of image_id '7' have no words; give one that says"),
        (RESULTS, {"42": ["x"], "7": [3]}, "refs.json: a reference of image_id '7' is int, not text."),
        (RESULTS, [{"image_id": 42, "caption": None}], "refs.json: a reference of image_id 42 is NoneType, not text."),
        ([{"image_id": [42], "caption": "a"}], COCO, r"results.json: image_id of entry 1 is \[42\]; it is a whole number or a text, as in 42."),
        ([*RESULTS, {"image_id": None, "caption": "a"}], COCO, "results.json: image_id of entry 3 is None; it is a whole number or a"),
        ([{"image_id": True, "caption": "a"}], COCO, "results.json: image_id of entry 1 is True; it is a whole number"),
        (RESULTS, [{"image_id": 4.5, "caption": "a"}], "refs.json: image_id of entry 1 is 4.5; it is a whole number or a text"),
        (RESULTS, [*COCO["annotations"], {"image_id": {}, "caption": "a"}], "refs.json: image_id of entry 4 is {}; it is a"),
        (RESULTS, '{"42": ["a dog"], "7": ["a cat"], "42": ["one dog"]}', "refs.json has the name '42' twice in one object; write it once, with all it holds."),
        (RESULTS, '{"annotations": [], "images": [], "annotations": []}', "refs.json has the name 'annotations' twice in one"),
        ('[{"image_id": 42, "caption": "a", "caption": "b"}]', COCO, "results.json has the name 'caption' twice in one object"),
    ],
)  # fmt: skip
def test_what_does_not_fit(tmp_path, results, references, message):
    with pytest.raises(DataError, match=message):
        joined(tmp_path, results, references)


def test_whole_floats_and_byte_order_marks(tmp_path):
    """As pandas and Windows write them."""
    floats = [{**row, "image_id": float(row["image_id"])} for row in RESULTS]
    assert joined(tmp_path, "\ufeff" + json.dumps(floats), "\ufeff" + json.dumps(COCO)) == WANTED
    references = [{**one, "image_id": float(one["image_id"])} for one in COCO["annotations"]]
    assert joined(tmp_path, RESULTS, references) == WANTED
    (tmp_path / "a.jpg").touch()
    refs = write(tmp_path / "refs.json", {**COCO, "images": [{"id": 42.0, "file_name": "a.jpg"}]})
    assert find_pictures(str(tmp_path), refs, ["42"]) == {"42": tmp_path / "a.jpg"}


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="nowhere.json cannot be read: No such file or directory. Name a JSON file."):
        read_results(str(tmp_path / "nowhere.json"))


def test_what_counts_otherwise_than_one_may_think_is_noted():
    told = {"42": ["the dog", ""], "7": ["the cat"]}
    assert notes_of({42: "a dog", 7: " "}, told, "r.json", "refs.json") == [
        "1 captions in r.json have no words and score 0, such as 7",
        "1 pictures in refs.json have an empty reference among others, such as 42; it counts as a reference without words",
        'ids are numbers in r.json and texts in refs.json; they are compared as texts: 42 and "42" are one picture',
    ]
    assert notes_of({42: "a dog"}, {42: ["the dog"]}, "r.json", "refs.json") == []


def test_pictures_by_their_name_in_the_json_or_by_their_id(tmp_path):
    folder = tmp_path / "pictures" / "deep"
    folder.mkdir(parents=True)
    for name in ("one.jpg", "COCO_val2014_000000000007.jpg", "x9.png", "notes.txt"):
        (folder / name).touch()
    refs = write(tmp_path / "refs.json", {**COCO, "images": [{"id": 42, "file_name": "val2014/one.jpg"}]})
    found = find_pictures(str(tmp_path / "pictures"), refs, ["42", "7", "x9"])
    assert {key: path.name for key, path in found.items()} == {
        "42": "one.jpg", "7": "COCO_val2014_000000000007.jpg", "x9": "x9.png",
    }  # fmt: skip
    padded = "000000000007"
    assert find_pictures(str(tmp_path / "pictures"), refs, [padded])[padded].name == "COCO_val2014_000000000007.jpg"
    with pytest.raises(
        DataError, match="1 of 2 ids have no picture in .*pictures, such as 8; a picture is named after"
    ):
        find_pictures(str(tmp_path / "pictures"), refs, ["7", "8"])
    with pytest.raises(
        DataError, match="there is no folder '/no/such'; name the folder of the pictures with --pictures."
    ):
        find_pictures("/no/such", refs, ["7"])


def test_pictures_that_could_be_either_are_said(tmp_path):
    """An id that is a whole name, or a file_name with its folder, leaves no doubt."""
    for name in ("cat_1.jpg", "dog_1.jpg", "2.jpg", "cow_2.jpg", "a/x.jpg", "b/x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    refs = write(
        tmp_path / "refs.json", {**COCO, "images": [{"id": 3, "file_name": "b/x.jpg"}, {"id": 4, "file_name": "x.jpg"}]}
    )
    found = find_pictures(str(tmp_path), refs, ["2", "3"])
    assert {key: str(path.relative_to(tmp_path)) for key, path in found.items()} == {"2": "2.jpg", "3": "b/x.jpg"}
    with pytest.raises(DataError, match=r"id 1 could be cat_1.jpg or dog_1.jpg; give `images` in the references' JSON"):
        find_pictures(str(tmp_path), refs, ["2", "1"])
    with pytest.raises(DataError, match="id 4 could be a/x.jpg or b/x.jpg; give its folder in `file_name` in the"):
        find_pictures(str(tmp_path), refs, ["4"])
