"""The page of the demo: what a model can is there, what it cannot is left out."""

import json
import re

import pytest
from tests import drawing, eight
from tests.report._read import Page

from tuwen.evaluation import Evaluation
from tuwen.report._look import Look
from tuwen.report.demo import TEXTS, _percent, demo_page, headlines

FIGURES = {"statement_truth": 0.981, "i2t_r1": 0.9, "loss": 2.5}
CHANCE = {"statement_truth": 0.31, "i2t_r1": 0.002}


def page(model, tmp_path, **caption):
    """Rows are scenes; the log is one of a short run."""
    log = tmp_path / "log.jsonl"
    events = [
        {"kind": "estimate", "parameters": 2_500_000, "device": "cpu", "threads": 2, "precision": "float32"},
        {"kind": "step", "step": 1, "loss": 3.0}, {"kind": "step", "step": 2, "loss": 2.0},
        {"kind": "done", "step": 2, "took_s": 90.0},
    ]  # fmt: skip
    log.write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    rows = [{"key": one.key, "references": one.fields["text"], **caption} for one in drawing.ROWS]
    found = Evaluation(figures=FIGURES, chance=CHANCE, rows=rows, num_rows=5)
    look = Look(found=found, samples=drawing.ROWS, model=model, about={"recipe": "tiny"}, log=log)
    return demo_page(look, commands=("tuwen data scenes -o demo/scenes", "tuwen train <evil>"))


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    return Page(page(eight.model(), tmp_path_factory.mktemp("log"), caption="a large filled red circle on the left"))


def titles(read):
    return [section["id"] for section in read.named("section")]


def test_a_model_that_does_not_draw(reading):
    assert titles(reading) == [
        "it-says-what-it-sees", "it-finds-what-belongs-together", "all-figures--beside-chance", "how-it-learned",
        "do-it-again", "now-with-your-own-pictures",
    ]  # fmt: skip
    assert not reading.wrong


def test_a_model_that_only_draws(tmp_path):
    read = Page(page(drawing.model(), tmp_path))
    assert titles(read)[:2] == ["it-draws-what-you-say", "from-one-text-to-another"]
    drawn = [image["alt"] for image in read.named("img") if image["alt"].startswith("Drawn: ")]
    assert drawn == [f"Drawn: {text}" for text in TEXTS]


def test_captions_are_judged(reading):
    """The same is said of all five: it is true of the first, and of the last, which shows something else too."""
    assert reading.text.count("every word is true") == 2 and reading.text.count("not so: red circle, ") == 3


def test_headlines_stand_beside_chance(reading):
    assert "98 % of what its captions say is true by chance 31 %" in reading.text
    assert "90 % of the pictures find" in reading.text and "by chance 0.2 %" in reading.text
    assert headlines(Look(found=Evaluation(figures={"loss": 1.0}))) == ""


def test_percent():
    assert [_percent(share) for share in (0, 0.002, 0.0994, 0.0996, 1)] == ["0 %", "0.2 %", "9.9 %", "10 %", "100 %"]


def test_what_it_took_and_how_to_do_it_again(reading):
    assert "2.5 million numbers" in reading.text and "2 steps in 1.5 minutes" in reading.text
    assert "tuwen data scenes -o demo/scenes tuwen train <evil>" in reading.text
    assert "tuwen train photos/ -o model -r coca --time-limit 20m" in reading.text


def test_it_stands_alone(tmp_path):
    text = page(eight.model(), tmp_path, caption="<script>alert(1)</script>")
    assert not re.search(r"(src|href)=\"(?!data:|#)", text) and "<script" not in text
