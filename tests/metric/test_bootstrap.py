import numpy as np
import pytest

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric import _bootstrap
from tuwen.metric._bootstrap import difference, interval


def test_is_as_wide_as_theory_says():
    # 400 values 0 and 1 in equal parts: the mean errs by 0.5 / sqrt(400) = 0.025, so 0.5 +- 1.96 * 0.025
    found = interval([0.0, 1.0] * 200, draws=4000)
    assert found.mean == 0.5
    assert found.low == pytest.approx(0.5 - 0.049, abs=0.006) and found.high == pytest.approx(0.5 + 0.049, abs=0.006)


def test_values_that_do_not_differ_leave_no_doubt():
    assert interval([0.3] * 9) == _bootstrap.Interval(
        mean=pytest.approx(0.3), low=pytest.approx(0.3), high=pytest.approx(0.3)
    )


def test_same_seed_same_interval_and_blocks_do_not_matter_much(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    assert interval(values, seed=3) == interval(values, seed=3) != interval(values, seed=4)
    whole = interval(values)
    monkeypatch.setattr(_bootstrap, "_BLOCK", 1000)
    assert interval(values).low == pytest.approx(whole.low, abs=0.1)


def test_pairing_sees_a_small_steady_gain_that_two_intervals_miss():
    draw = np.random.default_rng(0)
    easy = draw.normal(size=100)
    better, worse = easy + 0.1 + 0.01 * draw.normal(size=100), easy
    gain = difference(better, worse)
    assert gain.excludes_zero and gain.mean == pytest.approx(0.1, abs=0.01)
    assert interval(better).low < interval(worse).high, "apart, the intervals overlap"


def test_swapping_the_systems_turns_the_sign():
    first, second = np.arange(20.0), np.arange(20.0)[::-1] ** 1.1
    there, back = difference(first, second), difference(second, first)
    assert there.mean == pytest.approx(-back.mean) and there.low == pytest.approx(-back.high)
    assert not difference(first, first).excludes_zero


def test_a_wider_level_gives_a_wider_interval():
    values = np.arange(30.0)
    assert interval(values, level=0.5).low > interval(values, level=0.99).low


def test_mistakes_are_named():
    with pytest.raises(DataError, match="no values to draw from; give one number for each item"):
        interval([])
    with pytest.raises(DataError, match="value 1 is nan; give finite numbers"):
        interval([0.0, float("nan")])
    with pytest.raises(
        ShapeError, match="2 values of one system and 1 of the other; a paired difference takes the same"
    ):
        difference([1.0, 2.0], [1.0])
    with pytest.raises(ConfigError, match=r"level is 95; it lies between 0 and 1, as in level=0.95"):
        interval([1.0], level=95)
    with pytest.raises(ConfigError, match="draws is 0; take at least 1"):
        interval([1.0], draws=0)
