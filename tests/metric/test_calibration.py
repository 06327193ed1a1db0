import numpy as np
import pytest

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric.calibration import Config, curve, equal_mass, error


def judged(probability, right, **fields):
    metric = Config(**fields).build()
    metric.update(np.asarray(probability, float), np.asarray(right, bool))
    return metric


def test_a_hand_worked_set():
    # bins (0, 1/2] and (1/2, 1]: 0.5 is right (gap 0.5); 0.9 and 0.7 are right once (mean 0.8 against 0.5, gap 0.3)
    # (1 * 0.5 + 2 * 0.3) / 3
    metric = judged([0.5, 0.9, 0.7], [True, True, False], bins=2)
    assert metric.result()["ece"] == pytest.approx(1.1 / 3)
    assert metric.table() == [
        {"num": 1, "probability": 0.5, "right": 1.0},
        {"num": 2, "probability": pytest.approx(0.8), "right": 0.5},
    ]


def test_edges_belong_to_the_bin_below():
    assert judged([0.0, 1 / 4, 1 / 2, 1.0], [0, 0, 0, 1], bins=4).table() == [
        {"num": 2, "probability": 1 / 8, "right": 0.0},
        {"num": 1, "probability": 1 / 2, "right": 0.0},
        {"num": 1, "probability": 1.0, "right": 1.0},
    ]


def test_honest_probabilities_have_nearly_no_error_and_boasting_ones_do():
    draw = np.random.default_rng(0)
    sure = draw.random(20_000)
    right = draw.random(20_000) < sure
    assert judged(sure, right).result()["ece"] < 0.02
    assert judged(np.sqrt(sure), right).result()["ece"] == pytest.approx(2 / 3 - 1 / 2, abs=0.02)
    assert judged(np.ones(4), np.ones(4)).result()["ece"] == 0


def test_one_bin_compares_the_means():
    draw = np.random.default_rng(1)
    sure, right = draw.random(50), draw.random(50) < 0.5
    assert judged(sure, right, bins=1).result()["ece"] == pytest.approx(abs(sure.mean() - right.mean()))


def test_batches_and_order_change_nothing():
    draw = np.random.default_rng(2)
    sure, right = draw.random(50), draw.random(50) < 0.5
    parts = judged(sure[::-1][:20], right[::-1][:20])
    parts.update(sure[::-1][20:], right[::-1][20:])
    assert parts.result()["ece"] == pytest.approx(judged(sure, right).result()["ece"])


def test_mistakes_are_named():
    with pytest.raises(ShapeError, match=r"probabilities have shape \(2,\) and what is right \(3,\); give \(N,\)"):
        judged([0, 1], [0, 1, 1])
    with pytest.raises(DataError, match="probability 1 is 1.5; give numbers from 0 to 1"):
        judged([0.5, 1.5], [0, 1])
    with pytest.raises(ConfigError, match="bins is 0; give at least 1, as in bins=15"):
        Config(bins=0).build()
    with pytest.raises(DataError, match=r"no probabilities to judge; call update\(probabilities, right\)"):
        Config().build().result()


def test_equal_mass_by_hand():
    """Sorted 0.1, 0.3, 0.5, 0.9 and right 0, 0, 1, 1: bins (0.2 sure, 0 right) and (0.7 sure, 1 right): 0.25."""
    sure, right = np.array([0.9, 0.1, 0.5, 0.3]), np.array([1, 0, 1, 0])
    sums = equal_mass(sure, right, np.ones(4), 2)
    assert error(sums) == pytest.approx((0.2 + 0.3) / 2)
    assert curve(sums) == [
        {"num": 2.0, "probability": pytest.approx(0.2), "right": 0.0},
        {"num": 2.0, "probability": pytest.approx(0.7), "right": 1.0},
    ]


def test_a_case_on_the_edge_counts_in_both_bins():
    """Three cases in two bins: 1.5 each."""
    assert equal_mass(np.array([0.0, 0.5, 1.0]), np.array([0, 0, 1]), np.ones(3), 2)[0].tolist() == [1.5, 1.5]


def test_weights_are_copies():
    draw = np.random.default_rng(0)
    sure, right, times = draw.random(40), draw.random(40) < 0.5, draw.integers(0, 4, 40)
    copies = equal_mass(np.repeat(sure, times), np.repeat(right, times), np.ones(times.sum()), 5)
    assert equal_mass(sure, right, times, 5) == pytest.approx(copies)
