"""What `tuwen data` says, on a folder with something wrong of each kind; the verb itself."""

import json

import numpy as np
import pytest
from PIL import Image

from tuwen.command import data as verb
from tuwen.data._config import Data
from tuwen.data._dataset import open_data
from tuwen.data._report import describe, show
from tuwen.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path):
    """Three good pictures (two the same), a cut JPEG, a text called .jpg, an orphan text, an empty caption."""
    rng = np.random.default_rng(0)
    for name, pixels in {
        "a.png": np.zeros((10, 20, 3), np.uint8),
        "c.jpg": rng.integers(0, 255, (30, 40, 3), np.uint8),
    }.items():
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "c.jpg").read_bytes()[:900])
    (tmp_path / "words.jpg").write_text("no picture")
    for name, text in {"a": "a red bus\nзелёный куб", "b": "a red bus", "c": " ", "orphan": "x"}.items():
        (tmp_path / f"{name}.txt").write_text(text, "utf-8")
    return tmp_path


def test_the_report_tells_what_is_there_and_what_is_wrong(folder):
    report = describe(open_data(folder, Data(on_error="skip")))
    assert report["rows"] == 5 and sum(report["splits"].values()) == 5
    assert report["fields"] == {"image": 5, "text": 2}
    assert report["captions"]["total"] == 3 and report["captions"]["distinct"] == 2
    assert report["captions"]["rows_without"] == 3 and report["captions"]["per_picture"]["max"] == 2
    assert report["words"]["max"] == 3 and report["scripts"] == {"latin": 2, "cyrillic": 1}
    assert report["pictures"]["formats"] == {"PNG": 2, "JPEG": 1}
    assert report["pictures"]["width"] == {"min": 20, "median": 20, "p95": 40, "max": 40}
    assert report["duplicates"] == {"pictures": 1, "captions": 1}
    found = {problem["what"]: problem for problem in report["problems"]}
    assert {what: problem["count"] for what, problem in found.items()} == {
        "cannot be read as an image": 2,
        "has an empty caption": 1,
        "has no picture of the same stem": 1,
    }
    assert report["left_out"] == 1
    assert any(
        example.endswith("cut.jpg: truncated after 900 bytes")
        for example in found["cannot be read as an image"]["examples"]
    )
    json.dumps(report)


def test_the_text_of_the_report(folder):
    text = show(describe(open_data(folder, Data(on_error="skip"))))
    for wanted in (
        "5 rows",
        "captions    3 (2 different), 0 to 2 a row, 3 rows without",
        "3 headers read: PNG 2, JPEG 1",
        "duplicates  1 pictures, 1 captions",
        "problems    4, 1 left out",
        "2 x cannot be read as an image. Mend it or remove the row.",
        "1 x has no picture of the same stem. Add the picture or remove the text.",
        "orphan.txt",
    ):
        assert wanted in text


def test_a_clean_data_set_says_so():
    text = show(describe(open_data([{"image": np.zeros((4, 4, 3), np.uint8), "text": "a"}])))
    assert "problems    none found" in text
    assert "pictures" not in describe(open_data([{"text": "a"}]), check_pictures=False)
    assert "none that can be read" in show(describe(open_data([{"text": "a"}])))


def test_labels_and_answers_are_counted():
    pixels = np.zeros((4, 4, 3), np.uint8)
    table = [{"image": pixels, "label": label} for label in ("cat", ["cat", "dog"], None, *"abcdef")]
    report = describe(open_data(table))
    assert report["labels"]["total"] == 9 and report["labels"]["different"] == 8
    assert report["labels"]["commonest"] == {"cat": 2, "dog": 1, "a": 1, "b": 1, "c": 1}
    text = show(report)
    assert "  labels      9 (8 different), 0 to 2 a row: cat 2, dog 1, a 1, b 1, c 1, ...\n" in text
    assert "note        no captions, but label. To caption or match, put a .txt" in text and "words" not in text
    asked = [{"image": pixels, "question": ["a?", "b?"], "answer": ["yes", "no"]}, {"question": "c?", "answer": "no"}]
    assert "  answers     3 (2 different), 1 to 2 a row: no 2, yes 1\n" in show(describe(open_data(asked)))


def test_pictures_alone_are_worth_a_note_and_no_problem():
    report = describe(open_data([{"image": np.zeros((4, 4, 3), np.uint8)}]))
    assert report["problems"] == [] and "problems    none found" in show(report)
    [note] = report["notes"]
    assert note.startswith("no captions, pictures alone: enough to train what reconstructs them. To caption or match,")
    assert describe(open_data([{"text": "a"}]))["notes"] == []


def test_a_captioner_on_pictures_alone_says_what_is_missing():
    from tuwen.train.setup import prepare_data

    with pytest.raises(
        DataError, match=r"recipe 'cnn-gru' needs the field 'text'; rows has: image\. `tuwen data rows`"
    ):
        prepare_data([{"image": np.zeros((4, 4, 3), np.uint8)}], "cnn-gru", [])


def test_the_verb(folder):
    [response] = verb.run(verb.Request(data=str(folder)))
    assert response.report["rows"] == 5 and "5 rows" in verb.show(response)
    with pytest.raises(DataError, match="orphan.txt has no picture"):
        list(verb.run(verb.Request(data=str(folder), on_error="raise")))


def test_options_of_the_drawn_world(folder, tmp_path):
    for option in ({"out": "x"}, {"num": 3}):
        name = next(iter(option))
        with pytest.raises(ConfigError, match=f"{name} is for the drawn world only, .*tuwen data scenes --{name}"):
            list(verb.run(verb.Request(data=str(folder), **option)))
    with pytest.raises(ConfigError, match="num is 4 with 'scenes:0:3'; give one number above 0"):
        list(verb.run(verb.Request(data="scenes:0:3", num=4)))


def test_the_drawn_world_is_described_and_written(tmp_path):
    [response] = verb.run(verb.Request(data="scenes", num=16, out=str(tmp_path / "out")))
    assert response.report["splits"] == {"train": 16, "val": 1, "test": 1} and response.out.endswith("out")
    assert f"written to  {tmp_path / 'out'}" in verb.show(response)
    again = open_data(tmp_path / "out")
    assert again.splits == response.report["splits"] and set(again.fields) == set(response.report["fields"])
