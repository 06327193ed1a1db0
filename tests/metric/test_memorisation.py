"""Memorisation: by hand, a generator that copies, one that does not, and real pictures themselves."""

import numpy as np
import pytest

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric import memorisation

KNOWN, NEW = np.random.default_rng(0).normal(size=(2, 400, 6))


@pytest.fixture
def random():
    return np.random.default_rng(1)


def judged(drawn, real=NEW, known=KNOWN, **fields):
    metric = memorisation.Config(**fields).build()
    metric.update(real, drawn, known)
    return metric.result()


def test_by_hand():
    """The real ones are 1, 2, 3 and 4 away from the nearest of the training pictures 0 and 100. Of the drawn ones, 0.5 is nearer
    than all, 98 as near as the second (1.5 of 4 are nearer), 50 further than all: with half of the real ones counting, 2 of 3."""
    known, real = np.array([[0.0], [100.0]]), np.array([[1.0], [-2.0], [97.0], [104.0]])
    drawn = np.array([[0.5], [98.0], [50.0]])
    assert memorisation.nearest(drawn, known)[0].tolist() == [0.5, 2, 50]
    assert memorisation.nearest(drawn, known)[1].tolist() == [0, 1, 0]
    assert judged(drawn, real, known, level=0.5) == {"memorised": pytest.approx(2 / 3), "memorised_real": 0.5}


def test_copies_and_new_ones(random):
    assert judged(KNOWN[:50])["memorised"] == 1
    assert judged(random.normal(size=(400, 6)))["memorised"] == pytest.approx(0.05, abs=0.04)
    assert judged(NEW + 9)["memorised"] == 0
    some = np.concatenate([KNOWN[:40], random.normal(size=(360, 6))])
    assert judged(some)["memorised"] == pytest.approx(0.1 + 0.05 * 0.9, abs=0.04)


def test_real_ones_are_a_twentieth():
    assert judged(NEW)["memorised_real"] == 0.05
    assert judged(KNOWN, known=np.zeros((1, 6)), real=np.ones((20, 6)))["memorised_real"] == 0, "all tied: none is near"


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="level is 1; it lies between 0 and 1, as in level=0.05"):
        memorisation.Config(level=1).build()
    with pytest.raises(DataError, match="0 real pictures are too few to compare; give at least 1"):
        judged(NEW, known=np.zeros((0, 6)))
    with pytest.raises(ShapeError, match="give \\(pictures, width\\)"):
        judged(np.zeros((4, 2)))
