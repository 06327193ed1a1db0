"""Captioning: a picture encoder and a text decoder (Vinyals et al. 2015, arXiv:1411.4555; Xu et al. 2015, arXiv:1502.03044)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tuwen.data._config import Data
from tuwen.decode import text_rnn, text_transformer
from tuwen.encode import image_cnn, image_pretrained
from tuwen.objective import caption, coverage
from tuwen.recipe import Recipe, Train
from tuwen.recipes._sizes import Sizes
from tuwen.space import projection
from tuwen.types import Facts, Route

_RECURRENT: dict[str, Any] = {"optimiser": "adamw", "lr": 1e-3}
"""How what is recurrent learns: its gates are no maps between layers."""


def cnn_transformer(facts: Facts) -> Recipe:
    """A CNN reads the picture, a transformer writes the caption over its grid."""
    size = Sizes.of(facts)
    return Recipe(
        name="cnn-transformer",
        encode={"image": image_cnn.Config(size=size.side)},
        space={"image": projection.Config(width=size.width, embed=0, dropout=size.dropout / 3, hidden=size.hidden)},
        decode={
            "text": text_transformer.Config(
                width=size.width,
                heads=size.heads,
                layers=size.layers,
                dropout=size.dropout,
                word_dropout=size.word_dropout,
                vocabulary=size.vocabulary,
                max_tokens=size.max_tokens,
            )
        },
        objective={"caption": caption.Config(smoothing=0.1)},
        routes={"caption": Route(given=("image",), make="text")},
        data=Data(captions="detailed" if size.small else "all"),
        train=Train(epochs=size.epochs, batch=32, optimiser="muon", lr=size.lr, ema=0.999, metric="cider"),
    )


def cnn_gru(facts: Facts) -> Recipe:
    """A CNN reads the picture, a GRU that starts from its pooled vector writes the caption."""
    return _recurrent(facts, "cnn-gru", "gru")


def cnn_lstm(facts: Facts) -> Recipe:
    """A CNN reads the picture, an LSTM that starts from its pooled vector writes the caption."""
    return _recurrent(facts, "cnn-lstm", "lstm")


def show_attend_tell(facts: Facts) -> Recipe:
    """A pretrained CNN's grid (--set encode.image.source=...), an LSTM that looks at a place for each word and can show which."""
    base, size = cnn_transformer(facts), Sizes.of(facts)
    width = 2 * size.width
    decoder = text_rnn.Config(
        cell="lstm",
        width=width,
        embed=size.width,
        attention=True,
        gate="whole",
        feed=False,
        dropout=0.3,
        vocabulary=size.vocabulary,
        max_tokens=size.max_tokens,
    )
    return replace(
        base,
        name="show-attend-tell",
        encode={"image": image_pretrained.Config()},
        space={"image": projection.Config(width=width, embed=0)},
        decode={"text": decoder},
        objective={**base.objective, "coverage": coverage.Config()},
        train=replace(base.train, **_RECURRENT),
    )


def _recurrent(facts: Facts, name: str, cell: str) -> Recipe:
    base, size = cnn_transformer(facts), Sizes.of(facts)
    decoder = text_rnn.Config(cell=cell, width=size.width, vocabulary=size.vocabulary, max_tokens=size.max_tokens)  # type: ignore[arg-type]
    return replace(base, name=name, decode={"text": decoder}, train=replace(base.train, **_RECURRENT))
