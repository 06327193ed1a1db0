"""Labels judged: numbers by hand, chance, labels that are unknown, and rows with several."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score
from tests import eight
from tests.test_evaluation import batches

from tuwen.evaluation import evaluate
from tuwen.judge import _named, labels
from tuwen.judge._named import Named
from tuwen.types import Sample


def renamed(samples, change):
    return [Sample(s.key, {**s.fields, "label": change(s.fields["label"])}, s.split) for s in samples]


def judged(model, rows, **options):
    return evaluate(model, batches(model, rows, size=3), **options)


def test_a_model_that_knows_the_pictures():
    """By chance one of eight."""
    found = judged(eight.classifier(), eight.samples(), bootstrap=True)
    assert found.figures["accuracy"] == found.figures["f1_macro"] == found.figures["average_precision"] == 1
    assert found.chance["accuracy"] == found.chance["average_precision"] == pytest.approx(1 / 8)
    assert found.intervals["accuracy"] == (1, 1) and "num_unknown" not in found.figures
    assert [row["named"] for row in found.rows] == [row["label"] for row in found.rows] == list(eight.COLOURS)
    assert [row["label"] for row in found.tables["classes"]] == sorted(eight.COLOURS)
    assert np.array_equal(found.tables["confusion"], np.eye(8))


def test_shuffled_labels_are_at_chance():
    turned = dict(zip(eight.COLOURS, [*list(eight.COLOURS)[1:], "red"], strict=True))
    found = judged(eight.classifier(), renamed(eight.samples(), turned.get))
    assert found.figures["accuracy"] == 0 and found.figures["f1_macro"] == 0


def test_unknown_labels_are_left_out_and_counted():
    rows = renamed(eight.samples(), lambda label: {"red": "crimson", "blue": None}.get(label, label))
    found = judged(eight.classifier(), rows)
    assert found.figures["accuracy"] == 1 and found.figures["num_unknown"] == 1
    assert [row["key"] for row in found.rows] == [one.key for one in rows if one.key not in ("red", "blue")]


def test_nothing_but_unknown_labels():
    found = judged(eight.classifier(), renamed(eight.samples(), lambda _: "new"))
    assert found.figures["num_unknown"] == 8 and "accuracy" not in found.figures and found.rows == []


def test_one_label_by_hand():
    # three rows of a, one of b; a is named twice (once of b), b twice (both of a)
    sure = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.6, 0.4]])
    named = Named(sure, np.array([[1, 0], [1, 0], [1, 0], [0, 1]], bool), several=False)
    figures = named.rates().figures
    assert figures["accuracy"] == figures["f1_micro"] == 1 / 4
    assert figures["balanced_accuracy"] == figures["recall_macro"] == pytest.approx((1 / 3 + 0) / 2)
    assert figures["f1_macro"] == pytest.approx((2 * 1 / 5 + 0) / 2)
    # surely 0.9 and right; 0.6 twice and 0.8, wrong: in bins of a 15th each on its own but for the 0.6
    assert figures["ece"] == pytest.approx((0.1 + 0.6 + 0.6 + 0.8) / 4)
    # a: right at places 1, 3 and 4 of .9 .6 .4 .2; b: right at place 3 of .8 .6 .4 .1
    assert figures["average_precision"] == pytest.approx(((1 + 2 / 3 + 3 / 4) / 3 + 1 / 3) / 2)
    assert named.confusion().tolist() == [[1, 2], [1, 0]]
    chance = named.chance()
    assert chance["accuracy"] == 3 / 4 and chance["balanced_accuracy"] == 1 / 2
    assert chance["average_precision"] == pytest.approx((3 / 4 + 1 / 4) / 2)


def test_several_labels_by_hand_and_by_scikit_learn():
    draw = np.random.default_rng(0)
    true, sure = draw.random((50, 4)) < 0.4, draw.random((50, 4))
    named = Named(sure, true, several=True)
    figures = named.rates().figures
    assert figures["accuracy"] == pytest.approx(((sure >= 0.5) == true).all(1).mean())
    assert figures["f1_macro"] == pytest.approx(f1_score(true, sure >= 0.5, average="macro"))
    assert figures["average_precision"] == pytest.approx(average_precision_score(true, sure, average="macro"))
    assert "balanced_accuracy" not in figures and "accuracy_top5" not in figures
    assert named.chance()["average_precision"] == pytest.approx(true.mean())


def test_intervals_hold_the_value_and_shrink_with_rows():
    draw, widths = np.random.default_rng(1), {}
    for num in (40, 800):
        true = np.eye(3, dtype=bool)[draw.integers(0, 3, num)]
        rates = Named(true * 0.3 + draw.dirichlet(np.ones(3), num) * 0.7, true, several=False).rates()
        low, high = rates.intervals()["balanced_accuracy"]
        assert low <= rates.figures["balanced_accuracy"] <= high
        widths[num] = high - low
    assert widths[800] < widths[40] / 2


def test_balanced_accuracy_and_top_5_as_scikit_learn():
    draw = np.random.default_rng(2)
    labels_N, sure = draw.integers(0, 8, 100), draw.dirichlet(np.ones(8), 100)
    figures = Named(sure, np.eye(8, dtype=bool)[labels_N], several=False).rates("x_").figures
    assert figures["x_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels_N, sure.argmax(1)))
    in_top = [label in row.argsort()[-5:] for label, row in zip(labels_N, sure, strict=True)]
    assert figures["x_accuracy_top5"] == pytest.approx(np.mean(in_top))


def test_figures_of_each_class():
    true = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], bool)
    rows = Named(np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]]), true, several=False)
    a, b, c = rows.classes(["a", "b", "c"], bootstrap=True)
    assert (a["label"], a["num"], a["precision"], a["recall"]) == ("a", 2, 1, 1 / 2) and b["recall"] == 1
    assert c["num"] == 0 and c["average_precision"] is None and "intervals" not in c
    assert a["intervals"]["recall"][0] <= 1 / 2 <= a["intervals"]["recall"][1]
    assert "intervals" not in rows.classes(["a", "b", "c"], bootstrap=False)[0]


def test_samples_without_a_rare_class_say_nothing_of_it():
    """One row of class b, named right: of the samples that hold it all do so."""
    true = np.array([[1, 0]] * 6 + [[0, 1]], bool)
    _, b = Named(true * 0.8 + 0.1, true, several=False).classes(["a", "b"], bootstrap=True)
    assert b["num"] == 1 and b["intervals"]["recall"] == b["intervals"]["average_precision"] == (1.0, 1.0)


def test_many_rows_of_many_classes_have_no_interval_of_average_precision(monkeypatch):
    monkeypatch.setattr(_named, "_LARGEST", 5)
    rates = Named(np.full((3, 2), 0.5), np.eye(2, dtype=bool)[[0, 1, 0]], several=False).rates()
    assert "average_precision" in rates.figures and "average_precision" not in rates.intervals()


def test_several_labels_a_row_from_a_model():
    def both(label):
        return [label, "warm" if label in ("red", "orange", "yellow") else "cold"]

    rows = renamed(eight.samples(), both)
    model = eight.classifier(several=True)
    found = judged(model, [*rows, Sample("new", {**rows[0].fields, "label": ["red", "warm", "shiny"]}, "train")])
    assert found.figures["accuracy"] == found.figures["average_precision"] == 1
    assert found.figures["num_unknown"] == 1 and found.rows[0]["label"] == ["red", "warm"]
    assert found.rows[0]["named"].keys() == {"red", "warm"} and "confusion" not in found.tables


def test_values_are_those_of_the_row_they_belong_to():
    """A row without a picture has no latent, and its label does not slip to the next row."""
    rows = eight.samples()
    rows[1] = Sample("none", {**rows[1].fields, "image": None}, "train")
    found = judged(eight.classifier(), rows)
    assert found.figures["accuracy"] == 1 and "none" not in [row["key"] for row in found.rows] and len(found.rows) == 7


def test_who_is_judged():
    assert labels.able(eight.classifier()) and not labels.able(eight.model())
    assert torch.is_grad_enabled()
