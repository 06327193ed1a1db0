"""Drawing: from the prior, from a text, the same again with the same seed."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from tests import autoencoders, eight

from tuwen.decode import image_deconv
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num": 0}, "num is 0; it takes a whole number from 1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is 18446744073709551616; it is below"),
        ({"candidates": 0}, "candidates is 0"),
        ({"text": None}, "text is None; it takes words, for example 'a red circle'"),
        (
            {"text": "a", "to": "b"},
            "num is 1; from one text to another it takes at least 2 pictures, for example num=8",
        ),
        ({"text": "a", "to": "b", "num": 3, "candidates": 2}, "leave out candidates or to"),
        ({"to": "b", "num": 2}, "to has no effect without text; add the text to begin with, or leave to out"),
        ({"text": " ", "without": "b"}, "without has no effect without text"),
        (
            {"text": "a", "without": "b", "guidance": 1.0},
            "without leads away from a text only where guidance is above 1, and it is 1; set a larger one, for example guidance=3",
        ),
        ({"text": "a", "without": "b", "guidance": 0.0}, "where guidance is above 1, and it is 0; set a larger one"),
        ({"guidance": 2.0}, "guidance has no effect without text"),
        ({"candidates": 2}, "candidates has no effect without text"),
        ({"text": "a", "judge": "m"}, "judge has no effect without candidates; add candidates=8"),
        ({"text": "a", "strength": 0.5}, "strength has no effect without like; add like='photo.jpg'"),
        ({"text": "a", "mask": np.zeros((2, 2), np.uint8)}, "mask has no effect without like"),
        ({"like": "a.png", "strength": 0.0}, "strength is 0.0; it is above 0 and at most 1, for example strength=0.6"),
        ({"like": "a.png", "strength": 1.5}, "strength is 1.5"),
    ],
)
def test_what_a_request_cannot_be(options, message):
    with pytest.raises(ConfigError, match=message):
        draw.Request(**options)


def test_options_of_a_flow_are_refused_elsewhere(of_text):
    with pytest.raises(ConfigError, match="draws at once, not of noise; leave out without and steps"):
        of_text.draw("a red picture", steps=3, without="blue")
    with pytest.raises(ConfigError, match="leave out precision"):
        of_text.draw("a red picture", precision="bfloat16")
    with pytest.raises(CannotError, match="does not change a picture by a text; one that draws along a flow does"):
        of_text.draw("a red picture", like=rows()[0].fields["image"])
    with pytest.raises(CannotError, match="does not draw near a picture; one that draws along a flow does"):
        of_text.draw(like=rows()[0].fields["image"])


def test_a_size_that_the_model_cannot_draw(of_text):
    """Twice the side: each pixel becomes a block of four."""
    [small], [large] = (of_text.draw("a red picture", size=size).pictures for size in (None, 32))
    assert large.shape == (32, 32, 3) and (large[::2, ::2] == small).all() and (large[1::2, 1::2] == small).all()
    for size in (8, 24, 0):
        with pytest.raises(
            ConfigError, match=f"size is {size}, and this model draws 16 x 16 pixels; it can be that or a"
        ):
            of_text.draw("a red picture", size=size)
    for options in ({"size": 1_600_000}, {"num": 10**9}, {"candidates": 10**12}):
        with pytest.raises(
            ConfigError, match="and at most 4 are drawn at a time; ask for a smaller size, or for fewer"
        ):
            of_text.draw("a red picture", **options)


def test_from_one_text_to_another_at_once(of_text):
    found = of_text.draw("a red picture", to="a blue picture", num=3).pictures
    ends = [of_text.draw(text).pictures[0] for text in ("a red picture", "a blue picture")]
    assert np.abs(found[0].astype(int) - ends[0]).max() <= 1 and np.abs(found[2].astype(int) - ends[1]).max() <= 1
    between = [np.abs(found[1].astype(int).mean((0, 1)) - end.astype(int).mean((0, 1))).sum() for end in ends]
    assert min(between) > 10, "the middle is neither"


def test_all_pictures_between_two_texts_have_the_same_noise():
    recipe = drawer(bottleneck.Config(width=8), 0).recipe
    noisy = replace(recipe, decode={"image": image_deconv.Config(side=16, widths=(8, 8), noise=8)})
    model = CrossModal.create(noisy, rows())
    text = "a red picture"
    same = model.draw(text, to=text, num=3, seed=1).pictures
    assert all((one == same[0]).all() for one in same)
    others = model.draw(text, num=3, seed=1).pictures
    assert (others[1] != others[0]).any()


def test_near_a_picture_by_a_prior():
    """Little strength is nearly the reconstruction, the whole of it what the prior draws of the same seed."""
    model = autoencoders.model("vae")
    like = autoencoders.samples()[0].fields["image"]
    [again] = [model.reconstruct(like).made.astype(int)]
    near, far = (model.draw(like=like, strength=strength, num=4).pictures for strength in (0.05, 0.9))
    distance = [np.mean([np.abs(one - again).mean() for one in some]) for some in (near, far)]
    assert distance[0] < 8 and distance[1] > 3 * distance[0]
    whole = model.draw(like=like, strength=1.0, num=4).pictures
    assert np.abs(np.array(whole, int) - np.array(model.draw(num=4).pictures, int)).max() <= 1


def test_many_are_decoded_in_parts(monkeypatch):
    model = autoencoders.model("vae")
    whole = model.draw(num=5).pictures
    monkeypatch.setattr("tuwen.task._at_once.AT_ONCE", 2)
    assert np.abs(np.array(whole, int) - np.array(model.draw(num=5).pictures, int)).max() <= 1


def test_what_of_the_text_had_no_effect_is_said(of_text):
    answer = of_text.draw("a red picture " * 5000)
    [note] = answer.notes
    assert note.startswith("the text is longer than this model reads; nothing was drawn of: ")
    assert draw.show(answer).splitlines() == ["1 picture of 16 x 16 pixels, seed 0", note]
    assert of_text.draw("круг").notes == ("seldom or never seen while this model learned: к, р, у, г",)


def test_a_sheet_by_hand():
    """Three pictures of 2 x 3: two columns and two rows, white between and in the empty place."""
    whole = sheet([np.full((2, 3, 1), value, np.uint8) for value in (10, 20, 30)])
    assert whole.shape == (2 * 2 + GAP, 2 * 3 + GAP, 1)
    assert whole[0, 0] == 10 and whole[0, 3 + GAP] == 20 and whole[2 + GAP, 0] == 30 and whole[-1, -1] == 255
    assert whole[0, 3] == 255
