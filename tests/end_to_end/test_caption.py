"""`tuwen caption`: trained by the command line, asked by it and by Python: the same, and right."""

import csv
import json

import pytest
from tests import eight
from tests.end_to_end import _trained

import tuwen


@pytest.fixture(scope="module")
def place():
    return _trained.place()


def test_the_same_answer_and_the_right_one(place):
    """8 of 8 name their colour; by chance one would."""
    done = eight.tuwen("caption", place / "model", place / "photos", "--json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    rows = {row["image"]: row for row in map(json.loads, done.stdout.splitlines())}
    model, paths = tuwen.load(place / "model"), [str(place / "photos" / f"{colour}.png") for colour in eight.COLOURS]
    answers = model.caption(paths)
    assert [rows[path]["caption"] for path in paths] == [answer.caption for answer in answers]
    assert [rows[path]["logprob"] for path in paths] == pytest.approx([answer.logprob for answer in answers], abs=1e-3)
    assert all(colour in answer.caption for colour, answer in zip(eight.COLOURS, answers, strict=True))


def test_one_picture(place):
    done = eight.tuwen("caption", place / "model", place / "photos/red.png")
    assert done.returncode == 0 and "red" in done.stdout, done.stderr


@pytest.mark.slow
def test_alt_texts_for_a_folder(place, tmp_path):
    eight.write_pictures(tmp_path / "photos", captions=False)
    first = eight.tuwen(
        "caption",
        place / "model",
        tmp_path / "photos/red.png",
        tmp_path / "photos/blue.png",
        "-o",
        tmp_path / "out.csv",
    )
    again = eight.tuwen("caption", place / "model", tmp_path / "photos", "-o", tmp_path / "out.csv")
    assert "2 written" in first.stderr and "6 written, 2 were there already, 0 failed" in again.stderr
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        assert all(eight_colour(row["image"]) in row["caption"] for row in csv.DictReader(file))
    assert {path.suffix for path in (tmp_path / "photos").iterdir()} == {".png"}


def eight_colour(path):
    return path.rpartition("/")[2].removesuffix(".png")
