"""`tuwen match`: retrieves 8 of 8, by the command line and by Python."""

import json

from tests import eight
from tests.end_to_end import _trained

import tuwen


def test_eight_of_eight():
    """By chance one."""
    place = _trained.place()
    texts = [eight.texts(colour)[0] for colour in eight.COLOURS]
    options = [part for text in texts for part in ("--text", text)]
    done = eight.tuwen("match", place / "model", place / "photos", *options, "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["image"]: row for row in map(json.loads, done.stdout.splitlines())}
    paths = [str(place / "photos" / f"{colour}.png") for colour in eight.COLOURS]
    assert [rows[path]["best"] for path in paths] == texts
    answers = tuwen.load(place / "model").match(paths, texts)
    assert [answer.best for answer in answers] == texts
    for path, answer in zip(paths, answers, strict=True):
        assert [score["text"] for score in rows[path]["scores"]] == [score.text for score in answer.scores]
