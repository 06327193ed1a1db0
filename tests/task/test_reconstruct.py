"""Pictures made again: errors, other ways than the picture's own, and what is refused."""

import numpy as np
import pytest
from tests import autoencoders, eight

from tuwen.errors import CannotError, ConfigError, DataError
from tuwen.model import CrossModal
from tuwen.objective import reconstruction
from tuwen.recipe import Recipe
from tuwen.task.reconstruct import Request, picture, run, show


def pictures():
    return [one.fields["image"] for one in autoencoders.samples()]


def test_what_comes_back_looks_like_what_went_in():
    """Chance: a mean grey, more than 0.05 away in the square from most of these colours."""
    for given, response in zip(pictures(), autoencoders.model().reconstruct(pictures()), strict=True):
        assert response.made.shape == given.shape and response.made.dtype == np.uint8
        apart = ((response.made.astype(float) - given) / 255) ** 2
        assert response.error == pytest.approx(apart.mean(), abs=2e-4) and response.error < 0.02


def test_a_picture_unlike_the_others_has_a_large_error():
    model, noise = autoencoders.model(), np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    assert model.reconstruct(noise).error > 3 * max(one.error for one in model.reconstruct(pictures()))


def test_it_does_not_depend_on_the_other_requests():
    model = autoencoders.model("conv_autoencoder")
    alone, among = model.reconstruct(pictures()[2]), model.reconstruct(pictures())[2]
    assert np.abs(alone.made.astype(int) - among.made).max() <= 1


@pytest.fixture(scope="module")
def two_ways():
    """Pictures through a space and back, and texts made from them: nothing that it says makes sense."""
    base, own = eight.recipe(match=False), autoencoders.recipe("dense_autoencoder")
    routes = {**base.routes, **own.routes}
    objective = {**base.objective, "reconstruction": reconstruction.Config()}
    recipe = Recipe(
        name="two",
        encode=own.encode,
        space=own.space,
        decode={**base.decode, **own.decode},
        routes=routes,
        objective=objective,
    )
    return CrossModal.create(recipe, eight.samples(16)).eval()


def test_the_missing_field_is_made_of_the_one_there_is(two_ways):
    assert two_ways.can() == ["caption", "reconstruct"]
    asked = [Request(image=pictures()[0]), Request(image=pictures()[0], make="text", beam=1)]
    image, text = run(two_ways, asked)
    assert image.made.shape == (16, 16, 3) and not image.text and text.made is None and isinstance(text.text, str)
    assert text.error is None and show(text) == text.text
    with pytest.raises(
        CannotError, match="this model makes no image or text of text; its ways are: image -> text; image -> image"
    ):
        run(two_ways, [Request(text="a red picture")])


def test_a_text_is_written_in_the_way_that_is_asked_for(two_ways):
    ways = ({"beam": 1}, {"method": "greedy"}, {"method": "mbr"})
    one, greedy, agreed = run(two_ways, [Request(image=pictures()[0], make="text", **way) for way in ways])
    assert one.text == greedy.text and isinstance(agreed.text, str) and agreed.made is None


def test_a_text_beside_the_picture_is_not_in_its_way(two_ways):
    response = two_ways.reconstruct(pictures()[0], text="a red picture")
    assert response.made is not None


def test_a_picture_as_a_file_knows_its_model():
    model, request = autoencoders.model(), Request(image=pictures()[0])
    [response] = run(model, [request])
    image = picture(model, request, response)
    assert image.size == (16, 16) and image.info["model"] == "dense-autoencoder"
    with pytest.raises(ConfigError, match="this model made a text of what was given; leave -o out, or set make=image"):
        picture(model, request, type(response)(text="a word"))


def test_show_tells_size_and_error():
    [response] = run(autoencoders.model(), [Request(image=pictures()[0])])
    assert show(response) == f"16 x 16 pixels, squared error {response.error:.4g}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "there is nothing to make something of; give a picture or a text: tuwen reconstruct MODEL photo.jpg"),
        ({"text": "x", "make": "sound"}, "make is 'sound'; it can be image or text, or be left out"),
        ({"text": "x", "beam": 0}, "beam is 0; it takes a whole number from 1"),
        ({"text": "x", "method": "bean"}, "method is .bean.. Did you mean .beam."),
        ({"text": "x", "method": "sampling", "beam": 3}, "beam is 3, which has no effect with method=sampling"),
    ],
)
def test_what_a_request_cannot_be(options, message):
    with pytest.raises(ConfigError, match=message):
        Request(**options)


def test_a_picture_that_cannot_be_read():
    with pytest.raises(DataError, match="is no picture"):
        autoencoders.model().reconstruct(np.zeros((2, 2, 9), np.uint8))
