"""R-precision: by hand, ties, chance, and texts that several pictures share."""

import numpy as np
import pytest

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric import r_precision


@pytest.fixture
def random():
    return np.random.default_rng(0)


def judged(images, texts, own, **fields):
    metric = r_precision.Config(**fields).build()
    metric.update(images, texts, own)
    return metric.result()["r_precision"]


def test_by_hand():
    """Own scores 1, 0 and 2 against the best others 0, 1 and 2: right, wrong, and one of two that are tied."""
    images = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    texts = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = r_precision.hits(images, texts, np.array([0, 0, 1]))
    assert found.tolist() == [1.0, 0.0, 0.5] and judged(images, texts, [0, 0, 1]) == 0.5


def test_chance(random):
    """A model that says the same of all pairs gets 1 in as many as are compared; so does one that guesses."""
    own = np.arange(300)
    assert judged(np.zeros((300, 4)), np.zeros((300, 4)), own) == pytest.approx(1 / 100)
    guessed = judged(random.normal(size=(300, 4)), random.normal(size=(300, 4)), own, candidates=5)
    assert guessed == pytest.approx(1 / 5, abs=0.08)


def test_fewer_others_are_easier(random):
    images = random.normal(size=(200, 8))
    texts = images + 1.5 * random.normal(size=(200, 8))
    few, many = (judged(images, texts, np.arange(200), candidates=num) for num in (3, 150))
    assert few > many + 0.2 and many > 0.05


def test_texts_that_pictures_share():
    """Three class names for six pictures: each is compared with the other two only."""
    own = np.array([0, 1, 2, 0, 1, 2])
    assert judged(np.eye(3)[own], np.eye(3), own) == 1
    assert judged(np.zeros((6, 3)), np.eye(3), own) == pytest.approx(1 / 3)


def test_the_others_are_never_the_own_one():
    """With two texts the other one is always compared, whichever is the own one."""
    images, texts = np.array([[1.0], [1.0]]), np.array([[1.0], [2.0]])
    assert r_precision.hits(images, texts, np.array([0, 1]), candidates=2).tolist() == [0, 1]


def test_mistakes_are_named():
    with pytest.raises(DataError, match="one text is no choice; give two texts or more"):
        judged(np.eye(2), np.ones((1, 2)), [0, 0])
    with pytest.raises(DataError, match="picture 1 has text 2; give two texts or more, and the number of its own"):
        judged(np.eye(2), np.eye(2), [0, 2])
    with pytest.raises(ShapeError, match=r"pictures have shape \(2, 2\) and texts \(2, 3\)"):
        judged(np.eye(2), np.ones((2, 3)), [0, 1])
    with pytest.raises(ShapeError, match=r"own texts have shape \(1,\) for 2 pictures"):
        judged(np.eye(2), np.eye(2), [0])
    with pytest.raises(ConfigError, match="candidates is 1; give at least 2, as in candidates=100"):
        r_precision.Config(candidates=1).build()
