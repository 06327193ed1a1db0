"""Figures made of sums over rows: their intervals, and means that come batch by batch."""

import math

import numpy as np
import pytest

from tuwen.judge._rates import Means, Rates, mean_rates


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
