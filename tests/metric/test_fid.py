"""Fréchet distance: normal distributions whose distance is known, few pictures, and the usual way by a root of a matrix."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from tuwen.errors import DataError, ShapeError
from tuwen.metric import fid


@pytest.fixture
def random():
    return np.random.default_rng(0)


def distance(real, drawn):
    metric = fid.Config().build()
    metric.update(np.asarray(real, float), np.asarray(drawn, float))
    return metric.result()


def whitened(num, width, random):
    """(N, D) with mean 0 and the identity as its covariance, exactly."""
    point_ND = random.normal(size=(num, width))
    point_ND -= point_ND.mean(0)
    return point_ND @ np.linalg.inv(np.linalg.cholesky(np.cov(point_ND.T))).T


def test_by_hand():
    """One feature: means 0 and 3, deviations 1 and 2: 3^2 + (2 - 1)^2 = 10."""
    point = np.array([[-1.0], [1.0]]) / np.sqrt(2)
    assert distance(point, 3 + 2 * point) == pytest.approx({"fid": 10.0, "fid_rank": 1})


def test_two_normal_distributions_in_closed_form(random):
    """Commuting covariances diag(1, 4, 9) and diag(4, 4, 1): 1 + (1-2)^2 + 0 + (3-1)^2 = 6."""
    point = whitened(50, 3, random)
    found = distance(point * [1, 2, 3], point[::-1] * [2, 2, 1] + [0, 0, 1])
    assert found == pytest.approx({"fid": 6.0, "fid_rank": 3})


def test_by_a_root_of_the_product(random):
    real, drawn = random.normal(size=(80, 6)) @ random.normal(size=(6, 6)), random.normal(size=(60, 6)) + 0.3
    first, second = np.cov(real.T), np.cov(drawn.T)
    wanted = ((real.mean(0) - drawn.mean(0)) ** 2).sum() + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert distance(real, drawn)["fid"] == pytest.approx(wanted, rel=1e-9)
    assert distance(drawn, real)["fid"] == pytest.approx(wanted, rel=1e-9), "it is symmetric"


def test_the_same_pictures_in_another_order(random):
    point = random.normal(size=(30, 5))
    assert distance(point, point[::-1])["fid"] == pytest.approx(0, abs=1e-12)


def test_fewer_pictures_than_features(random):
    """Rank 4 of 5 pictures; shifted by 1 in each of 64 directions, so 64 where they are the same otherwise."""
    point = random.normal(size=(5, 64))
    assert distance(point, point + 1) == pytest.approx({"fid": 64.0, "fid_rank": 4})
    found = fid.frechet(point, random.normal(size=(5, 64)))
    assert found.value > 0 and (found.rank, found.width) == (4, 64)


def test_it_is_larger_with_fewer_pictures(random):
    """Of one distribution both times: what is found is the error of few pictures alone."""
    few, many = (np.mean([distance(*random.normal(size=(2, num, 8)))["fid"] for _ in range(20)]) for num in (20, 80))
    assert few > 3 * many


def test_mistakes_are_named():
    with pytest.raises(ShapeError, match=r"shape \(4, 3\) and of drawn ones \(4, 2\); give \(pictures, width\)"):
        distance(np.zeros((4, 3)), np.zeros((4, 2)))
    with pytest.raises(DataError, match="1 drawn pictures are too few to compare; give at least 2"):
        distance(np.zeros((4, 3)), np.zeros((1, 3)))
    with pytest.raises(DataError, match="real picture 1 has a feature that is not finite"):
        distance([[0.0], [np.nan]], np.zeros((2, 1)))
    with pytest.raises(DataError, match=r"call update\(real, drawn\) before result\(\)"):
        fid.Config().build().result()
