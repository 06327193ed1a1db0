"""Kernel distance: by hand, unbiased, and by scikit-learn's kernel."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from tuwen.errors import ConfigError, DataError
from tuwen.metric import kid


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_by_hand():
    """Kernel (x y + 1)^3 of 0 with anything: 1. Of 1 and 2: 27. So 1 + 27 - 2 * 1 = 26; of the same twice 1 + 1 - 2 = 0."""
    assert kid.mmd2(np.zeros((2, 1)), np.array([[1.0], [2.0]])) == 26
    assert kid.mmd2(np.zeros((2, 1)), np.zeros((3, 1))) == 0


def test_scikit_learn_agrees(random):
    real, drawn = random.normal(size=(12, 4)), random.normal(size=(9, 4)) + 1
    within = [polynomial_kernel(of, degree=3, gamma=1 / 4, coef0=1) for of in (real, drawn)]
    off = [kernel[~np.eye(len(kernel), dtype=bool)].mean() for kernel in within]
    across = polynomial_kernel(real, drawn, degree=3, gamma=1 / 4, coef0=1).mean()
    assert kid.mmd2(real, drawn) == pytest.approx(sum(off) - 2 * across)
    assert kid.mmd2(drawn, real) == pytest.approx(kid.mmd2(real, drawn))


def test_of_one_distribution_it_is_0_in_the_mean_however_few_there_are(random):
    """A biased estimate, of subsets of 4 pictures, would be about 4: a picture fits itself by 8 or more, another by 1."""
    found = [kid.kernel_distance(*random.normal(size=(2, 8, 16)), subsets=20).value for _ in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200) < 0.2


def test_a_shift_is_seen_beyond_the_spread(random):
    real, drawn = random.normal(size=(2, 200, 4))
    near, far = kid.kernel_distance(real, drawn), kid.kernel_distance(real, drawn + 0.5)
    assert abs(near.value) < 2 * near.spread and far.value > 3 * far.spread > 0


def test_subsets(random):
    """At most half of the pictures, so that they differ; the same seed gives the same ones."""
    real, drawn = random.normal(size=(2, 6, 3))
    first, again, other = (kid.kernel_distance(real, drawn, seed=seed) for seed in (0, 0, 1))
    assert first == again != other and first.spread > 0
    metric = kid.Config(subsets=3, size=2).build()
    metric.update(real, drawn)
    assert metric.result() == dict(
        zip(("kid", "kid_spread"), kid.kernel_distance(real, drawn, subsets=3, size=2), strict=True)
    )


def test_mistakes_are_named():
    with pytest.raises(DataError, match="2 real pictures are too few to compare; give at least 3"):
        kid.kernel_distance(np.zeros((2, 1)), np.zeros((3, 1)))
    with pytest.raises(ConfigError, match="subsets is 0 and size 1000; give at least 1 and 2"):
        kid.Config(subsets=0).build()
