"""Captions and matching together (CoCa, Yu et al. 2022, arXiv:2205.01917), and drawing beside them."""

from __future__ import annotations

from dataclasses import replace

from tuwen.decode import image_deconv
from tuwen.encode import text_transformer
from tuwen.fuse import attention
from tuwen.objective import caption, contrastive, reconstruction
from tuwen.recipe import Recipe
from tuwen.recipes._sizes import Sizes
from tuwen.recipes.captioning import cnn_transformer
from tuwen.space import projection
from tuwen.types import Facts, Route


def coca(facts: Facts) -> Recipe:
    """Captions and matching together: one picture encoder for a text decoder and a shared space. The default."""
    base, size = cnn_transformer(facts), Sizes.of(facts)
    text = text_transformer.Config(
        width=size.width,
        heads=size.heads,
        layers=size.layers - 1,
        dropout=size.dropout,
        vocabulary=size.vocabulary,
        max_tokens=size.max_tokens,
    )
    return replace(
        base,
        name="coca",
        encode={**base.encode, "text": text},
        space={
            "image": replace(base.space["image"], embed=256, pool="attention", heads=size.heads),
            "text": projection.Config(width=size.width, embed=256),
        },
        objective={"caption": caption.Config(smoothing=0.1), "contrastive": contrastive.Config()},
        weight={"contrastive": 0.5},
        routes={
            "caption": Route(given=("image",), make="text"),
            "image": Route(given=("image",), how="embed"),
            "text": Route(given=("text",), how="embed"),
        },
    )


def unified(facts: Facts) -> Recipe:
    """Captions, matching and drawing from one model: coca, and a picture decoder that reads the words of a text."""
    base, size = coca(facts), Sizes.of(facts)
    return replace(
        base,
        name="unified",
        # the picture decoder reads the words as the text encoder gives them: maps between the two cost it steps
        space={**base.space, "text": projection.Config(width=0, embed=256)},
        fuse={"words": attention.Config(width=size.width, heads=4)},
        decode={
            **base.decode,
            "image": image_deconv.Config(side=64, widths=(64, 32), shuffle=2, blocks=0, read="tokens"),
        },
        objective={**base.objective, "draw": reconstruction.Config(route="draw", term="draw", level=0.1)},
        # an error of 0.01 of a squared pixel weighs as much as 4 nats of a word: with muon the weight decides only whom the
        # text encoder listens to, and of 10, 60 and 400 the last made the best pictures at almost no cost to the captions
        weight={**base.weight, "draw": 400.0},
        routes={**base.routes, "draw": Route(given=("text",), make="image", fuse="words")},
    )
