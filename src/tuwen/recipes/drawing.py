"""Drawing: pictures of texts or classes that come of noise (Liu et al. 2022, arXiv:2209.03003)."""

from __future__ import annotations

from tuwen.data._config import Data
from tuwen.decode import image_flow
from tuwen.encode import text_transformer
from tuwen.fuse import attention
from tuwen.objective import flow as velocity
from tuwen.recipe import Recipe, Train
from tuwen.recipes._sizes import Sizes
from tuwen.types import Facts, Route


def flow(facts: Facts) -> Recipe:
    """Draws: noise becomes a picture along a flow that a text steers; another seed gives another picture."""
    size = Sizes.of(facts)
    width = size.width
    text = text_transformer.Config(
        width=width, heads=size.heads, layers=2, vocabulary=size.vocabulary, max_tokens=size.max_tokens
    )
    side = 64 if facts.picture_side > 40 else max(16, round(facts.picture_side / 8 + 0.49) * 8)
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
        data=Data(captions="detailed" if size.small else "one"),
        train=Train(epochs=size.epochs, batch=32, optimiser="muon", lr=2e-3, ema=0.999),
    )
