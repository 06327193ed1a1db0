"""Where the model looked: maps for each word, their picture, and what is said where there are none."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests import eight

from tuwen.decode import text_rnn
from tuwen.errors import CannotError, ConfigError
from tuwen.model import CrossModal
from tuwen.objective import caption, coverage
from tuwen.space import projection
from tuwen.task._attention import Look, draw, looks, words
from tuwen.task.caption import Request, picture, run
from tuwen.tokenizer import Tokenizer
from tuwen.types import Latent, Widths

IMAGES = [one.fields["image"] for one in eight.samples()]


@functools.cache
def model() -> CrossModal:
    """An LSTM with soft attention that knows the eight pictures."""
    recipe = eight.recipe(match=False)
    decoder = text_rnn.Config(
        cell="lstm", width=32, embed=32, attention=True, gate="whole", feed=False, dropout=0.0, vocabulary=300, max_tokens=12
    )  # fmt: skip
    recipe = replace(
        recipe,
        space={"image": projection.Config(width=32, embed=0)},
        decode={"text": decoder},
        objective={"caption": caption.Config(), "coverage": coverage.Config()},
    )
    return eight.learn(CrossModal.create(recipe, eight.samples()), 150)


def test_it_says_what_it_learned_and_where_it_looked():
    """By chance one of eight would name its colour."""
    answers = run(model(), [Request(image=image, attention=True) for image in IMAGES])
    assert all(colour in one.caption for colour, one in zip(eight.COLOURS, answers, strict=True))
    rows, columns = model().encoders["image"].grid
    for answer in answers:
        assert " ".join(look.word for look in answer.attention) == answer.caption
        for look in answer.attention:
            weights = np.array(look.weights)
            assert weights.shape == (rows, columns) and weights.min() >= 0
            assert weights.sum() == pytest.approx(1, abs=1e-5)


def test_the_python_form_and_without_being_asked():
    assert model().caption(IMAGES[0]).attention == ()
    answer = model().caption(IMAGES[0], attention=True)
    assert answer.attention and answer.caption == model().caption(IMAGES[0]).caption


def test_a_map_is_that_of_teacher_forcing():
    part = text_rnn.Config(width=8, embed=8, attention=True, vocabulary=300, max_tokens=8).build(Widths(6, 6))
    part.fit(["a red dog"])
    part.eval()
    latent = Latent(torch.randn(2, 6), torch.randn(2, 6, 6), grid=(2, 3))
    rows = part.tokenizer.encode(["a red dog", "a"])
    with torch.no_grad():
        found = looks(part, latent, rows)
        alone = looks(part, latent.rows(torch.tensor([1])), rows[1:])
    assert [look.word for look in found[0]] == ["a", "red", "dog"] and len(found[1]) == 1
    torch.testing.assert_close(torch.tensor(found[1][0].weights), torch.tensor(alone[0][0].weights))
    assert np.array(found[0][0].weights).shape == (2, 3)


def test_tokens_of_a_word_stand_together():
    bpe = Tokenizer.train(["a red dog", "a dog red"], size=300)
    [row] = bpe.encode(["a red zebra, dog"])
    found = words(bpe.decode, row)
    assert [word for word, _ in found] == ["a", "red", "zebra,", "dog"]
    assert [place for _, places in found for place in places] == list(range(len(row)))
    assert len(found[2][1]) > 1


def test_letters_of_scripts_without_spaces_are_words_even_in_pieces():
    bpe = Tokenizer.train(["红圆"], size=260)
    [row] = bpe.encode(["红圆 方"])
    found = words(bpe.decode, row)
    assert [word for word, _ in found] == ["红", "圆", "方"]
    assert [place for _, places in found for place in places] == list(range(len(row)))


def test_korean_words_stand_between_spaces_and_thai_letters_alone_with_their_marks():
    for text, apart in (("개가 달린다", ["개가", "달린다"]), ("ก่ข", ["ก่", "ข"])):
        bpe = Tokenizer.train([text], size=260)
        [row] = bpe.encode([text])
        assert [word for word, _ in words(bpe.decode, row)] == apart


def test_nothing_said_has_no_words():
    assert words(lambda rows: ["" for _ in rows], []) == []


def test_the_drawing_is_bright_where_it_looked():
    white = np.full((24, 24, 3), 255, np.uint8)
    sheet = draw(model(), white, [Look(word="x", weights=((1.0, 0.0), (0.0, 0.0)))])
    tile = np.array(sheet.convert("L"))[-160:, 160:320]
    assert sheet.size == (320, 182)
    assert tile[20, 20] > 200 and tile[140, 140] < 80
    many = draw(model(), white, [Look(word="x", weights=((0.5, 0.5),))] * 9)
    assert many.size == (6 * 160, 2 * 182)


def test_what_the_command_line_writes():
    request = Request(image=IMAGES[0], attention=True)
    [response] = run(model(), [request])
    assert isinstance(picture(model(), request, response), Image.Image)
    with pytest.raises(ConfigError, match=r"was not asked for; add --attention, or write captions with -o FILE\.csv"):
        picture(model(), replace(request, attention=False), replace(response, attention=()))
    with pytest.raises(ConfigError, match="the caption is empty, so that there is nothing to draw for"):
        picture(model(), request, replace(response, attention=()))
    with pytest.raises(ConfigError, match="there is no caption to draw for: too unsure"):
        picture(model(), request, replace(response, abstained="too unsure", attention=()))


def test_a_decoder_without_attention_says_which_recipe_has_it():
    with pytest.raises(CannotError, match=r"it has no soft attention\. `tuwen train DATA -r show-attend-tell`"):
        run(eight.model(), [Request(image=IMAGES[0], attention=True)])
