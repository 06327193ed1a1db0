"""Precision and recall by nearest neighbours: on a line by hand, apart, alike, and by plain loops."""

import numpy as np
import pytest

from tuwen.errors import ConfigError, DataError
from tuwen.metric import _features, sample_precision


@pytest.fixture
def random():
    return np.random.default_rng(0)


def judged(real, drawn, k=1):
    metric = sample_precision.Config(k=k).build()
    metric.update(np.asarray(real, float), np.asarray(drawn, float))
    return metric.result()


def line(*places):
    return np.array(places, float)[:, None]


def test_by_hand():
    """Balls of the real 0, 1, 5 reach 1, 1, 4; those of the drawn 2, 3, 20 reach 1, 1, 17. 2 lies in the balls of 1 and of 5, 3 in
    that of 5 (with its edge 1), 20 in none: precision 2/3, density 3/3. 1 lies in the ball of 2, 5 in that of 20: recall 2/3.
    1 and 5 have a drawn one in their balls: coverage 2/3."""
    found = judged(line(0, 1, 5), line(2, 3, 20))
    assert found == pytest.approx(
        {"sample_precision": 2 / 3, "sample_recall": 2 / 3, "sample_density": 1.0, "sample_coverage": 2 / 3}
    )


def test_apart_and_alike(random):
    real = random.normal(size=(40, 3))
    assert set(judged(real, real + 100).values()) == {0.0}
    alike = judged(real, real[::-1], k=3)
    assert alike["sample_precision"] == alike["sample_recall"] == alike["sample_coverage"] == 1


def test_one_picture_only_is_precise_and_recalls_little(random):
    """All drawn ones near one real one: nearly each lies in its ball, and their own balls hold hardly any."""
    real = random.normal(size=(60, 2))
    found = judged(real, real[0] + 1e-3 * random.normal(size=(60, 2)), k=3)
    assert found["sample_precision"] == 1 and found["sample_recall"] <= 1 / 60 and found["sample_coverage"] < 0.3
    turned = judged(real[0] + 1e-3 * random.normal(size=(60, 2)), real, k=3)
    assert turned["sample_precision"] <= 1 / 60 and turned["sample_recall"] == 1, "the other way round"


def test_an_outlier_with_a_wide_ball(random):
    """One real picture far away has a ball that holds the drawn ones too: precise by it alone, and of little density."""
    real = np.concatenate([random.normal(size=(99, 2)), [[60.0, 0.0]]])
    found = judged(real, random.normal(size=(100, 2)) + np.array([20, 0]), k=3)
    assert found["sample_precision"] == 1 and found["sample_density"] < 0.4


def test_by_plain_loops(monkeypatch, random):
    monkeypatch.setattr(_features, "_BLOCK", 100)  # several blocks
    real, drawn, k = random.normal(size=(30, 4)), random.normal(size=(20, 4)) * 0.7, 3

    def reach(points):
        return [sorted(np.linalg.norm(points - one, axis=1))[k] for one in points]  # the first is itself

    far = [[np.linalg.norm(one - other) for other in drawn] for one in real]
    inside = np.array([[far[i][j] <= reach(real)[i] for j in range(20)] for i in range(30)])
    recalled = [any(far[i][j] <= reach(drawn)[j] for j in range(20)) for i in range(30)]
    assert judged(real, drawn, k) == pytest.approx(
        {
            "sample_precision": inside.any(0).mean(),
            "sample_recall": np.mean(recalled),
            "sample_density": inside.sum() / (k * 20),
            "sample_coverage": inside.any(1).mean(),
        }
    )


def test_mistakes_are_named():
    with pytest.raises(DataError, match="3 real pictures are too few to compare; give at least 4"):
        judged(np.zeros((3, 1)), np.zeros((9, 1)), k=3)
    with pytest.raises(ConfigError, match="k is 0; give at least 1, as in k=3"):
        sample_precision.Config(k=0).build()
