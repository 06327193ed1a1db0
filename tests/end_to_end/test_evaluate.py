"""`tuwen evaluate`: the figures of the command line are those of Python."""

import json

import pytest
from tests import eight
from tests.end_to_end import _trained

import tuwen
from tuwen.evaluation import evaluate


def test_the_same_figures(tmp_path):
    place = _trained.place()
    report = tmp_path / "report.json"
    done = eight.tuwen("evaluate", place / "model", place / "photos", "--split", "train", "-o", report)
    assert done.returncode == 0, done.stderr
    assert "cider" in done.stdout and "95 % interval" in done.stdout
    found = json.loads(report.read_text("utf-8"))
    model = tuwen.load(place / "model")
    rows = tuwen.open_data(str(place / "photos"), model.recipe.data)
    own = evaluate(model, [model.batch(list(rows), targets=True)])
    assert len(rows) == 8 and found["figures"].keys() == own.figures.keys()
    assert found["figures"] == pytest.approx(own.figures, abs=1e-3)
    assert own.figures["i2t_r1"] == own.figures["t2i_r1"] == 1, "by chance 1/8"
