import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, top_k_accuracy_score

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric import accuracy


def judged(scores, labels, **fields):
    metric = accuracy.Config(**fields).build()
    metric.update(np.asarray(scores, float), np.asarray(labels))
    return metric


def test_a_hand_worked_set():
    # class 0: right, right, wrong (second); class 1: right. 3 of 4; recalls 2/3 and 1: balanced 5/6
    result = judged([[5, 1, 0], [9, 0, 1], [1, 0, 2], [0, 3, 1]], [0, 0, 0, 1], ks=(2,)).result()
    assert result == pytest.approx({"accuracy": 3 / 4, "accuracy_top2": 1.0, "balanced_accuracy": 5 / 6})


def test_scikit_learn_agrees():
    draw = np.random.default_rng(0)
    scores, labels = draw.normal(size=(300, 9)), draw.integers(0, 9, 300)
    scores[np.arange(300), labels] += 1
    result = judged(scores, labels).result()
    assert result["accuracy"] == pytest.approx(accuracy_score(labels, scores.argmax(1)))
    assert result["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, scores.argmax(1)))
    assert result["accuracy_top5"] == pytest.approx(top_k_accuracy_score(labels, scores, k=5))


def test_the_same_score_for_all_gives_chance():
    result = judged(np.zeros((60, 20)), np.arange(60) % 20).result()
    assert result == pytest.approx({"accuracy": 1 / 20, "accuracy_top5": 5 / 20, "balanced_accuracy": 1 / 20})


def test_batches_and_the_order_of_classes_change_nothing():
    draw = np.random.default_rng(1)
    scores, labels, order = draw.normal(size=(40, 6)), draw.integers(0, 6, 40), draw.permutation(6)
    whole, parts = judged(scores, labels), judged(scores[:7], labels[:7])
    parts.update(scores[7:], labels[7:])
    turned = judged(scores[:, order], np.argsort(order)[labels])
    assert whole.result() == parts.result() == turned.result()
    assert np.mean(whole.per_item()["accuracy_top5"]) == whole.result()["accuracy_top5"]


def test_mistakes_are_named():
    with pytest.raises(ShapeError, match=r"scores have shape \(2, 3\) and labels \(3,\); give \(rows, classes\)"):
        judged(np.zeros((2, 3)), [0, 1, 2])
    with pytest.raises(DataError, match="row 1 has class 3; classes are 0 to 2"):
        judged(np.zeros((2, 3)), [0, 3])
    with pytest.raises(DataError, match=r"row 0 has a score that is not a number \(nan\)"):
        judged([[np.nan, 0]], [0])
    with pytest.raises(ConfigError, match=r"ks is \(0,\); give counts of at least 1"):
        accuracy.Config(ks=(0,)).build()
    with pytest.raises(DataError, match=r"no rows to judge; call update\(scores, labels\)"):
        accuracy.Config().build().result()
