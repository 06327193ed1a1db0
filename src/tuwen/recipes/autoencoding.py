"""Pictures, and texts, through a bottleneck and back.

Hinton and Salakhutdinov 2006, Science 313; Kingma and Welling 2013, arXiv:1312.6114; both in one space: Ngiam et al. 2011,
"Multimodal Deep Learning", ICML; Chandar et al. 2016, arXiv:1504.07225.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tuwen.data._config import Data
from tuwen.decode import image_deconv
from tuwen.decode import image_dense as decode_dense
from tuwen.decode import text_transformer as decode_text
from tuwen.encode import image_cnn
from tuwen.encode import image_dense as encode_dense
from tuwen.encode import text_transformer as encode_text
from tuwen.objective import alignment, caption, elbo, reconstruction
from tuwen.recipe import Recipe, Train
from tuwen.recipes._sizes import Sizes
from tuwen.space import bottleneck, gaussian, vector_quantized
from tuwen.types import Facts, Route

_SMALL = 32
"""Side of pictures up to which they are kept at their size."""
_PIXELS = 20.0
"""Weight of the squared error of a pixel beside the nats of a word."""


def dense_autoencoder(facts: Facts) -> Recipe:
    """A picture as 32 numbers and back, through dense layers of 128 and 64."""
    side, channels = _picture(facts)
    return Recipe(
        name="dense-autoencoder",
        encode={"image": encode_dense.Config(size=side, channels=channels, widths=(128, 64))},
        space={"image": bottleneck.Config(width=32)},
        decode={"image": decode_dense.Config(side=side, channels=channels, hidden=(64, 128))},
        objective={"reconstruction": reconstruction.Config()},
        routes={"reconstruct": Route(given=("image",), make="image")},
        train=_train(facts, 1_000_000),
    )


def conv_autoencoder(facts: Facts) -> Recipe:
    """A picture as 32 numbers and back, through convolutions."""
    side, channels = _picture(facts)
    small = side <= _SMALL
    encoder = image_cnn.Config(
        size=side, channels=channels, stem=16, stride=1 if small else 2, widths=(32, 64), pool="flat"
    )
    widths = (64, 16) if small else (64, 32, 16)
    return replace(
        dense_autoencoder(facts),
        name="conv-autoencoder",
        encode={"image": encoder},
        decode={"image": image_deconv.Config(side=side, channels=channels, widths=widths)},
        train=_train(facts, 120_000),
    )


def vae(facts: Facts) -> Recipe:
    """A picture as a normal distribution of 16 to 64 numbers and back; draws new ones like those it has learned."""
    base, (side, channels) = conv_autoencoder(facts), _picture(facts)
    if side <= _SMALL and channels == 1:
        base = replace(
            base,
            encode={"image": encode_dense.Config(size=side, widths=(512,))},
            decode={"image": decode_dense.Config(side=side, hidden=(512,))},
        )
    return replace(
        base,
        name="vae",
        space={"image": gaussian.Config(width=16 if side <= _SMALL else 64)},
        objective={"elbo": elbo.Config()},
        train=replace(_train(facts, 400_000), clip=0.0),
    )


def vqvae(facts: Facts) -> Recipe:
    """A picture as a grid of codes and back: the tokenizer of pictures."""
    side, channels = _picture(facts)
    small = side <= _SMALL
    return Recipe(
        name="vqvae",
        encode={
            "image": image_cnn.Config(
                size=side, channels=channels, stem=32, stride=1 if small else 2, widths=(64, 64), blocks=(1, 1)
            )
        },
        space={"image": vector_quantized.Config()},
        decode={
            "image": image_deconv.Config(
                side=side, channels=channels, widths=(64, 32) if small else (64, 64, 32), read="grid"
            )
        },
        objective={"reconstruction": reconstruction.Config()},
        weight={"reconstruction": _PIXELS, "commitment": 0.25},
        routes={"reconstruct": Route(given=("image",), make="image")},
        train=_train(facts, 400_000),
    )


def multimodal_autoencoder(facts: Facts) -> Recipe:
    """Pictures and texts in one space of 256 numbers: each back from itself, and from the other; either may be missing."""
    size, image = Sizes.of(facts), conv_autoencoder(facts)
    seen, drawn = replace(image.encode["image"], widths=(64, 128)), image.decode["image"]
    if drawn.side > _SMALL:
        seen = replace(seen, widths=(64, 128, 128), blocks=(1, 1, 1))
        drawn = replace(drawn, widths=(128, 64, 32), shuffle=2, blocks=0)
    more = facts.num_train / facts.num_pairs if facts.num_pairs else 1.0
    more = min(4.0, max(1.0, more))  # rows that lack a side come on top: a step has as many pairs as ever
    text: dict[str, Any] = {
        "width": size.width,
        "heads": size.heads,
        "layers": 2,
        "dropout": size.dropout,
        "vocabulary": size.vocabulary,
        "max_tokens": size.max_tokens,
    }
    return Recipe(
        name="multimodal-autoencoder",
        encode={
            "image": seen,
            "text": encode_text.Config(**text),
        },
        space={field: bottleneck.Config(width=256) for field in ("image", "text")},
        decode={"image": drawn, "text": decode_text.Config(**text)},
        objective={
            "reconstruct": reconstruction.Config(term="reconstruct"),
            "repeat": reconstruction.Config(route="repeat", kind="words", term="repeat"),
            "caption": caption.Config(),
            "draw": reconstruction.Config(route="draw", term="draw"),
            "alignment": alignment.Config(),
        },
        weight={"reconstruct": _PIXELS, "draw": _PIXELS},
        routes={
            "reconstruct": Route(given=("image",), make="image"),
            "repeat": Route(given=("text",), make="text"),
            "caption": Route(given=("image",), make="text"),
            "draw": Route(given=("text",), make="image"),
        },
        data=Data(captions="one"),
        train=Train(
            epochs=more * size.epochs, batch=round(32 * more), optimiser="muon", lr=size.lr, ema=0.999, metric="cider"
        ),
    )


def _picture(facts: Facts) -> tuple[int, int]:
    """Side and channels of what goes through: small pictures as they are, others at 64 pixels."""
    side = max(4, round(facts.picture_side / 4) * 4) if facts.picture_side <= _SMALL else 64
    return side, facts.picture_channels


def _train(facts: Facts, pictures: int) -> Train:
    """Some pictures long, however few there are to see again and again."""
    epochs = min(400.0, max(2.0, pictures / max(1, facts.num_train)))
    return Train(epochs=epochs, batch=64, lr=2e-3, weight_decay=0.0, betas=(0.9, 0.999))
