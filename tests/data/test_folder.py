"""Folders: captions beside pictures, in a folder of texts, in metadata files; splits, labels, orphans."""

import json

import numpy as np
import pytest
from PIL import Image

from tuwen.data._config import Data
from tuwen.data._dataset import open_data
from tuwen.errors import DataError

SKIP = Data(on_error="skip")


def put(path, colour=0, text=None):
    """A small picture at `path`; another colour is another content. With `text` a .txt beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), colour, np.uint8)).save(path)
    if text is not None:
        path.with_suffix(".txt").write_text(text, "utf-8")


def rows(data):
    return {sample.key: (sample.fields["text"], sample.split) for sample in data}


def test_a_text_of_the_same_stem_holds_one_caption_a_line(tmp_path):
    put(tmp_path / "a.png", 1, "one\n\n two \n")
    put(tmp_path / "b.x.JPG", 2, "three")
    put(tmp_path / "c.jpeg", 3)
    (tmp_path / "README.txt").write_text("about")
    (tmp_path / ".hidden.png").write_bytes(b"")
    data = open_data(tmp_path)
    assert rows(data) == {"a.png": (["one", "two"], None), "b.x.JPG": (["three"], None), "c.jpeg": ([], None)}
    assert not data.problems


def test_links_to_folders_are_followed_but_not_round_in_circles(tmp_path):
    for name in ("one", "two"):
        put(tmp_path / "big" / name / "a.png", len(name), "text")
    (tmp_path / "photos" / "real").mkdir(parents=True)
    put(tmp_path / "photos" / "real" / "c.png", 9, "text")
    (tmp_path / "photos" / "val").symlink_to(tmp_path / "big" / "one")
    (tmp_path / "photos" / "train").symlink_to(tmp_path / "big" / "two")
    (tmp_path / "photos" / "real" / "back").symlink_to(tmp_path / "photos")
    (tmp_path / "big" / "two" / "aside").symlink_to(tmp_path / "big" / "two")
    data = open_data(tmp_path / "photos")
    assert {key: split for key, (_, split) in rows(data).items()} == {
        "real/c.png": None, "train/a.png": "train", "val/a.png": "val",
    }  # fmt: skip


@pytest.mark.parametrize(("pictures", "texts"), [("images", "texts"), ("Photos", "captions"), ("foo", "bar")])
def test_a_folder_of_pictures_beside_a_folder_of_texts(tmp_path, pictures, texts):
    for i, name in enumerate(("a", "sub/b", "c")):
        put(tmp_path / pictures / f"{name}.png", i)
    for name in ("a", "sub/b"):
        file = tmp_path / texts / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"caption of {name}\nsecond")
    assert rows(open_data(tmp_path)) == {
        f"{pictures}/a.png": (["caption of a", "second"], None),
        f"{pictures}/c.png": ([], None),
        f"{pictures}/sub/b.png": (["caption of sub/b", "second"], None),
    }


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ("a.jpg a.png a.jpg.txt a.png.txt", {"a.jpg": "a.jpg.txt", "a.png": "a.png.txt"}),
        ("a.jpg a.txt a.jpg.txt", {"a.jpg": "a.jpg.txt a.txt"}),
        ("a.jpg a.png a.txt a.jpg.txt", {"a.jpg": "a.jpg.txt", "a.png": "a.txt"}),
        ("a.jpg a.png a.txt", {"a.jpg": "a.txt", "a.png": "a.txt"}),
        ("a.jpg a.png a.jpg.txt", {"a.jpg": "a.jpg.txt", "a.png": ""}),
        ("a.jpg a.png a.jpg.txt a.png.txt a.txt", {"a.jpg": "a.jpg.txt a.txt", "a.png": "a.png.txt a.txt"}),
        ("a.png a.jpg.txt", {"a.png": "a.jpg.txt"}),
        ("images/a.jpg captions/a.txt descriptions/a.txt", {"images/a.jpg": "captions/a.txt descriptions/a.txt"}),
        ("images/a.jpg images/a.txt captions/a.jpg.txt", {"images/a.jpg": "captions/a.jpg.txt images/a.txt"}),
        (
            "images/a.jpg images/a.txt photos/a.jpg photos/a.txt",
            {"images/a.jpg": "images/a.txt", "photos/a.jpg": "photos/a.txt"},
        ),
        ("images/a.jpg images/a.txt photos/a.jpg", {"images/a.jpg": "images/a.txt", "photos/a.jpg": ""}),
    ],
)
def test_no_text_is_lost_where_stems_are_alike(tmp_path, files, wanted):
    """Each text says its own name."""
    for colour, name in enumerate(files.split()):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(name) if name.endswith(".txt") else put(file, colour)
    data = open_data(tmp_path)
    assert {key: " ".join(texts) for key, (texts, _) in rows(data).items()} == wanted and not data.problems


@pytest.mark.parametrize("order", ["{split}/images", "images/{split}", "{split}"])
def test_folders_called_as_splits_are_the_splits(tmp_path, order):
    for colour, split in enumerate(("train", "dev", "test")):
        put(tmp_path / order.format(split=split) / "a.png", colour, f"of {split}")
    data = open_data(tmp_path)
    assert data.splits == {"train": 1, "val": 1, "test": 1}
    assert data.split("val")[0].fields["text"] == ["of dev"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_imagefolder_with_metadata(tmp_path, kind):
    for split in ("train", "validation"):
        put(tmp_path / split / "deep/a.png", 1 + len(split), None)
        put(tmp_path / split / "b.png", 2 + len(split) * 2, None)
        named = [{"file_name": "deep/a.png", "text": f"{split} a", "price": "3"}]
        if kind == "csv":
            (tmp_path / split / "metadata.csv").write_text(f"file_name,text,price\ndeep/a.png,{split} a,3\n")
        else:
            (tmp_path / split / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named))
    data = open_data(tmp_path)
    assert data.splits == {"train": 2, "val": 2} and data.fields == ("image", "text", "price")
    assert data.split("val")[0].fields["text"] == ["validation a"]
    assert data[0].where == f"row 1 of train/metadata.{kind}"
    [problem] = data.problems
    assert str(problem).startswith("2 pictures of ") and "are not named in the metadata" in str(problem)


def test_class_folders_become_labels_where_nothing_has_a_caption(tmp_path):
    for i, name in enumerate(("train/cat/1", "train/dog/2", "test/cat/3")):
        put(tmp_path / f"{name}.png", i)
    data = open_data(tmp_path)
    assert [sample.fields["label"] for sample in data] == ["cat", "cat", "dog"]
    assert data.splits == {"val": 1, "train": 1, "test": 1} and not data.problems
    (tmp_path / "train/cat/1.txt").write_text("a cat")
    assert "label" not in open_data(tmp_path).fields


def test_an_empty_folder(tmp_path):
    with pytest.raises(
        DataError,
        match=r"is an empty folder\. Layouts that can be read: coco \(.*; folder \(A folder of pictures .*table",
    ):
        open_data(tmp_path)


@pytest.mark.parametrize("above", ["images", "images/train", "train/pictures"])
def test_class_folders_below_a_folder_of_pictures(tmp_path, above):
    for i, name in enumerate(("cat/1", "dog/2")):
        put(tmp_path / above / f"{name}.png", i)
    assert [sample.fields["label"] for sample in open_data(tmp_path)] == ["cat", "dog"]


def test_no_captions_is_no_problem(tmp_path):
    put(tmp_path / "a.png", 1)
    data = open_data(tmp_path)
    assert data.fields == ("image",) and not data.problems


def test_labels_in_metadata(tmp_path):
    put(tmp_path / "a.png", 1)
    put(tmp_path / "b.png", 2)
    (tmp_path / "metadata.csv").write_text("file_name,class\na.png,1\nb.png,0|1\n")
    data = open_data(tmp_path, Data(classes="cat,dog"))
    assert [s.fields["label"] for s in data] == ["dog", ["cat", "dog"]] and data.fields == ("image", "label")


def test_a_text_without_its_picture(tmp_path):
    put(tmp_path / "a.png", 1, "one")
    (tmp_path / "b.txt").write_text("lost?")
    with pytest.raises(
        DataError, match=r"^b\.txt has no picture of the same stem\. Add the picture .*data\.on_error=\"skip\""
    ):
        open_data(tmp_path)
    data = open_data(tmp_path, SKIP)
    assert len(data) == 1 and [(p.where, p.left_out) for p in data.problems] == [("b.txt", True)]


def test_texts_only(tmp_path):
    (tmp_path / "a.txt").write_text("alone")
    with pytest.raises(DataError, match=r"a\.txt has no picture of the same stem"):
        open_data(tmp_path)
    with pytest.raises(
        DataError, match="holds no rows that can be used. 1 were left out, the first: a.txt has no picture"
    ):
        open_data(tmp_path, SKIP)


def test_an_empty_text_keeps_the_picture_and_is_listed(tmp_path):
    put(tmp_path / "a.png", 1, " \n\n")
    put(tmp_path / "b.png", 2, "b")
    data = open_data(tmp_path)
    assert rows(data)["a.png"] == ([], None)
    assert [str(p) for p in data.problems] == [
        "a.png has an empty caption. It was dropped, the row stays; write one or remove it."
    ]


def test_a_text_that_is_not_utf8(tmp_path):
    put(tmp_path / "a.png", 1)
    (tmp_path / "a.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(DataError, match="a.txt is not UTF-8: byte 0xe9. Save the file as UTF-8"):
        open_data(tmp_path)
    data = open_data(tmp_path, SKIP)
    assert len(data) == 1 and data[0].fields["text"] == []


def test_a_byte_order_mark_is_no_part_of_a_caption(tmp_path):
    put(tmp_path / "a.png", 1)
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert open_data(tmp_path)[0].fields["text"] == ["one", "two"]


def test_a_format_that_is_not_read_is_not_passed_over(tmp_path):
    put(tmp_path / "a.png", 1, "one")
    (tmp_path / "b.heic").write_bytes(b"heic")
    with pytest.raises(DataError, match=r"b\.heic has a picture format that is not read\. Convert it to JPEG or PNG\."):
        open_data(tmp_path)
    assert open_data(tmp_path, SKIP).problems[0].left_out


def test_a_text_that_is_of_no_picture_hides_no_table(tmp_path):
    put(tmp_path / "images/a.png", 1)
    (tmp_path / "README.txt").write_text("about")
    (tmp_path / "captions.csv").write_text("file,caption\nimages/a.png,a dog\n")
    assert [sample.fields["text"] for sample in open_data(tmp_path)] == [["a dog"]]


def test_tables_that_are_not_read_are_said(tmp_path):
    put(tmp_path / "a.png", 1)
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("file,caption\na.png,a dog\n")
    [problem] = open_data(tmp_path).problems
    assert str(problem).startswith(
        "one.csv, two.csv beside the pictures may hold captions, and is not read. Name the one"
    )


@pytest.mark.parametrize("way", ["absolute", "above", "root"])
def test_pictures_are_named_however_their_paths_are_spelled(tmp_path, way):
    for name in ("a.png", "b.png"):
        put(tmp_path / "images" / name, ord(name[0]))
    start = {"absolute": f"{tmp_path}/images/", "above": "../images/", "root": "images/"}[way]
    place = tmp_path if way == "root" else tmp_path / "data"
    place.mkdir(exist_ok=True)
    (place / "metadata.csv").write_text(f"file_name,text\n{start}a.png,one\n{start}b.png,two\n")
    data = open_data(tmp_path, Data(root=str(tmp_path) if way == "root" else ""))
    assert [sample.fields["text"] for sample in data] == [["one"], ["two"]] and not data.problems


def test_a_link_to_no_text(tmp_path):
    put(tmp_path / "a.png", 1, "one")
    put(tmp_path / "b.png", 2)
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere.txt")
    with pytest.raises(DataError, match="b.txt cannot be read: No such file or directory. Mend the file or the link"):
        open_data(tmp_path)
    data = open_data(tmp_path, SKIP)
    assert rows(data) == {"a.png": (["one"], None), "b.png": ([], None)} and len(data.problems) == 1
