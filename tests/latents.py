"""What tests of drawing in latents share: a tiny autoencoder with a flow of its latents, learned in two stages."""

from __future__ import annotations

import functools

import torch
from tests import codes, eight

from tuwen.decode import image_deconv, image_latent_flow
from tuwen.encode import image_cnn, text_transformer
from tuwen.model import CrossModal
from tuwen.objective import elbo
from tuwen.objective import flow as velocity
from tuwen.recipe import Recipe, Stage, Train
from tuwen.space import gaussian_tokens
from tuwen.types import Route

AUTOENCODER = ("encode.image", "space.image", "decode.image")
FLOW = ("encode.text", "decode.image@latent")


def recipe() -> Recipe:
    """The smallest `latent-flow`: pictures of 16 pixels, latents of 4 x 4 cells."""
    return Recipe(
        name="latent-flow",
        encode={
            "image": image_cnn.Config(size=16, stem=8, widths=(16,), blocks=(1,)),
            "text": text_transformer.Config.tiny(),
        },
        space={"image": gaussian_tokens.Config(width=3)},
        decode={
            "image": image_deconv.Config(side=16, widths=(16, 8), read="grid", blocks=0),
            "image@latent": image_latent_flow.Config(widths=(16, 32), look=2, heads=2),
        },
        objective={"elbo": elbo.Config(likelihood="gaussian", noise=0.1), "flow": velocity.Config()},
        weight={"elbo": 1e-3},
        routes={
            "reconstruct": Route(given=("image",), make="image"),
            "draw": Route(given=("text",), make="image@latent"),
        },
        train=Train(optimiser="muon", lr=3e-3, batch=8),
        stages=(
            Stage(name="autoencoder", parts=AUTOENCODER, objectives=("elbo",), routes=("reconstruct",)),
            Stage(name="flow", parts=FLOW, objectives=("flow",), routes=("draw",), share=3.0),
        ),
    )


@functools.cache
def model() -> CrossModal:
    """One that draws the eight colours; made once for all tests, which must leave it as it is."""
    torch.manual_seed(0)
    made = CrossModal.create(recipe(), eight.samples(16))
    for number, steps in enumerate((150, 200)):
        codes.learn_stage(made, number, steps, eight.samples(16))
    return made
