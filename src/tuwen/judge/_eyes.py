"""Networks that look at drawn and real pictures: one of tuwen's own, or a vision model of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from tuwen.data._picture import square
from tuwen.embedder import Own as OwnEmbedder
from tuwen.embedder import prepared
from tuwen.encode._image import Fit
from tuwen.errors import CannotError, ConfigError
from tuwen.metric.clipscore import Embedder
from tuwen.task._asking import ROWS, asking, pictures
from tuwen.types import Picture, Sample

MOST_KNOWN = 20_000
"""Training pictures that are looked through for the nearest; of more, so many at even distances."""


class Glance(NamedTuple):
    """What a network makes of N pictures."""

    feature_ND: np.ndarray
    named: list[str]
    """The class of each; none from a network without classes."""


class Eye(Protocol):
    """A network with features."""

    classes: list[str]
    """What it can name; empty where it names nothing."""
    model: Any
    """The network."""

    def look(self, images: Sequence[Picture]) -> Glance:
        """Features, and classes where it has some."""

    def grid(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, T, D) its last grid for pictures of 0 to 1, any size, as it sees files; gradients flow to the pixels."""


@dataclass
class Eyes:
    """What drawn pictures are judged with."""

    eye: Eye
    """Gives the features in which pictures are compared."""
    matcher: Embedder | None = None
    """Says how well pictures and texts fit; None: that is not asked."""
    known: Sequence[Sample] = ()
    """Training rows, for the nearest picture of each; empty: that is not asked."""
    _features: dict[tuple[int, Fit], np.ndarray] = field(default_factory=dict)

    def known_rows(self) -> list[Sample]:
        """The training rows that have pictures, at most `MOST_KNOWN`."""
        rows = [row for row in self.known if row.fields.get("image") is not None]
        return rows[:: -(-len(rows) // MOST_KNOWN)] if rows else []

    def known_features(self, side: int, fit: Fit = "squash") -> np.ndarray:
        """(K, D) of `known_rows`, looked at once."""
        if (side, fit) not in self._features:
            images = [row.fields["image"] for row in self.known_rows()]
            parts = [images[start : start + ROWS] for start in range(0, len(images), ROWS)]
            found = [self.eye.look([real(image, side, fit) for image in part]) for part in parts]
            self._features[side, fit] = np.concatenate([one.feature_ND for one in found])
        return self._features[side, fit]


def real(picture: Picture, side: int, fit: Fit = "squash") -> np.ndarray:
    """A real picture as large as the drawn ones, and made square as those that were learned from, (side, side, 3) uint8: what
    a network sees of both differs in nothing else."""
    return square(picture, side, fit).permute(1, 2, 0).numpy()


def open_eye(source: str, device: str | torch.device = "cpu", *, where: str = "--features") -> Eye:
    """The network behind a name.

    Args:
        source: a model directory of tuwen that reads pictures; a folder made by `save_pretrained`, or a name of the Hugging
            Face hub, of a vision model of transformers.
        where: what names it, for messages.
    Raises:
        CannotError: a model of tuwen that reads no pictures.
        ConfigError, CheckpointError, MissingExtraError: there is no such model, or it cannot be loaded.
    """
    from tuwen.directory import RECIPE, load
    from tuwen.encode.image_pretrained import Config

    if (Path(source) / RECIPE).is_file():
        return Own(load(source, device), where=where)
    part = Config(source=source).build()
    try:
        part.fit([])
    except ConfigError as error:
        raise ConfigError(
            f"{where} {source}: {error} It takes a model directory (a classifier of the same data is a good one) or a vision "
            "model of transformers. The Inception network of published numbers is in no package of tuwen: name its folder."
        ) from error
    return Pretrained(part.to(device).eval())


class Own:
    """A model of tuwen; its features are the pooled vectors of its space, of length 1 where it compares them by angle."""

    def __init__(self, model: Any, *, where: str = "--features"):
        from tuwen.task import classify, match

        if "image" not in model.encoders:
            can = ", ".join(model.can()) or "nothing"
            raise CannotError(
                f"{where} names a model that reads no pictures; it can: {can}. `tuwen train DATA -r classifier` trains "
                "one that does."
            )
        self.model, self.matches = model, match.able(model)
        alone = [label for label, (_, route) in classify.routes_of(model).items() if not route.fuse]
        deciding = [model.decoders[label] for label in alone if not model.decoders[label].several]
        self.decoder: Any = deciding[0] if deciding else None
        self.classes: list[str] = deciding[0].classes if deciding else []

    def look(self, images: Sequence[Picture]) -> Glance:
        """Features, and the likeliest class of a classifier."""
        with asking(self.model):
            latent = self.model.latent("image", pictures(self.model, images).inputs["image"])
            likeliest = [] if self.decoder is None else self.decoder.make(latent).argmax(1).tolist()
        feature_ND = latent.pooled.double().cpu().numpy()
        if self.matches:
            feature_ND = feature_ND / np.maximum(np.linalg.norm(feature_ND, axis=1, keepdims=True), 1e-12)
        return Glance(feature_ND, [self.classes[k] for k in likeliest])

    def grid(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, T, D) the tokens of its encoder."""
        return _grid(self.model.encoders["image"], pixels_PCHW)


class Pretrained:
    """A vision model of transformers; its features are the mean of its last grid."""

    classes: list[str] = []

    def __init__(self, part: Any):
        self.model = part

    @torch.inference_mode()
    def look(self, images: Sequence[Picture]) -> Glance:
        """Features."""
        data, mask = self.model.prepare(images)
        device = next(self.model.parameters()).device
        return Glance(self.model(data.to(device), mask).pooled.double().cpu().numpy(), [])

    def grid(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, T, D) its last grid."""
        return _grid(self.model, pixels_PCHW)


def _grid(encoder: Any, pixels_PCHW: Tensor) -> Tensor:
    """(P, T, D) the tokens of an encoder; where it has none, its vector as the only one."""
    latent = encoder(prepared(encoder, pixels_PCHW))
    return latent.pooled[:, None] if latent.tokens is None else latent.tokens


def matcher_of(eye: Eye) -> Embedder | None:
    """The network itself, where it has pictures and texts in one space."""
    return OwnEmbedder(eye.model) if isinstance(eye, Own) and eye.matches else None


__all__ = ["Eye", "Eyes", "Glance", "matcher_of", "open_eye", "real"]
