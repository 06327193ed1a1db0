"""Drawing: pictures of texts or classes that come of noise (Liu et al. 2022, arXiv:2209.03003), or code by code."""

from __future__ import annotations

import math
from dataclasses import replace

from tuwen.data._config import Data
from tuwen.decode import image_codes, image_deconv, image_flow, image_latent_flow
from tuwen.encode import image_cnn, text_transformer
from tuwen.fuse import attention
from tuwen.objective import codes, distillation, elbo
from tuwen.objective import flow as velocity
from tuwen.recipe import Recipe, Stage, Train
from tuwen.recipes._sizes import Sizes
from tuwen.recipes.autoencoding import vqvae
from tuwen.space import gaussian_tokens
from tuwen.types import Facts, Route

_DISTIL = 0.5
"""Steps of learning to draw in few steps, beside those of learning to draw."""


def flow(facts: Facts) -> Recipe:
    """Draws: noise becomes a picture along a flow that a text steers; another seed gives another picture."""
    size = Sizes.of(facts)
    width = size.width
    text = text_transformer.Config(
        width=width, heads=size.heads, layers=2, vocabulary=size.vocabulary, max_tokens=size.max_tokens
    )
    side = facts.picture_side
    side = 64 if side > 40 else 40 if side > 32 else max(16, math.ceil(side / 4) * 4)
    return Recipe(
        name="flow",
        encode={"text": text},
        fuse={"words": attention.Config(width=width, heads=4)},
        decode={
            "image": image_flow.Config(
                side=side,
                channels=facts.picture_channels,
                patch=4 if side > 32 else 2,
                widths=(64, width),
            )
        },
        objective={"flow": velocity.Config()},
        routes={"draw": Route(given=("text",), make="image", fuse="words")},
        data=Data(captions="longest_first" if size.small else "one"),
        train=Train(epochs=size.epochs, batch=32, optimiser="muon", lr=2e-3, ema=0.999),
    )


def flow_distilled(facts: Facts) -> Recipe:
    """As `flow`, and then it learns to draw in 4 steps without guidance what it draws in 20 with it: an eighth of the work."""
    base = flow(facts)
    parts = ("encode.text", "fuse.words", "decode.image")
    return replace(
        base,
        name="flow-distilled",
        objective={**base.objective, "distillation": distillation.Config()},
        train=replace(base.train, epochs=base.train.epochs * (1 + _DISTIL)),
        stages=(
            Stage(name="flow", parts=parts, objectives=("flow",), routes=("draw",)),
            Stage(name="distil", parts=parts, objectives=("distillation",), routes=("draw",), share=_DISTIL),
        ),
    )


def latent_flow(facts: Facts) -> Recipe:
    """Draws up to 128 pixels at the price of 64: as `flow`, in the latent of an autoencoder that is learned first."""
    base, side = flow(facts), 128 if facts.picture_side > 96 else 64 if facts.picture_side > 32 else 32
    channels, halved = facts.picture_channels, (64, 64) if side == 128 else (64,)
    picture = image_deconv.Config(
        side=side, channels=channels, widths=(64, 32) if side == 128 else (64,), shuffle=2, read="grid"
    )
    drawn = image_latent_flow.Config(widths=base.decode["image"].widths)
    return replace(
        base,
        name="latent-flow",
        encode={
            "image": image_cnn.Config(size=side, channels=channels, widths=halved, blocks=(1,) * len(halved)),
            **base.encode,
        },
        space={"image": gaussian_tokens.Config()},
        decode={"image": picture, "image@latent": drawn},
        objective={"elbo": elbo.Config(likelihood="gaussian", noise=0.05), **base.objective},
        weight={"elbo": 1 / (channels * side**2)},
        routes={
            "reconstruct": Route(given=("image",), make="image"),
            "draw": Route(given=("text",), make="image@latent", fuse="words"),
        },
        stages=(
            Stage(
                name="autoencoder",
                parts=("encode.image", "space.image", "decode.image"),
                objectives=("elbo",),
                routes=("reconstruct",),
            ),
            Stage(
                name="flow",
                parts=("encode.text", "fuse.words", "decode.image@latent"),
                objectives=("flow",),
                routes=("draw",),
                share=3.0,
            ),
        ),
    )


def gpt_vqvae(facts: Facts) -> Recipe:
    """Draws: a transformer writes the codes of a picture after a text; a tokenizer, learned first, makes pixels of them."""
    size, tokenizer = Sizes.of(facts), vqvae(facts)
    picture = tokenizer.decode["image"]
    if picture.side == 64:  # the last stage costs more than all others together, and cells of two pixels draw as well
        picture = replace(picture, widths=(64, 64), shuffle=2)
    text = text_transformer.Config(
        width=size.width, heads=size.heads, layers=2, vocabulary=size.vocabulary, max_tokens=size.max_tokens
    )
    return Recipe(
        name="gpt-vqvae",
        encode={"image": tokenizer.encode["image"], "text": text},
        space=tokenizer.space,
        fuse={"words": attention.Config(width=size.width, heads=4)},
        decode={"image": picture, "image@codes": image_codes.Config(width=size.width * 3 // 2)},
        objective={**tokenizer.objective, "codes": codes.Config()},
        weight=tokenizer.weight,
        routes={**tokenizer.routes, "draw": Route(given=("text",), make="image@codes", fuse="words")},
        data=Data(captions="longest_first" if size.small else "one"),
        train=Train(epochs=size.epochs, batch=32, optimiser="muon", lr=size.lr, ema=0.999),
        stages=(
            Stage(
                name="tokenizer",
                parts=("encode.image", "space.image", "decode.image"),
                objectives=tuple(tokenizer.objective),
                routes=tuple(tokenizer.routes),
            ),
            Stage(
                name="prior",
                parts=("encode.text", "fuse.words", "decode.image@codes"),
                objectives=("codes",),
                routes=("draw",),
                share=3.0,
            ),
        ),
    )
