"""A walk between two texts: its ends are what is drawn of them, and a model that does not draw takes none."""

import numpy as np
import pytest
import torch
from tests import drawing, eight
from tests.report._read import Page

from tuwen.report.walk import _line, between, walk
from tuwen.types import Latent

START, END = (one.fields["text"][0] for one in drawing.ROWS[:2])


def test_ends_are_the_pictures_of_the_texts():
    model = drawing.model()
    found = between(model, START, END, places=5)
    for text, made in ((START, found[0]), (END, found[-1])):
        wanted = model.draw(text).pictures[0].astype(int)
        assert np.abs(made.astype(int) - wanted).max() <= 1, text
    assert len(found) == 5 and not np.array_equal(found[0], found[4])


def test_words_fade_where_a_text_is_longer():
    """Half way a word that both have is between the two, one that only the second has is half of it."""
    tokens = torch.tensor([[[2.0], [9.0]], [[4.0], [8.0]]])  # the 9 is padding
    ends = Latent(torch.tensor([[0.0], [1.0]]), tokens, torch.tensor([[True, False], [True, True]]))
    middle = _line(ends, 3)
    assert middle.pooled[:, 0].tolist() == [0, 0.5, 1]
    assert middle.tokens[1, :, 0].tolist() == pytest.approx([3, 4]) and middle.tokens[0, 1, 0] == 0
    assert middle.mask.shape == (3, 2) and bool(middle.mask.all())


def test_each_picture_has_words():
    read = Page(walk(drawing.model(), START, END, places=3))
    assert [one["alt"] for one in read.named("img")] == [
        f"Picture {i} of 3 between “{START}” and “{END}”" for i in (1, 2, 3)
    ]
    assert "0 % 50 % 100 %" in read.text and not read.wrong


def test_a_model_that_does_not_draw():
    assert walk(eight.model(), START, END) == ""
