"""Drawings beside what they describe, with what the judge found."""

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
