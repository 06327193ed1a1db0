"""Two systems on the same rows."""

import json

import numpy as np
import pytest

from tuwen.command._beside import against_captions, beside, read_captions
from tuwen.command._extra import Extra
from tuwen.errors import DataError
from tuwen.evaluation import Evaluation
from tuwen.judge._rates import Rates, Weighted, mean_rates, paired

DRAW = np.random.default_rng(0)
HARD = DRAW.normal(size=400)
"""How easy each row is, for both systems."""
BETTER, WORSE = HARD + DRAW.normal(0.1, 0.2, 400), HARD + DRAW.normal(0.0, 0.2, 400)


def test_what_both_find_hard_does_not_hide_a_difference():
    """Each mean lies within 0.1 of itself; the difference of 0.1 has a standard error of 0.28 / 20 = 0.014."""
    ours, theirs = mean_rates({"score": BETTER}), mean_rates({"score": WORSE})
    low, high = paired(ours, theirs).intervals()["score"]
    assert 0 < low < BETTER.mean() - WORSE.mean() < high and high - low == pytest.approx(4 * 0.014, rel=0.2)
    apart = ours.intervals()["score"][1] - theirs.intervals()["score"][0]
    assert apart > 0 and ours.intervals()["score"][0] < theirs.intervals()["score"][1], "alone they overlap"


def test_against_itself_there_is_none():
    rates = mean_rates({"score": BETTER})
    assert paired(rates, rates).intervals()["score"] == (0.0, 0.0)


def test_is_that_of_the_bootstrap_of_metrics():
    from tuwen.metric._bootstrap import difference

    peer = difference(BETTER, WORSE)
    pair = paired(mean_rates({"score": BETTER}), mean_rates({"score": WORSE}))
    assert pair.figures["score"] == pytest.approx(peer.mean)
    assert pair.intervals()["score"] == pytest.approx((peer.low, peer.high), abs=0.005)


def test_rankings_and_sums_are_compared_alike():
    weighted = Weighted(num_rows=400, of=lambda times_N: {"score": float(np.average(WORSE, weights=times_N))})
    ours = mean_rates({"score": BETTER})
    summed = paired(ours, mean_rates({"score": WORSE})).intervals()["score"]
    assert paired(ours, weighted).intervals()["score"] == pytest.approx(summed)


def test_nothing_in_common():
    assert paired(mean_rates({"a": BETTER}), mean_rates({"b": BETTER})) is None
    assert paired(mean_rates({"a": BETTER}), mean_rates({"a": BETTER[:5]})) is None
    assert paired(Rates(more={"a": 1.0}), Rates(more={"a": 2.0})) is None
    assert beside("other", [Rates(more={"a": 1.0})], [Rates(more={"a": 2.0})]).figures == {"a": 2.0}


def evaluation():
    rows = [{"key": str(i), "caption": f"a dog {i}", "references": [f"a dog {i} runs", "x"]} for i in range(6)]
    return Evaluation(figures={}, rows=rows, num_rows=6)


def write(path, value):
    path.write_text(json.dumps(value))
    return str(path)


def test_captions_of_a_report_and_of_results(tmp_path):
    report = write(
        tmp_path / "r.json", {"figures": {}, "rows": [{"key": str(i), "caption": "a cow"} for i in range(7)]}
    )
    results = write(tmp_path / "c.json", [{"image_id": i, "caption": "a cow"} for i in range(7)])
    assert read_captions(report) == read_captions(results) == {str(i): "a cow" for i in range(7)}
    found = against_captions(report, evaluation(), Extra(names=("diversity",)), {})
    assert found.name == report and found.figures["distinct_captions"] == pytest.approx(1 / 6)
    assert found.differences["rouge_l"] > 0.2 and found.intervals["rouge_l"][0] > 0
    assert (
        found.differences.keys()
        == found.intervals.keys()
        == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"}
    )


def test_other_rows_are_refused(tmp_path):
    results = write(tmp_path / "c.json", [{"image_id": i, "caption": "a cow"} for i in range(1, 5)])
    with pytest.raises(
        DataError, match=r"has no caption for 2 of 6 rows, such as 0, 5; a comparison takes the same rows"
    ):
        against_captions(results, evaluation(), Extra(), {})
    with pytest.raises(DataError, match="nowhere.json cannot be read"):
        against_captions(str(tmp_path / "nowhere.json"), evaluation(), Extra(), {})
