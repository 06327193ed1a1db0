"""Drawing taught by a critic (Goodfellow et al. 2014, arXiv:1406.2661; of texts: Reed et al. 2016, arXiv:1605.05396)."""

from __future__ import annotations

from dataclasses import replace

from tuwen.data._config import Data
from tuwen.decode import image_deconv
from tuwen.encode import text_transformer
from tuwen.fuse import attention
from tuwen.objective import adversarial, clip_guidance
from tuwen.recipe import Recipe, Train
from tuwen.recipes._sizes import Sizes
from tuwen.types import Facts, Route

_SMALL = 32
"""Side of pictures up to which they are drawn at their size; others at 64."""
_MANY = 20_000
"""Pictures from which a critic sees them as they are."""
_PICTURES = 400_000
"""Pictures that a critic sees at least, however few there are to see again and again."""


def text_gan(facts: Facts) -> Recipe:
    """Draws at once: a text and noise become a picture that a critic, who learns beside it, cannot tell from a real one."""
    size = Sizes.of(facts)
    small = facts.picture_side <= _SMALL
    # no dropout: a critic tells two texts apart by what they are encoded to
    text = text_transformer.Config(
        width=size.width, heads=4, layers=2, dropout=0.0, vocabulary=size.vocabulary, max_tokens=size.max_tokens
    )
    drawn = image_deconv.Config(
        side=max(8, round(facts.picture_side / 4) * 4) if small else 64,
        channels=facts.picture_channels,
        widths=(64,) if small else (64, 32),
        shuffle=2,
        blocks=0,
        read="pooled" if small else "tokens",
        noise=64,
    )
    return Recipe(
        name="text-gan",
        encode={"text": text},
        fuse={"words": attention.Config(width=size.width, heads=4)},
        decode={"image": drawn},
        objective={
            "adversarial": adversarial.Config(
                widths=(32, 64, 128) if small else (32, 64, 128, 128),
                # many pictures cannot be learned by heart, and are learned sooner as they are
                changes=("colour", "translation", "cutout") if facts.num_train < _MANY else (),
            )
        },
        routes={"draw": Route(given=("text",), make="image", fuse="words")},
        data=Data(captions="longest_first" if size.small else "one"),
        train=Train(
            epochs=min(400.0, max(4.0, _PICTURES / max(1, facts.num_train))),
            batch=32,
            lr=1e-3,
            weight_decay=0.0,
            betas=(0.0, 0.99),
            warmup=0.01,
            clip=0.0,
            ema=0.995,
            metric="drawn_distance",
        ),
    )


def clip_gan(facts: Facts) -> Recipe:
    """As `text-gan`, and its pictures fit their texts in the eyes of a model that matches (--set objective.clip_guidance.source=...)."""
    base = text_gan(facts)
    return replace(
        base,
        name="clip-gan",
        objective={**base.objective, "clip_guidance": clip_guidance.Config()},
        weight={"clip_guidance": 2.0},
    )
