import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from tuwen.errors import DataError, ShapeError
from tuwen.metric.classification import Config, Pairs


def judged(named, true):
    metric = Config().build()
    metric.update(np.asarray(named, bool), np.asarray(true, bool))
    return metric


def one_hot(labels, num):
    return np.eye(num, dtype=bool)[labels]


def expected(named, true, **options):
    values = precision_recall_fscore_support(true, named, zero_division=0, **options)[:3]
    return dict(zip(("precision", "recall", "f1"), values, strict=True))


def test_a_hand_worked_set():
    # class 0 is named 2 times, once rightly, and true once: precision 1/2, recall 1, F1 2/3; class 1 is true once
    # and never named: 0, 0, 0. Together 1 of 2 named are right, 1 of 2 true are named.
    result = judged([[1, 0], [1, 0]], [[1, 0], [0, 1]]).result()
    assert result == pytest.approx(
        {
            "precision_macro": 1 / 4, "recall_macro": 1 / 2, "f1_macro": 1 / 3,
            "precision_micro": 1 / 2, "recall_micro": 1 / 2, "f1_micro": 1 / 2,
        }
    )  # fmt: skip


def test_scikit_learn_agrees_with_one_label():
    draw = np.random.default_rng(0)
    true, named = draw.integers(0, 6, 200), draw.integers(0, 6, 200)
    metric = judged(one_hot(named, 6), one_hot(true, 6))
    for average in ("macro", "micro"):
        for name, value in expected(named, true, average=average).items():
            assert metric.result()[f"{name}_{average}"] == pytest.approx(value)
    for name, values in expected(named, true, average=None).items():
        assert metric.per_class()[name] == pytest.approx(values)
    assert metric.result()["f1_micro"] == pytest.approx(np.mean(true == named))
    assert (metric.confusion() == confusion_matrix(true, named)).all()


def test_scikit_learn_agrees_with_several_labels_and_weights():
    draw = np.random.default_rng(1)
    true, named, times = draw.random((80, 5)) < 0.4, draw.random((80, 5)) < 0.4, draw.integers(0, 3, 80)
    for weight in (None, times):
        result = Pairs(named, true).counts(weight).result()
        for average in ("macro", "micro"):
            for name, value in expected(named, true, average=average, sample_weight=weight).items():
                assert result[f"{name}_{average}"] == pytest.approx(value)


def test_classes_that_neither_occur_nor_were_named_do_not_count():
    few, many = (judged(one_hot([0, 1, 1], n), one_hot([0, 1, 0], n)).result() for n in (2, 9))
    assert few == many
    assert judged([[0, 0]], [[0, 0]]).result()["f1_macro"] == 0


def test_swapping_named_and_true_swaps_precision_and_recall():
    draw = np.random.default_rng(2)
    named, true = draw.random((30, 4)) < 0.5, draw.random((30, 4)) < 0.5
    there, back = judged(named, true).result(), judged(true, named).result()
    assert there["precision_macro"] == pytest.approx(back["recall_macro"]) and there["f1_macro"] == back["f1_macro"]


def test_mistakes_are_named():
    with pytest.raises(ShapeError, match=r"named classes have shape \(2, 3\) and labels \(2, 2\); give"):
        judged(np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(DataError, match="row 1 has not one true and one named class; a confusion matrix takes one"):
        judged([[1, 0], [1, 1]], [[1, 0], [1, 0]]).confusion()
    with pytest.raises(DataError, match=r"no rows to judge; call update\(named, labels\)"):
        Config().build().result()
