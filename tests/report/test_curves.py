"""Line charts: where points lie, what is left out, and the curves of a log."""

import json
import math

import pytest
from tests.report._read import Page

from tuwen.report.curves import BOTTOM, HEIGHT, LEFT, POINTS, RIGHT, TOP, WIDTH, Line, chart, ticks, training_curves


def points(drawn):
    return [[float(n) for n in p.split(",")] for p in Page(drawn).named("polyline")[0]["points"].split()]


def test_corners():
    """On square axes (0, 0) is the lower left corner of the plot and (1, 1) the upper right one."""
    drawn = chart("t", [Line(name="a", points=[(0, 0), (1, 1)])], square=True)
    assert points(drawn) == [[LEFT, HEIGHT - BOTTOM], [WIDTH - RIGHT, TOP]]
    assert not Page(drawn).wrong


def test_higher_values_lie_higher():
    first, second = points(chart("t", [Line(name="a", points=[(1, 2.0), (5, 3.0)])]))
    assert first[0] < second[0] and first[1] > second[1]


def test_what_is_read_aloud():
    drawn = chart("loss", [Line(name="training", points=[(0, 4.0), (9, 0.5)], dots=True)], level=2.0)
    read = Page(drawn)
    assert read.named("svg")[0]["aria-label"] == "loss: training from 4 to 0.5" and "chance 2" in read.text
    assert len(read.named("circle")) == 2


def test_points_that_are_no_numbers_are_left_out():
    assert len(points(chart("t", [Line(name="a", points=[(0, 1), (1, math.nan), (2, math.inf), (3, 2)])]))) == 2
    assert chart("t", [Line(name="a", points=[(0, math.nan)])]) == "" == chart("t", [])


def test_many_points_become_means():
    """10,000 points in groups of 34: the first is the mean of 0 .. 33."""
    many = [(i, float(i)) for i in range(10_000)]
    drawn = chart("t", [Line(name="a", points=many)])
    assert len(points(drawn)) == math.ceil(10_000 / math.ceil(10_000 / POINTS))
    assert "from 16.5 to" in Page(drawn).named("svg")[0]["aria-label"]


def test_one_point_and_a_flat_line():
    for line in ([(3, 1.0)], [(0, 0.0), (1, 0.0)]):
        assert all(0 <= y <= HEIGHT for _, y in points(chart("t", [Line(name="a", points=line)])))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 8), (1e-6, 2e-6), (0, 123456), (5, 5)])
def test_ticks(low, high):
    found = ticks(low, high)
    assert 1 <= len(found) <= 6 and all(low - 1e-9 <= one <= high + 1e-9 for one in found)


def test_training_curves(tmp_path):
    log = tmp_path / "log.jsonl"
    step = {"kind": "step", "steps": 2, "lr": 0.1, "rows_per_s": 9.0, "left_s": 0, "memory_mb": 1, "time_s": 3}
    events = [
        {"kind": "estimate"},
        {**step, "step": 1, "loss": 2.0, "caption": 1.5, "contrastive": 1.0},
        {"kind": "evaluation", "step": 1, "figures": {"loss": 1.8, "cider": 0.1, "num_captions": 4.0}, "samples": []},
        {**step, "step": 2, "loss": 1.0, "caption": 0.5, "contrastive": 1.0},
        {"kind": "evaluation", "step": 2, "figures": {"loss": 1.2, "cider": 0.4}, "samples": []},
    ]
    log.write_text("\n".join(map(json.dumps, events)) + '\n{"kind": "st')
    read = Page(training_curves(log, {"cider": 0.2}))
    labels = [one["aria-label"] for one in read.named("svg")]
    assert labels == [
        "loss: training from 2 to 1; validation from 1.8 to 1.2",
        "caption: training from 1.5 to 0.5",
        "contrastive: training from 1 to 1",
        "learning rate: training from 0.1 to 0.1",
        "cider: validation from 0.1 to 0.4",
    ]
    assert "chance 0.2" in read.text and not read.wrong


def test_no_log(tmp_path):
    assert training_curves(tmp_path / "none.jsonl") == ""


def test_a_single_term_is_shown_once(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"kind": "step", "step": 1, "loss": 2.0, "caption": 2.0, "lr": 0.1}\n')
    assert len(Page(training_curves(log)).named("svg")) == 2
