"""Classes by their texts: 8 of 8, chance, and rows that cannot be judged so."""

import pytest
from tests import eight
from tests.test_evaluation import batches

from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.judge import zero_shot
from tuwen.types import Sample


def judged(change=lambda label: label):
    rows = [Sample(s.key, {**s.fields, "label": change(s.fields["label"])}, "train") for s in eight.samples()]
    model = eight.model(captions=False)
    return evaluate(model, batches(model, rows, size=3), method=Greedy(), bootstrap=True)


def test_it_names_the_pictures():
    """By chance one of eight."""
    found = judged(lambda label: f"{label} picture")
    assert found.figures["zero_shot_accuracy"] >= 7 / 8
    assert found.chance["zero_shot_accuracy"] == pytest.approx(1 / 8)
    assert found.intervals["zero_shot_accuracy"][1] == 1
    assert found.rows[0]["label"] == found.rows[0]["zero_shot_named"] == "red picture"


def test_shuffled_labels_are_at_chance():
    turned = dict(zip(eight.COLOURS, [*list(eight.COLOURS)[1:], "red"], strict=True))
    assert judged(lambda label: f"{turned[label]} picture").figures["zero_shot_accuracy"] <= 1 / 8


def test_rows_without_a_label_or_with_several_are_left_out():
    found = judged(lambda label: {"red": None, "blue": ["blue", "sky"]}.get(label, label))
    assert found.chance["zero_shot_accuracy"] == pytest.approx(1 / 6) and len(found.rows) == 6


@pytest.mark.parametrize("label", [None, "picture"])
def test_fewer_than_two_classes_give_no_figure(label):
    assert not any(name.startswith("zero_shot") for name in judged(lambda _: label).figures)


def test_who_is_judged():
    assert zero_shot.able(eight.model()) and not zero_shot.able(eight.classifier())
