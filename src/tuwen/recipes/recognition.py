"""Recognition: what a picture shows, as one class or several; in pictures of things these are objects, attributes, actions."""

from __future__ import annotations

from tuwen.decode import label
from tuwen.encode import image_cnn
from tuwen.objective import classification
from tuwen.recipe import Recipe, Train
from tuwen.space import projection
from tuwen.types import Facts, Route

_SEEN = 600_000
"""Pictures that training sees where no time limit is given, each as often as there are fewer of them."""


def classifier(facts: Facts) -> Recipe:
    """A CNN reads the picture and names its label, or all of its labels; `encode.image=image_pretrained` for photos."""
    return Recipe(
        name="classifier",
        encode={"image": _encoder(facts)},
        space={"image": projection.Config(width=256, embed=0)},
        decode={"label": label.Config()},
        objective={"classification": classification.Config(smoothing=0.05)},
        routes={"classify": Route(given=("image",), make="label")},
        train=Train(
            epochs=min(200.0, max(4.0, _SEEN / max(1, facts.num_train))),
            batch=128,
            lr=4e-3,
            ema=0.999,
            evaluate_rows=2000,
            metric="average_precision",
        ),
    )


def _encoder(facts: Facts) -> image_cnn.Config:
    """Small pictures keep their size; mirrored and moved, since a label rarely says where a thing is."""
    if facts.picture_side <= 48:
        return image_cnn.Config(
            size=32, stride=1, stem=16, widths=(32, 64, 128), blocks=(1, 1, 1), flip=True, shift=1
        )  # fmt: skip
    if facts.picture_side <= 96:
        return image_cnn.Config(size=64, stem=32, widths=(64, 128), blocks=(1, 2), flip=True, shift=4)
    return image_cnn.Config(size=128, stem=32, widths=(64, 128, 256), blocks=(1, 1, 1), flip=True, shift=8)
