"""What texts say to a decoder of pictures: between two of them, and what of a text has no effect."""

import pytest
import torch
from tests import drawing

from tuwen.task._texts import between_texts, mixed, notes, of_texts
from tuwen.types import Latent

RED, BLUE = (one.fields["text"][0] for one in drawing.ROWS[:2])


def test_words_fade_where_a_text_is_longer():
    """Half way a word that both have is between the two, one that only the second has is half of it; at the first text
    it is not there, not even as nothing."""
    first = Latent(torch.tensor([[0.0]] * 3), torch.tensor([[[2.0], [9.0]]] * 3), torch.tensor([[True, False]] * 3))
    second = Latent(torch.tensor([[1.0]] * 3), torch.tensor([[[4.0], [8.0]]] * 3), torch.tensor([[True, True]] * 3))
    found = mixed(first, second, torch.tensor([0, 0.5, 1]))  # the 9 is padding
    assert found.pooled[:, 0].tolist() == [0, 0.5, 1]
    assert found.tokens[:, :, 0].tolist() == [[2, 0], [pytest.approx(3), pytest.approx(4)], [4, 8]]
    assert found.mask.tolist() == [[True, False], [True, True], [True, True]]


def test_latents_without_words():
    found = mixed(Latent(torch.zeros(1, 2)), Latent(torch.ones(1, 2)), torch.tensor([0.25]))
    assert found.pooled.tolist() == [[0.25, 0.25]] and found.tokens is None


def test_each_row_is_that_of_its_text():
    model = drawing.model()
    with torch.no_grad():
        two = of_texts(model, [RED, BLUE])
        rows = of_texts(model, [BLUE, RED, BLUE])
        line = between_texts(model, [(RED, BLUE, 0.0), (RED, BLUE, 1.0)])
    assert torch.equal(rows.pooled, two.pooled[[1, 0, 1]])
    torch.testing.assert_close(line.pooled, two.pooled)


def test_what_of_a_text_has_no_effect():
    model = drawing.model()
    encoder = model.encoders["text"]
    assert notes(model, [RED[:4], "", " "]) == ()
    [long] = notes(model, ["red " * 5000])
    assert long.startswith("the text is longer than this model reads; nothing was drawn of: ") and len(long) < 130
    word = len(encoder.tokenizer.encode(["a red"])[0]) - len(encoder.tokenizer.encode(["a"])[0])
    assert encoder.max_tokens - 2 == 4 * word, "four words fill it"
    assert notes(model, ["red red red red"]) == () and notes(model, ["red red red red blue"])[0].endswith("of: blue")
    [strange] = notes(model, ["a крк"])
    assert strange == "seldom or never seen while this model learned: к, р"
    assert notes(model, ["!"]) == () and notes(model, ["🔴!"])[0].endswith(": 🔴")
