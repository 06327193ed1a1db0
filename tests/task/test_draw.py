"""Drawing: from the prior, from a text, the same again with the same seed."""

import logging

import numpy as np
import pytest
from tests import autoencoders, eight

from tuwen.encode import text_transformer
from tuwen.errors import CannotError, ConfigError
from tuwen.model import CrossModal
from tuwen.objective import reconstruction
from tuwen.recipe import Recipe
from tuwen.space import bottleneck, gaussian
from tuwen.task import draw
from tuwen.task._pictures import GAP, sheet
from tuwen.types import Route, Sample

PLAIN = ("red", "green", "blue", "white", "black")


def rows():
    """Five colours with one text each."""
    found = [one for one in eight.samples(16) if one.key in PLAIN]
    return [Sample(one.key, {**one.fields, "text": one.fields["text"][:1]}) for one in found]


def drawer(space, steps):
    own = autoencoders.recipe("dense_autoencoder")
    recipe = Recipe(
        name="drawer",
        encode={"text": text_transformer.Config.tiny()},
        space={"text": space},
        decode=own.decode,
        routes={"draw": Route(given=("text",), make="image")},
        objective={"reconstruction": reconstruction.Config(route="draw")},
    )
    return eight.learn(CrossModal.create(recipe, rows()), steps, rows())


@pytest.fixture(scope="module")
def of_text():
    return drawer(bottleneck.Config(width=8), 120)


def test_what_is_drawn_has_the_colour_that_was_asked_for(of_text):
    """The nearest of five colours; chance is a fifth."""
    colours = np.array([eight.COLOURS[name] for name in PLAIN], float)
    right = 0
    for number, name in enumerate(PLAIN):
        [pixels] = of_text.draw(f"a {name} picture").pictures
        assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
        right += np.abs(colours - pixels.mean((0, 1))).sum(1).argmin() == number
    assert right == 5


def test_one_that_has_nothing_random_says_so(of_text, caplog):
    with caplog.at_level(logging.WARNING, logger="tuwen"):
        found = of_text.draw("a red picture", num=3)
    assert "this model draws one picture of a text: all 3 are the same" in caplog.text and len(found.pictures) == 3


def test_a_distribution_gives_different_pictures_and_a_seed_the_same_again(caplog):
    model = drawer(gaussian.Config(width=8), 2)
    first, again, other = (model.draw("a red picture", num=2, seed=seed).pictures for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)) and not caplog.text
    assert not np.array_equal(first[0], first[1]) and not np.array_equal(first[0], other[0])


def test_a_vae_draws_without_a_text():
    model = autoencoders.model("vae")
    assert model.can() == ["draw", "reconstruct"]
    found = model.draw(num=4, seed=3)
    assert len(found.pictures) == 4 and found.pictures[0].shape == (16, 16, 1) and found.seed == 3
    assert len({pixels.tobytes() for pixels in found.pictures}) == 4
    # plain pictures have been learned: what is drawn is nearly plain, which noise is not
    assert np.mean([pixels.std() for pixels in found.pictures]) < 25


def test_what_it_cannot_draw(of_text):
    with pytest.raises(CannotError, match="learned without texts; it draws pictures like those it has seen"):
        autoencoders.model("vae").draw("a red picture")
    with pytest.raises(CannotError, match='draws of a text only; say what to draw: tuwen draw MODEL "a red circle"'):
        of_text.draw()
    with pytest.raises(CannotError, match="this model was not trained to draw; it can: reconstruct"):
        autoencoders.model().draw()


def test_the_picture_knows_its_text_and_its_seed(of_text):
    request = draw.Request(text="a red picture", seed=5)
    [response] = draw.run(of_text, [request])
    image = draw.picture(of_text, request, response)
    assert (image.info["text"], image.info["model"], image.info["seed"]) == ("a red picture", "drawer", "5")
    assert draw.show(response) == "1 picture of 16 x 16 pixels, seed 5"


def test_cancelled_before_it_begins(of_text):
    request = draw.Request(text="a red picture")
    [response] = draw.run(of_text, [request], cancelled=lambda: True)
    assert response.pictures == () and draw.show(response) == "nothing was drawn"
    with pytest.raises(ConfigError, match="nothing was drawn: it was cancelled before it began"):
        draw.picture(of_text, request, response)


@pytest.mark.parametrize(("options", "message"), [({"num": 0}, "num is 0"), ({"seed": -1}, "seed is -1")])
def test_what_a_request_cannot_be(options, message):
    with pytest.raises(ConfigError, match=message):
        draw.Request(**options)


def test_a_sheet_by_hand():
    """Three pictures of 2 x 3: two columns and two rows, white between and in the empty place."""
    whole = sheet([np.full((2, 3, 1), value, np.uint8) for value in (10, 20, 30)])
    assert whole.shape == (2 * 2 + GAP, 2 * 3 + GAP, 1)
    assert whole[0, 0] == 10 and whole[0, 3 + GAP] == 20 and whole[2 + GAP, 0] == 30 and whole[-1, -1] == 255
    assert whole[0, 3] == 255
