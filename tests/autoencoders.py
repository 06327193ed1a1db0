"""What tests of autoencoders share: eight plain pictures without a word, and tiny models that have learned them."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

from tests import eight

from tuwen.directory import save
from tuwen.model import CrossModal
from tuwen.recipe import Recipe, Train
from tuwen.recipes import autoencoding
from tuwen.types import Facts, Sample

FACTS = Facts(num_train=8, fields=("image",), picture_side=16, picture_channels=3)
STEPS = {"dense_autoencoder": 150, "conv_autoencoder": 60, "vae": 100}


def samples() -> list[Sample]:
    return [Sample(one.key, {"image": one.fields["image"]}, "train") for one in eight.samples(16)]


def recipe(name: str) -> Recipe:
    """The recipe for 16 pixels, with six numbers in the middle."""
    made = getattr(autoencoding, name)(replace(FACTS, picture_channels=1 if name == "vae" else 3))
    space = {"image": replace(made.space["image"], width=6)}
    return replace(made, space=space, train=Train(seed=3))


@functools.cache
def model(name: str = "dense_autoencoder") -> CrossModal:
    """One that knows the eight; made once for all tests, which must leave it as it is."""
    return eight.learn(CrossModal.create(recipe(name), samples()), STEPS[name], samples())


@functools.cache
def directory(name: str = "dense_autoencoder") -> Path:
    path = Path(tempfile.mkdtemp(prefix="tuwen-tiny-")) / name
    save(model(name), path)
    return path
