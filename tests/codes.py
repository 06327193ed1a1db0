"""What tests of drawing by codes share: a tiny tokenizer with a transformer over its codes, learned in two stages."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from tests import eight

from tuwen.data._config import Data
from tuwen.decode import image_codes, image_deconv
from tuwen.directory import save
from tuwen.encode import image_cnn, text_transformer
from tuwen.model import CrossModal
from tuwen.objective import codes, reconstruction
from tuwen.recipe import Recipe, Stage, Train
from tuwen.space import vector_quantized
from tuwen.types import Route, Sample

TOKENIZER = ("encode.image", "space.image", "decode.image")
PRIOR = ("encode.text", "decode.image@codes")


def recipe() -> Recipe:
    """The smallest `gpt-vqvae`: pictures of 16 pixels, four codes of sixteen."""
    return Recipe(
        name="gpt-vqvae",
        encode={"image": image_cnn.Config.tiny(), "text": text_transformer.Config.tiny()},
        space={"image": vector_quantized.Config(codes=16, inner=4, width=16)},
        decode={
            "image": image_deconv.Config(side=16, widths=(16, 8, 8), read="grid", blocks=0),
            "image@codes": image_codes.Config(width=32, layers=1, heads=2),
        },
        objective={"reconstruction": reconstruction.Config(), "codes": codes.Config()},
        weight={"reconstruction": 20.0, "commitment": 0.25},
        routes={
            "reconstruct": Route(given=("image",), make="image"),
            "draw": Route(given=("text",), make="image@codes"),
        },
        data=Data(captions="all"),
        train=Train(seed=3, batch=8),
        stages=(
            Stage(name="tokenizer", parts=TOKENIZER, objectives=("reconstruction",), routes=("reconstruct",)),
            Stage(name="prior", parts=PRIOR, objectives=("codes",), routes=("draw",), share=3.0),
        ),
    )


def learn_stage(model: CrossModal, number: int, steps: int, rows: list[Sample]) -> CrossModal:
    """One stage, without the loop."""
    whole = model.recipe
    model.let_learn(whole.stages[number].parts)
    model.recipe = whole.at(number)
    model.routes = dict(model.recipe.routes)
    eight.learn(model, steps, rows)
    model.let_learn()
    model.recipe, model.routes = whole, dict(whole.routes)
    return model.eval()


@functools.cache
def tokenizer() -> CrossModal:
    """Both parts, of which only the first has learned; made once for all tests, which must leave it as it is."""
    torch.manual_seed(0)
    return learn_stage(CrossModal.create(recipe(), eight.samples(16)), 0, 150, eight.samples(16))


@functools.cache
def model() -> CrossModal:
    """One that draws the eight colours; made once for all tests, which must leave it as it is."""
    made = CrossModal.create(recipe(), eight.samples(16))
    made.load_state_dict(tokenizer().state_dict())
    return learn_stage(made, 1, 80, eight.samples(16))


@functools.cache
def directory() -> Path:
    path = Path(tempfile.mkdtemp(prefix="tuwen-tiny-")) / "model"
    save(model(), path)
    return path


def scalars() -> Recipe:
    """The same with finite scalars in place of a codebook."""
    from tuwen.space import finite_scalar

    return replace(recipe(), space={"image": finite_scalar.Config(levels=(4, 3), width=16)})
