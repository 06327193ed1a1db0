"""Drawings beside what they describe, with what the judge found."""

from types import SimpleNamespace

import numpy as np
from tests import drawing, eight
from tests.report._read import Page

from tuwen.evaluation import Evaluation
from tuwen.report._look import Look
from tuwen.report.drawings import section, verdict

TEXT = drawing.ROWS[0].fields["text"][0]
GOOD = {"text": TEXT, "exact": True, "right": ["shape: red circle circle"] * 5, "wrong": [], "missing": [], "extra": []}
BAD = {
    **GOOD,
    "exact": False,
    "right": ["a", "b", "c"],
    "wrong": ["place: red circle top left", "size: red circle large"],
}


def test_section():
    rows = [{"key": "red", "drawn": BAD}, {"key": "blue", "drawn": GOOD}, {"key": "gone", "drawn": GOOD}]
    read = Page(section(Look(found=Evaluation(figures={}, rows=rows), samples=drawing.ROWS, model=drawing.model())))
    assert read.text.index("all as it is said, and nothing else") < read.text.index("3 of 5 right"), (
        "the best come first"
    )
    alts = [image["alt"] for image in read.named("img")]
    assert alts[-2:] == [f"Drawn for row red: {TEXT}", "Picture of row red"] and len(alts) == 4 and not read.wrong


def test_a_picture_is_the_one_that_was_judged():
    """What the evaluation drew; where it was only read, the same is drawn again, of its text and seed."""
    black = np.zeros((64, 64, 3), np.uint8)
    asked = []
    model = SimpleNamespace(
        draw=lambda text, seed: asked.append((text, seed)) or SimpleNamespace(pictures=(black,)), encoders={}
    )
    rows = [{"key": "red", "drawn": {**GOOD, "seed": 7}}]
    section(Look(found=Evaluation(figures={}, rows=rows, drawn={"red": black}), samples=drawing.ROWS, model=model))
    assert asked == []
    section(Look(found=Evaluation(figures={}, rows=rows), samples=drawing.ROWS, model=model))
    assert asked == [(TEXT, 7)]


def test_the_table_of_what_is_so():
    line = {"text": "one thing", "num": 4, "exact": 0.25, "shape": 1.0, "relation": None, "nothing_else": 0.5}
    found = Evaluation(figures={}, rows=[{"key": "red", "drawn": GOOD}], tables={"prompt_truth": [line]})
    read = Page(section(Look(found=found, samples=drawing.ROWS, model=drawing.model())))
    assert (
        "texts of texts exact shape relation nothing else one thing 4 25 % 100 % 50 %" in read.text and not read.wrong
    )


def test_verdict():
    assert verdict(BAD) == (
        '<span class="bad">3 of 5 right; wrong: place of the red circle, size of the red circle</span>'
    )
    lost = {**GOOD, "exact": False, "right": [], "missing": ["blue star"], "extra": ["red cross"]}
    assert "0 of 5 right; missing: blue star; not asked for: red cross" in verdict(lost)
    beside = {**GOOD, "exact": False, "wrong": ["relation: red circle above blue star"]}
    assert "5 of 6 right; wrong: red circle above blue star" in verdict(beside)
    assert 'class="good"' in verdict(GOOD)


def test_nothing_drawn():
    rows = [{"key": "red", "caption": "a red picture"}]
    assert section(Look(found=Evaluation(figures={}, rows=rows), samples=eight.samples(), model=eight.model())) == ""
