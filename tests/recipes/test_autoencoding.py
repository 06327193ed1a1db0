"""The autoencoders: what they are made of for which pictures, that they learn without a word, and survive the disk."""

import numpy as np
import pytest
import torch
from tests import autoencoders
from tests.test_evaluation import batches

import tuwen
from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.model import CrossModal
from tuwen.recipes import autoencoding
from tuwen.types import Facts

NAMES = ("dense_autoencoder", "conv_autoencoder", "vae")


def judged(model):
    return evaluate(model, batches(model, autoencoders.samples()), method=Greedy())


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_eight_pictures(name):
    """Chance: the mean picture. One that has learned nothing is no better than that."""
    found = judged(autoencoders.model(name))
    assert found.figures["mse"] < found.chance["mse"] / 4
    assert found.figures["psnr"] > found.chance["psnr"] + 5
    new = judged(CrossModal.create(autoencoders.recipe(name), autoencoders.samples()).eval())
    assert new.figures["mse"] > new.chance["mse"] * 0.9


def test_without_its_latent_it_learns_nothing(monkeypatch):
    """Broken on purpose: the decoder sees the same latent for every picture."""
    from tests import eight

    from tuwen.space.bottleneck import Bottleneck

    monkeypatch.setattr(Bottleneck, "forward", lambda part, latent: latent.at(torch.zeros(len(latent), 6)))
    blind = eight.learn(
        CrossModal.create(autoencoders.recipe("dense_autoencoder"), autoencoders.samples()), 150, autoencoders.samples()
    )
    found = judged(blind)
    assert found.figures["mse"] > found.chance["mse"] * 0.95


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_one_makes_the_same(name):
    pictures = [one.fields["image"] for one in autoencoders.samples()]
    loaded = tuwen.load(autoencoders.directory(name))
    assert "reconstruct" in loaded.can() and "caption" not in loaded.can()
    for a, b in zip(loaded.reconstruct(pictures), autoencoders.model(name).reconstruct(pictures), strict=True):
        assert np.array_equal(a.made, b.made) and a.error == b.error


def test_digits_go_through_in_grey_at_their_size():
    digits = Facts(num_train=60_000, fields=("image",), picture_side=28, picture_channels=1)
    for name in NAMES:
        recipe = getattr(autoencoding, name)(digits)
        assert (recipe.encode["image"].size, recipe.encode["image"].channels) == (28, 1)
        assert (recipe.decode["image"].side, recipe.decode["image"].channels) == (28, 1)
        CrossModal.create(recipe, [])


def test_photographs_go_through_in_colour_at_64():
    for name in NAMES:
        recipe = getattr(autoencoding, name)(Facts(num_train=100, picture_side=480))
        assert (recipe.encode["image"].size, recipe.decode["image"].channels) == (64, 3)
        CrossModal.create(recipe, [])


@pytest.mark.parametrize("side", [3, 8, 21, 27, 30, 32, 33])
def test_every_side_can_be_built(side):
    for name in NAMES:
        CrossModal.create(getattr(autoencoding, name)(Facts(num_train=9, picture_side=side, picture_channels=1)), [])


def test_the_numbers_in_the_middle_are_a_setting():
    recipe = autoencoding.dense_autoencoder(Facts(num_train=9, picture_side=28)).with_setting("space.image.width=5")
    model = CrossModal.create(recipe, [])
    assert model.encode([np.zeros((28, 28), np.uint8)]).shape == (1, 5)
    sizes = [part.out_features for part in model.modules() if isinstance(part, torch.nn.Linear)]
    assert sizes == [128, 64, 5, 64, 128, 28 * 28 * 3]
