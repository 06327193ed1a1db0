"""Networks that look at drawn and real pictures: one of tuwen's own, a vision model of transformers, or the Inception
network of published distances (`_inception.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from tuwen.data._config import Data
from tuwen.data._picture import square
from tuwen.embedder import Own as OwnEmbedder
from tuwen.embedder import prepared
from tuwen.encode._image import Fit
from tuwen.errors import CannotError, ConfigError, DataError
from tuwen.metric.clipscore import Embedder
from tuwen.task._asking import ROWS, asking, pictures
from tuwen.types import Located, Picture, Sample

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
    options: Data = field(default_factory=Data)
    """How rows are read."""
    broken: dict[str, str] = field(default_factory=dict)
    """Key -> why of training rows that cannot be read, where options.on_error is "skip"."""
    _known: dict[tuple[int, Fit], tuple[list[Sample], np.ndarray]] = field(default_factory=dict)

    def known_at(self, side: int, fit: Fit = "squash") -> tuple[list[Sample], np.ndarray]:
        """The training rows whose pictures can be read, of `MOST_KNOWN` at most, and their (K, D) features; looked at once.

        Raises:
            DataError: one cannot be read and options.on_error is "raise".
        """
        if (side, fit) not in self._known:
            rows = [row for row in self.known if row.fields.get("image") is not None]
            rows = rows[:: -(-len(rows) // MOST_KNOWN)] if rows else []
            parts = [self._looked(rows[start : start + ROWS], side, fit) for start in range(0, len(rows), ROWS)]
            there = [row for row in rows if row.key not in self.broken]
            self._known[side, fit] = there, np.concatenate([one for one in parts if len(one)] or [np.zeros((0, 0))])
        return self._known[side, fit]

    def real(self, row: Sample, side: int, fit: Fit = "squash") -> np.ndarray:
        """As `real`, of the picture of a row; raises DataError where it cannot be read."""
        return real(Located(row.fields["image"], row.where, self.options.max_pixels), side, fit)

    def _looked(self, rows: Sequence[Sample], side: int, fit: Fit) -> np.ndarray:
        images = []
        for row in rows:
            try:
                images.append(self.real(row, side, fit))
            except DataError as error:
                if self.options.on_error == "raise":
                    raise
                self.broken[row.key] = str(error)
        return self.eye.look(images).feature_ND if images else np.zeros((0, 0))


def real(picture: Picture | Located, side: int, fit: Fit = "squash") -> np.ndarray:
    """A real picture as large as the drawn ones, and made square as those that were learned from, (side, side, 3) uint8: what
    a network sees of both differs in nothing else."""
    return square(picture, side, fit).permute(1, 2, 0).numpy()


def open_eye(source: str, device: str | torch.device = "cpu", *, where: str = "--features") -> Eye:
    """The network behind a name.

    Args:
        source: a model directory of tuwen that reads pictures; a folder made by `save_pretrained`, or a name of the Hugging
            Face hub, of a vision model of transformers; a file of the weights of the Inception network of 2015.
        where: what names it, for messages.
    Raises:
        CannotError: a model of tuwen that reads no pictures.
        ConfigError, CheckpointError, MissingExtraError: there is no such model, or it cannot be loaded.
    """
    from tuwen.directory import RECIPE, load
    from tuwen.encode.image_pretrained import Config
    from tuwen.judge._inception import HELP, Inception

    path = Path(source)
    if (path / RECIPE).is_file():
        return Own(load(source, device), where=where)
    if path.is_file() or (path.suffix in (".pth", ".pt") and not path.is_dir()):
        return Inception(path, device, where=where)
    part = Config(source=source).build()
    try:
        part.fit([])
    except ConfigError as error:
        raise ConfigError(
            f"{where} {source}: {error} It takes a model directory (a classifier of the same data is a good one), a vision "
            f"model of transformers, or a file of weights. {HELP}"
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
        feature_ND = latent.pooled.cpu().double().numpy()
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
        return Glance(self.model(data.to(device), mask).pooled.cpu().double().numpy(), [])

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
