"""Sizes of a model that follow how much data there is."""

from __future__ import annotations

from dataclasses import dataclass

from tuwen.types import Facts


@dataclass(frozen=True)
class Sizes:
    """What the recipes of one family have in common."""

    small: bool
    """Whether pictures have at most 96 pixels a side, as drawn worlds, icons and digits have: simple, and soon learned."""
    side: int
    """Side of the pictures that an encoder trained from scratch sees, in pixels."""
    width: int
    """Width of tokens and layers; a multiple of 64."""
    heads: int
    """Attention heads; small ones, since a picture holds several things to look at."""
    layers: int
    """Blocks of the text decoder."""
    vocabulary: int
    """Upper bound of the vocabulary."""
    max_tokens: int
    """Longest caption, in tokens."""
    dropout: float
    """Share that the transformers drop in training."""
    hidden: float
    """Share of a picture's tokens that training hides."""
    word_dropout: float
    """Share of the words before that training hides from a decoder."""
    lr: float
    """Peak learning rate of muon: half as many steps as with adamw, each 1.2 to 1.5 times as long."""
    epochs: float
    """Passes over the data where no time limit is given."""

    @classmethod
    def of(cls, facts: Facts) -> Sizes:
        captions, small = max(facts.num_captions, facts.num_train), facts.picture_side <= 96
        few = not small and captions < 200_000  # seen so often that they would be learned by heart
        return cls(
            small=small,
            side=64 if small else 128,
            width=128 if small or captions < 1_000 else 256 if captions < 200_000 else 384,
            heads=8 if small else 4 if captions < 200_000 else 6,
            layers=2 if small or captions < 1_000 else 3,
            vocabulary=1_000 if captions < 2_000 else 3_000 if captions < 100_000 else 8_000,
            max_tokens=int(min(128, max(32, 4 * facts.words_per_caption))),
            dropout=0.3 if few else 0.0 if small else 0.1,
            hidden=0.2 if few else 0.0,
            word_dropout=0.1 if few else 0.0,
            lr=5e-3 if small else 2e-3,
            epochs=min(400.0, max(4.0, 100_000 / max(1, facts.num_train))),
        )
