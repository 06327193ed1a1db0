import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tuwen.errors import DataError, ShapeError
from tuwen.metric.average_precision import Config, Ranking


def judged(scores, true):
    metric = Config().build()
    metric.update(np.asarray(scores, float), np.asarray(true, bool))
    return metric


def test_a_hand_worked_ranking():
    # true, false, true, false from the top: (1/1 + 2/3) / 2 = 5/6; the second class is found last of four: 1/4
    result = judged([[4, 4], [3, 3], [2, 2], [1, 1]], [[1, 0], [0, 0], [1, 0], [0, 1]]).result()
    assert result["average_precision"] == pytest.approx((5 / 6 + 1 / 4) / 2)
    assert result["base_rate"] == pytest.approx((2 / 4 + 1 / 4) / 2)


def test_the_same_score_for_all_gives_the_base_rate():
    draw = np.random.default_rng(0)
    metric = judged(np.zeros((200, 3)), draw.random((200, 3)) < [0.1, 0.3, 0.6])
    assert metric.result()["average_precision"] == pytest.approx(metric.result()["base_rate"])


@pytest.mark.parametrize("ties", [True, False])
def test_scikit_learn_agrees_also_with_weights(ties):
    draw = np.random.default_rng(1)
    scores = draw.integers(0, 8, (150, 4)).astype(float) if ties else draw.normal(size=(150, 4))
    true, times = draw.random((150, 4)) < 0.3, draw.integers(0, 4, 150)
    for weight in (None, times):
        expected = [average_precision_score(true[:, k], scores[:, k], sample_weight=weight) for k in range(4)]
        assert Ranking(scores, true).average_precision_K(weight) == pytest.approx(expected)
    assert judged(scores, true).result()["average_precision"] == pytest.approx(
        average_precision_score(true, scores, average="macro")
    )


def test_a_class_that_no_row_has_is_left_out():
    metric = judged([[1, 1], [0, 0]], [[True, False], [False, False]])
    assert metric.result()["average_precision"] == 1 and np.isnan(metric.per_class()[1])


def test_mistakes_are_named():
    with pytest.raises(ShapeError, match=r"scores have shape \(2, 3\) and labels \(2, 2\); give \(rows, classes\)"):
        judged(np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"row 1 has a score that is not a number"):
        judged([[0], [np.nan]], [[True], [False]])
    with pytest.raises(DataError, match="no row has any class"):
        judged([[0]], [[False]]).result()
    with pytest.raises(DataError, match=r"no rows to judge; call update\(scores, labels\)"):
        Config().build().result()


@pytest.mark.parametrize("kind", [np.uint8, bool, int])
def test_scores_of_any_kind_rank_as_they_are(kind):
    scores, true = np.array([[0], [1], [200]]).astype(kind), np.array([[False], [False], [True]])
    metric = Config().build()
    metric.update(scores, true)
    assert metric.result()["average_precision"] == pytest.approx(0.5 if kind is bool else 1.0)
