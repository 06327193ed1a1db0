"""Confidence judged: by hand, and fitted on an evaluation."""

import numpy as np
import pytest
from tests import eight
from tests.test_evaluation import batches

from tuwen.errors import DataError
from tuwen.evaluation import Evaluation, evaluate
from tuwen.generate.beam import Config as Beam
from tuwen.judge._sure import calibrate, ciders, judged

WORDS = ["red", "orange", "yellow", "green", "blue", "purple", "white", "black", "large", "small", "round", "square"]


def rows(num=80, seed=0):
    """Every second caption is a reference; those say so in `logprob`."""
    draw, found = np.random.default_rng(seed), []
    for item in range(num):
        first, second, third, other = draw.choice(WORDS, 4, replace=False)
        told = f"a {first} {second} picture of a {third} thing"
        said = told if item % 2 else f"a {other} dog"
        known = {"logprob": float(draw.normal(1.0 if item % 2 else -1.0)), "tokens": float(draw.normal(9))}
        found.append({"key": str(item), "caption": said, "references": [told], "known": known})
    return found


def test_figures_by_hand():
    """Good captions have CIDEr above 1, others below. Said at 0.8 and 0.2: each bin is 0.2 away."""
    cider = ciders(rows(20))
    sure = judged([0.8 if i % 2 else 0.2 for i in range(20)], cider, cider=1.0)
    figures = sure.rates.figures
    assert figures["acceptable"] == 0.5 and figures["confidence_ece"] == pytest.approx(0.2)
    assert figures["cider_surer_half"] == pytest.approx(np.mean(cider[1::2]))
    assert figures["surer_half_gain"] == pytest.approx(np.mean(cider[1::2]) / np.mean(cider) - 1)
    assert sure.chance["cider_surer_half"] == pytest.approx(np.mean(cider))
    low, high = sure.rates.intervals()["surer_half_gain"]
    assert low <= figures["surer_half_gain"] <= high


def test_the_curve():
    table = judged([0.8 if i % 2 else 0.2 for i in range(20)], ciders(rows(20)), cider=1.0).reliability
    assert [row["num"] for row in table] == [2.0] * 10
    assert [round(row["right"], 6) for row in table] == [0.0] * 5 + [1.0] * 5


def test_confidence_is_fitted_on_an_evaluation():
    """Two normal distributions two standard deviations apart: the surer half is at least 0.75 good, by chance 0.5."""
    found = Evaluation(figures={}, rows=rows(200))
    confidence = calibrate(eight.model(), found, Beam())
    assert confidence.written == {"use": "beam"} and confidence.num == 200 and confidence.weight["logprob"] > 1
    assert found.figures == confidence.figures and found.figures["confidence_ece"] < 0.1
    assert all("known" not in row and 0 <= row["confidence"] <= 1 for row in found.rows)
    right = [row["confidence"] for row in found.rows[1::2]], [row["confidence"] for row in found.rows[::2]]
    assert np.mean(right[0]) > 0.65 > 0.35 > np.mean(right[1])
    assert len(found.tables["reliability"]) == 10 and "confidence_ece" in found.intervals


def test_an_evaluation_says_how_sure_a_calibrated_model_is():
    model = eight.model()
    plain = evaluate(model, batches(model), method=Beam())
    assert "confidence_ece" not in plain.figures and "confidence" not in plain.rows[0] and not plain.tables
    model.confidence = eight.confidence({"tokens": 1.0}, bias=-8.0)
    try:
        found = evaluate(model, batches(model), method=Beam())
        other = evaluate(model, batches(model), method=Beam(beams=2))
    finally:
        model.confidence = None
    asked = {row["key"]: row["confidence"] for row in found.rows}
    assert found.figures["confidence_ece"] >= 0 and len(asked) == 8 and "reliability" in found.tables
    assert "confidence" not in other.rows[0], "it was fitted for five beams"


def test_as_many_rows_as_it_says_are_enough():
    assert calibrate(eight.model(), Evaluation(figures={}, rows=rows(40)), Beam()).num == 40
    with pytest.raises(DataError, match="39 captions with references are too few to fit a confidence on; it takes 40"):
        calibrate(eight.model(), Evaluation(figures={}, rows=rows(39)), Beam())


def test_too_few_rows_to_fit_on():
    model = eight.model()
    found = evaluate(model, batches(model), method=Beam(), unsure=True)
    assert found.rows[0]["known"].keys() == {"logprob", "tokens", "gain", "match"}
    with pytest.raises(DataError, match="8 captions with references are too few to fit a confidence on"):
        calibrate(model, found, Beam())
    with pytest.raises(DataError, match="0 captions with references are too few"):
        calibrate(model, Evaluation(figures={}), Beam())
