"""A walk between two texts: its ends are what is drawn of them, and a model that does not draw takes none."""

import numpy as np
from tests import drawing, eight
from tests.report._read import Page

from tuwen.report.walk import between, walk

START, END = (one.fields["text"][0] for one in drawing.ROWS[:2])


def test_ends_are_the_pictures_of_the_texts():
    model = drawing.model()
    found = between(model, START, END, places=5)
    for text, made in ((START, found[0]), (END, found[-1])):
        wanted = model.draw(text).pictures[0].astype(int)
        assert np.abs(made.astype(int) - wanted).max() <= 1, text
    assert len(found) == 5 and not np.array_equal(found[0], found[4])


def test_each_picture_has_words():
    read = Page(walk(drawing.model(), START, END, places=3))
    assert [one["alt"] for one in read.named("img")] == [
        f"Picture {i} of 3 between “{START}” and “{END}”" for i in (1, 2, 3)
    ]
    assert "0 % 50 % 100 %" in read.text and not read.wrong


def test_a_model_that_does_not_draw():
    assert walk(eight.model(), START, END) == ""
