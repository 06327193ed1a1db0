"""Matching: the right text, numbers by hand, and what is said where it cannot be."""

import math

import pytest
import torch
from tests import eight

from tuwen.errors import CannotError, ConfigError
from tuwen.task.match import Request, Response, Score, _response, run, show

IMAGES = [one.fields["image"] for one in eight.samples()]
TEXTS = tuple(eight.texts(colour)[0] for colour in eight.COLOURS)


@pytest.fixture(scope="module")
def model():
    return eight.model()


def test_it_finds_the_text(model):
    """By chance one of eight."""
    found = [response.best for response in run(model, [Request(image=image, text=TEXTS) for image in IMAGES])]
    assert found == list(TEXTS)


def test_cosines_are_those_of_the_model(model):
    cosine = model.similarity(IMAGES[:3], list(TEXTS[:2]))
    responses = run(model, [Request(image=image, text=TEXTS[:2]) for image in IMAGES[:3]])
    found = torch.tensor([[score.cosine for score in response.scores] for response in responses])
    torch.testing.assert_close(found, cosine.cpu(), atol=1e-4, rtol=0)


def test_each_request_has_its_own_texts_in_their_order(model):
    one, two = run(model, [Request(image=IMAGES[0], text=TEXTS[:3]), Request(image=IMAGES[1], text=TEXTS[2:0:-1])])
    assert [score.text for score in one.scores] == list(TEXTS[:3])
    assert [score.text for score in two.scores] == [TEXTS[2], TEXTS[1]] and two.best == TEXTS[1]
    alone = run(model, [Request(image=IMAGES[1], text=TEXTS[2:0:-1])])[0]
    assert alone.best == two.best and alone.scores[0].cosine == pytest.approx(two.scores[0].cosine, abs=1e-3)


def test_shares_by_hand():
    """softmax(0, ln 3) = (1/4, 3/4)."""
    response = _response(["a", "b"], torch.tensor([0.1, 0.2]), torch.tensor([0.0, math.log(3)]))
    assert response == Response(
        best="b", scores=(Score(text="a", cosine=0.1, share=0.25), Score(text="b", cosine=0.2, share=0.75))
    )
    assert show(response).splitlines() == [" 75.0%  +0.200  b", " 25.0%  +0.100  a"]


def test_shares_sum_to_one(model):
    response = model.match(IMAGES[0], TEXTS)
    assert sum(score.share for score in response.scores) == pytest.approx(1, abs=1e-3)


def test_the_python_form(model, tmp_path):
    paths = [str(path) for path in eight.write_pictures(tmp_path)]
    several = model.match(paths, list(TEXTS))
    assert [response.best for response in several] == list(TEXTS)
    assert model.match(paths[0], "one text").scores[0].share == 1


@pytest.mark.parametrize("text", [(), ("",), ("a", 3)])
def test_no_text(model, text):
    with pytest.raises(ConfigError, match="a match takes one or more texts: --text 'a dog' --text 'a car'"):
        model.match(IMAGES[0], text)


def test_a_model_without_it():
    with pytest.raises(CannotError, match="this model was not trained to match; it can: caption"):
        eight.model(match=False, steps=1).match(IMAGES[0], ["a"])
