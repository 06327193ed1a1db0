"""Matching pictures with texts in a shared space, by two towers (Frome et al. 2013; Radford et al. 2021, arXiv:2103.00020)."""

from __future__ import annotations

from dataclasses import replace

from tuwen.data._config import Data
from tuwen.encode import image_cnn, image_pretrained, text_bow, text_transformer
from tuwen.objective import contrastive, sigmoid
from tuwen.recipe import Recipe, Train
from tuwen.recipes._sizes import Sizes
from tuwen.space import projection
from tuwen.types import Facts, Route


def dual_encoder(facts: Facts) -> Recipe:
    """Matching over a frozen picture tower (--set encode.image.source=...): features made once, against weighted words and pairs."""
    base = clip(facts)
    tower = projection.Config(width=0, embed=1024, dropout=0.3)
    return replace(
        base,
        name="dual-encoder",
        encode={"image": image_pretrained.Config(), "text": text_bow.Config()},
        space={"image": tower, "text": tower},
        data=Data(captions="one"),
        train=replace(base.train, optimiser="adamw", lr=1e-3, batch=128),
    )


def clip(facts: Facts) -> Recipe:
    """Matching with both towers trained: from scratch, or an encoder of the user's own with --set encode.image.frozen=false."""
    size = Sizes.of(facts)
    text = text_transformer.Config(
        width=size.width,
        heads=size.heads,
        layers=size.layers,
        dropout=size.dropout,
        vocabulary=size.vocabulary,
        max_tokens=size.max_tokens,
    )
    return Recipe(
        name="clip",
        encode={"image": image_cnn.Config(size=size.side), "text": text},
        space={
            "image": projection.Config(width=size.width, embed=256, pool="attention", heads=size.heads),
            "text": projection.Config(width=size.width, embed=256),
        },
        objective={"match": contrastive.Config()},
        routes={"image": Route(given=("image",), how="embed"), "text": Route(given=("text",), how="embed")},
        # the captions of a drawn scene each say another part of it, those of a photograph mostly the same
        data=Data(captions="all" if size.small else "one"),
        train=Train(
            epochs=size.epochs,
            batch=64 if size.small else 128,
            optimiser="muon",
            lr=size.lr,
            ema=0.999,
            metric="recall",
            evaluate_rows=1000,
        ),
    )


def siglip(facts: Facts) -> Recipe:
    """Matching as `clip`, each pair judged by itself (sigmoid): for small batches (Zhai et al. 2023, arXiv:2303.15343)."""
    base = clip(facts)
    space = {name: replace(config, scale=10.0, bias=-10.0) for name, config in base.space.items()}
    return replace(
        base, name="siglip", space=space, objective={"match": sigmoid.Config()}, train=replace(base.train, batch=32)
    )
