"""Warnings: each is given where it should be, and none where all is well."""

import math

import pytest

from tuwen.diagnose import collapsed, warnings_of

GOOD = {
    "loss": 2.0, "contrastive": 1.0, "contrastive_chance": 4.0, "shuffled_gap": 0.8, "distinct_captions": 0.6,
    "commonest_share": 0.05, "num_captions": 500.0, "cider": 0.7,
}  # fmt: skip


def test_all_is_well():
    assert warnings_of(GOOD, 32) == [] == warnings_of({}, 32)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"commonest_share": 0.93, "distinct_captions": 0.01}, "the same sentence is said of 93% of the pictures"),
        ({"distinct_captions": 0.04}, "only 4% of the captions are distinct"),
        ({"shuffled_gap": 0.001}, "does not look at the pictures yet: a wrong picture costs +0.001 nats per token"),
        ({"shuffled_gap": -0.5}, "does not look at the pictures yet"),
        ({"contrastive": 3.99}, "matching has learned nothing yet: the contrastive loss is 3.99, guessing gives 4.00"),
        ({"loss": math.nan}, "not a number: loss; try a smaller train.lr"),
    ],
)
def test_one_thing_is_wrong(figures, words):
    [warning] = warnings_of(GOOD | figures, 32)
    assert words in warning and "\n" not in warning


def test_few_rows_say_nothing_of_variety():
    assert warnings_of(GOOD | {"num_captions": 5.0, "commonest_share": 1.0, "distinct_captions": 0.2}, 32) == []


def test_ln_batch_where_chance_is_not_said():
    figures = {"contrastive": 3.4}
    assert "guessing gives 3.47" in warnings_of(figures, 32)[0]
    assert warnings_of(figures, 64) == []


def test_one_class_for_all():
    assert warnings_of({"commonest_named": 0.97, "accuracy": 0.4}, 64) == [
        "one class is named for 97% of the pictures; train longer, or let rare classes weigh as much as common ones: "
        "objective.classification.balanced=true"
    ]
    assert warnings_of({"commonest_named": 0.97, "accuracy": 0.96}, 64) == [], "the rows are like that"
    assert warnings_of({"commonest_named": 0.5, "accuracy": 0.4}, 64) == []


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (
            {"drawn_spread": 0.12},
            "collapse: pictures drawn of different texts with different noise are 12% as far apart",
        ),
        ({"text_spread": 0.04}, "collapse: pictures drawn of different texts with the same noise are 4% as far apart"),
        ({"noise_spread": 0.08}, "collapse: pictures drawn of one text with different noise are 8% as far apart"),
    ],
)
def test_collapse(figures, words):
    well = {"drawn_spread": 0.9, "text_spread": 0.7, "noise_spread": 0.8, "critic_right": 0.7}
    assert warnings_of(GOOD | well, 32) == [] and collapsed(well) == "" == collapsed(GOOD)
    [warning] = warnings_of(GOOD | well | figures, 32)
    assert warning.startswith(words) and "try a smaller objective.adversarial.lr" in warning
    assert collapsed(well | figures) == warning


def test_a_critic_that_wins():
    [warning] = warnings_of({"critic_right": 0.99}, 32)
    assert warning.startswith("the critic tells 99% of the pictures apart, real and drawn")
