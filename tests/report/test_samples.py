"""Drawn pictures beside real ones and the nearest of training."""

import numpy as np
from tests import autoencoders, drawing, eight
from tests.report._read import Page

from tuwen.evaluation import Evaluation
from tuwen.report._look import Look
from tuwen.report.samples import SHOWN, section

ROWS = drawing.ROWS
GREY = np.full((16, 16, 3), 90, np.uint8)


def look(rows, **fields):
    found = Evaluation(figures={}, rows=rows, drawn={one.key: GREY for one in ROWS})
    return Look(**{"found": found, "samples": ROWS, "learned": ROWS[1:], "model": drawing.model(), **fields})


def said(number, **fields):
    return {"key": ROWS[number].key, "sample": {"text": ROWS[number].fields["text"][0], "seed": 3, **fields}}


def test_those_nearest_to_the_training_part_and_some():
    near = [said(0, nearest="blue", nearer=0.01, fits=1.0), said(1, nearest="green", nearer=0.9, fits=0.5)]
    read = Page(section(look([*near, said(2, nearest="two", nearer=0.5, fits=1.0)])))
    assert not read.wrong and [image["alt"] for image in read.named("img")] == [
        f"Drawn for row red: {ROWS[0].fields['text'][0]}", "Picture of row red", "Picture of training row blue",
        f"Drawn for row green: {ROWS[2].fields['text'][0]}", "Picture of row green", "Picture of training row two",
    ]  # fmt: skip
    assert read.text.index("Nearest to the training part") < read.text.index("Picked at random")
    assert "1 % of the real pictures are nearer to a training picture; fits its text best" in read.text
    other = Page(section(look([said(1, nearest="green", nearer=0.9, fits=0.5)] * 3)))
    assert "90 % of the real pictures are nearer to a training picture; fits another text as well or be" in other.text


def test_without_a_training_part():
    read = Page(section(look([said(0), said(1)])))
    assert len(read.named("img")) == 4 and "nearer" not in read.text


def test_the_first_rows_where_nothing_was_compared():
    read = Page(section(look([])))
    assert len(read.named("img")) == 2 * len(ROWS) and "Of the first 5 rows. `--features NETWORK` compares" in read.text
    many = [type(one)(f"{one.key}{i}", one.fields) for i in range(4) for one in autoencoders.samples()]
    plain = Page(section(Look(found=Evaluation(figures={}), samples=many, model=autoencoders.model("vae"))))
    assert len(plain.named("img")) == SHOWN, "drawn of nothing, so no picture belongs to them"


def test_nothing_where_scenes_are_judged_or_nothing_is_drawn():
    judged = [{"key": ROWS[0].key, "drawn": {"text": "a"}}]
    assert section(look(judged)) == section(look([said(0)], model=None)) == ""
    assert section(Look(found=Evaluation(figures={}), samples=eight.samples(), model=eight.model())) == ""
