"""What a run costs."""

from dataclasses import replace

from tuwen.recipe import Train
from tuwen.train.cost import fitting, paced

TRAIN = Train(time_limit_s=100.0, evaluations=12)


def test_steps_and_looks_fit_into_the_limit():
    steps, looks, left_s = fitting(TRAIN, 20, [1.0] * 20, 1.0)
    assert looks == 10  # a tenth of the limit
    assert left_s == 100 - 20 - 11
    assert steps == 20 + int(left_s * 0.97)


def test_all_looks_are_counted():
    """One before the first step where the run begins with a model, and one at the mean of the best."""
    more = replace(TRAIN, start_from="model", average_best=3)
    assert fitting(TRAIN, 20, [1.0] * 20, 1.0)[2] - fitting(more, 20, [1.0] * 20, 1.0)[2] == 2


def test_what_went_before_the_first_step_is_counted():
    assert fitting(TRAIN, 20, [1.0] * 20, 1.0)[2] - fitting(TRAIN, 20, [1.0] * 20, 1.0, 25.0)[2] == 25.0


def test_no_more_steps_than_were_asked_for():
    assert fitting(replace(TRAIN, steps=30), 20, [1.0] * 20, 1.0)[0] == 30


def test_three_looks_are_taken_whatever_they_cost():
    steps, looks, left_s = fitting(TRAIN, 20, [1.0] * 20, 50.0)
    assert (steps, looks) == (21, 3) and left_s < 0


def test_a_plan_follows_the_pace():
    assert paced(TRAIN, 100, 200, 0.5, 50.0) == 200
    assert paced(TRAIN, 100, 200, 0.51, 50.0) == 200  # two steps of a hundred too many
    assert paced(TRAIN, 100, 200, 0.625, 50.0) == 180
    assert paced(TRAIN, 100, 200, 0.4, 50.0) == 225
    assert paced(replace(TRAIN, steps=210), 100, 200, 0.4, 50.0) == 210
    assert paced(TRAIN, 100, 200, 0.5, -1.0) == 100
