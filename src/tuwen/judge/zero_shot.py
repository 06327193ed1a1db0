"""Labels by their texts: a model that matches pictures and texts names classes that it was not trained to name.

Figures, of rows with one label, among all labels that occur:
    zero_shot_accuracy, zero_shot_accuracy_top5, zero_shot_balanced_accuracy, ..., as judge/labels.py has them.
Texts are made of the labels by the templates of `tuwen classify`; labels that are codes instead of words give chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tuwen.decode.label import labels_of
from tuwen.judge._named import Named
from tuwen.judge._rates import Weighted
from tuwen.task import match as matching
from tuwen.task._asking import asking
from tuwen.task._zero_shot import class_latent, shares
from tuwen.types import Batch, Latent, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal

_FIELD = "label"
_BEFORE = "zero_shot_"


def able(model: CrossModal) -> bool:
    """Whether the model matches pictures and texts, and has no decoder of labels."""
    named = any(getattr(part, "modality", "") == "label" for part in model.decoders.values())
    return matching.able(model) and not named


class Judge:
    """Collects the vectors of pictures that have one label."""

    less = ()
    """None: these are all better when higher."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model = model
        self.images: list[Latent] = []
        self.keys: list[str] = []
        self.labels: list[str] = []

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        latent = made.latents.get("image")
        if latent is None or not batch.raw:
            return
        owners = range(len(latent)) if latent.owner_P is None else latent.owner_P.tolist()
        found = [labels_of(batch.raw[owner].fields.get(_FIELD)) for owner in owners]
        kept = [(row, owner, found[row][0]) for row, owner in enumerate(owners) if len(found[row]) == 1]
        if kept:
            rows_R = torch.tensor([row for row, _, _ in kept], device=latent.pooled.device)
            self.images.append(Latent(latent.pooled[rows_R].float(), scale=latent.scale, bias=latent.bias))
            self.keys += [batch.keys[owner] for _, owner, _ in kept]
            self.labels += [label for _, _, label in kept]

    def rates(self) -> Iterable[tuple[Weighted, dict[str, float]]]:
        """The figures, with what chance gives; none where no row or only one class has a label."""
        if named := self._named():
            yield named[0].rates(_BEFORE), named[0].chance(_BEFORE)

    def rows(self) -> list[dict[str, Any]]:
        """One a row that has a label: key, label, zero_shot_named, zero_shot_probability."""
        if not (made := self._named()):
            return []
        named, classes = made
        said, sure = named.probability_NK.argmax(1).tolist(), named.probability_NK.max(1).round(4).tolist()
        return [
            {"key": key, "label": label, f"{_BEFORE}named": classes[k], f"{_BEFORE}probability": p}
            for key, label, k, p in zip(self.keys, self.labels, said, sure, strict=True)
        ]

    def _named(self) -> tuple[Named, list[str]] | None:
        classes = sorted(set(self.labels))
        if len(classes) < 2:
            return None
        with asking(self.model):
            texts = class_latent(self.model, classes)
            probability_NK = torch.cat([shares(image, texts) for image in self.images]).cpu().double().numpy()
        true_NK = np.array(self.labels)[:, None] == np.array(classes)
        return Named(probability_NK, true_NK, several=False), classes


__all__ = ["Judge", "able"]
