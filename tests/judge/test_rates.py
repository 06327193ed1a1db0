"""Figures made of sums over rows: their intervals, and means that come batch by batch."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tuwen.judge._rates import Jackknifed, Means, Rates, Weighted, beside, mean_rates, of_other_rows, paired

DRAW = np.random.default_rng(0)
HARD = DRAW.normal(size=400)
"""How easy each row is, for both systems."""
BETTER, WORSE = HARD + DRAW.normal(0.1, 0.2, 400), HARD + DRAW.normal(0.0, 0.2, 400)


def test_interval_of_a_mean_is_that_of_theory():
    """Share 0.3 of 400: 0.3 +- 1.96 sqrt(0.3 * 0.7 / 400) = 0.255 to 0.345."""
    hits = np.repeat([1.0, 0.0], [120, 280])
    rates = Rates(rows_NM=np.column_stack([hits, np.ones(400)]), of=lambda sums: {"share": sums[0] / sums[1]}, more={})
    low, high = rates.intervals()["share"]
    assert (low, high) == pytest.approx((0.255, 0.345), abs=0.008)
    assert rates.intervals() == rates.intervals(), "same seed, same interval"


def test_figures_without_rows_have_no_interval():
    assert Rates(more={"x": 2.0}).figures == {"x": 2.0} and Rates(more={"x": 2.0}).intervals() == {}


def test_means_of_rows():
    rates = mean_rates({"mse": np.array([1.0, 2.0, 6.0]), "ssim": np.array([0.5, 0.5, 0.5])})
    assert rates.figures == {"mse": 3.0, "ssim": 0.5}
    low, high = rates.intervals()["mse"]
    assert 1 <= low < 3 < high <= 6


def test_means_weigh_their_batches():
    """(1 * 3 + 5 * 1) / 4 = 2; what is not a number is left out."""
    means = Means()
    for value, weight in ((1.0, 3), (5.0, 1), (math.nan, 2)):
        means.add("x", value, weight)
    assert means.result() == {"x": 2.0}


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


def test_rankings_and_sums_are_compared_alike():
    weighted = Weighted(num_rows=400, of=lambda times_N: {"score": float(np.average(WORSE, weights=times_N))})
    ours = mean_rates({"score": BETTER})
    summed = paired(ours, mean_rates({"score": WORSE})).intervals()["score"]
    assert paired(ours, weighted).intervals()["score"] == pytest.approx(summed)


def test_other_rows_are_not_compared():
    """As many, but not the same: what one of the two could not name was left out."""
    ours, theirs = (replace(mean_rates({"a": BETTER[:2]}), keys=keys) for keys in (("x", "y"), ("x", "z")))
    assert paired(ours, theirs) is None and of_other_rows([ours], [theirs]) == ["a"]
    assert paired(ours, ours) is not None and of_other_rows([ours], [ours]) == []
    assert of_other_rows([ours], [mean_rates({"a": BETTER[:5]}), mean_rates({"b": BETTER[:5]})]) == ["a"]


def test_nothing_in_common():
    assert paired(mean_rates({"a": BETTER}), mean_rates({"b": BETTER})) is None
    assert paired(mean_rates({"a": BETTER}), mean_rates({"a": BETTER[:5]})) is None
    assert paired(Rates(more={"a": 1.0}), Rates(more={"a": 2.0})) is None
    assert beside("other", [Rates(more={"a": 1.0})], [Rates(more={"a": 2.0})]).figures == {"a": 2.0}


def test_the_jackknife_of_a_mean_is_that_of_theory():
    """400 rows of deviation 1: the standard error is 0.05. Over 300 such samples about 95 in 100 intervals hold the truth."""
    held, widths = 0, []
    for seed in range(300):
        rows_N = np.random.default_rng(seed).normal(size=400)
        found = Jackknifed(num_rows=400, of=lambda rows_M, rows_N=rows_N: {"mean": float(rows_N[rows_M].mean())})
        low, high = found.intervals()["mean"]
        assert found.figures["mean"] == pytest.approx((low + high) / 2)
        held, widths = held + (low < 0 < high), [*widths, high - low]
    assert 0.91 < held / 300 < 0.985 and np.mean(widths) == pytest.approx(2 * 2.262 * 0.05, rel=0.06)


def test_jackknifes_of_the_same_rows_are_compared_part_by_part():
    """As for means: what both find hard does not hide a difference; with figures of another kind nothing is compared."""

    def jackknifed(rows_N):
        return Jackknifed(num_rows=400, of=lambda rows_M: {"score": float(rows_N[rows_M].mean())})

    ours, theirs = jackknifed(BETTER), jackknifed(WORSE)
    low, high = paired(ours, theirs).intervals()["score"]
    assert 0 < low < BETTER.mean() - WORSE.mean() < high and high - low < 0.12
    assert beside("other", [ours], [theirs]).intervals == {"score": (low, high)}
    assert paired(ours, mean_rates({"score": WORSE})) is None
    assert paired(ours, Jackknifed(num_rows=9, of=ours.of)) is None


def test_what_real_pictures_reach_is_no_difference():
    ours, theirs = (mean_rates({"recall": scores, "recall_real": HARD}) for scores in (BETTER, WORSE))
    assert beside("other", [ours], [theirs]).differences.keys() == {"recall"}
