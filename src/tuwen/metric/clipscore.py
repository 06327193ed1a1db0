"""CLIPScore: how well captions fit their pictures, by a model that matches both; with references, RefCLIPScore too.

Source:
    Hessel et al. 2021, "CLIPScore: A Reference-free Evaluation Metric for Image Captioning", EMNLP, arXiv:2104.08718,
    sections 3.1 and 3.2, with w = 2.5.
Differs:
    any model that matches can be asked. Numbers of two models do not compare, and those of the paper are of CLIP ViT-B/32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric._captions import Sums

_SMALL = 1e-12
"""Below this a vector has no direction, and a sum of scores is 0."""


class Embedder(Protocol):
    """A model that has pictures and texts in one space."""

    def images(self, values: Sequence[Any]) -> np.ndarray:
        """(N, D) a vector for each picture."""

    def texts(self, values: Sequence[str]) -> np.ndarray:
        """(N, D) a vector for each text."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """CLIPScore."""

    weight: float = 2.5
    """What a cosine is multiplied with; above 0. Published numbers use 2.5."""

    def build(self) -> ClipScore:
        return ClipScore(weight=self.weight)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[list[str], list[list[str]]]:
        return ["a red circle"] * batch, [["a red circle", "one circle"]] * batch


class ClipScore:
    """`result`: clipscore, and ref_clipscore where all captions have references; means of `per_item`."""

    scores = "captions"
    direction = "higher"
    range: tuple[float, float] = (0.0, 2.5)
    """Of clipscore; ref_clipscore is at most 1.43, the harmonic mean of 2.5 and 1."""
    needs: tuple[str, ...] = ("predictions", "references", "images", "embedder")

    def __init__(self, *, weight: float = 2.5) -> None:
        self.weight = weight
        self.embedder: Embedder | None = None
        """To be set before the first `update`."""
        self._clip: list[float] = []
        self._with_references: list[float] = []
        """0 where there are none."""
        self._referred: list[bool] = []

    def update(self, predictions: list[str], references: list[list[str]], images: Sequence[Any]) -> None:
        """Adds N captions, their references (groups may be empty) and their pictures; an empty caption scores 0.

        Raises:
            ConfigError: no embedder was set.
            ShapeError: not as many of one as of the others.
        """
        if self.embedder is None:
            raise ConfigError(
                "metric.clipscore needs a model that matches pictures and texts: --clip FOLDER names one, in Python "
                "metric.embedder = ..."
            )
        if not len(predictions) == len(references) == len(images):
            raise ShapeError(
                f"{len(predictions)} predictions, {len(references)} groups of references and {len(images)} pictures; give "
                "one of each for every caption"
            )
        if not predictions:
            return
        texts = list(dict.fromkeys(text for group in (predictions, *references) for text in group if text.strip()))
        vector_TD = _unit(self.embedder.texts(texts)) if texts else np.zeros((0, 1))
        place = {text: i for i, text in enumerate(texts)}
        for text, group, image_D in zip(predictions, references, _unit(self.embedder.images(images)), strict=True):
            others_RD = vector_TD[[place[one] for one in group if one.strip()]]
            self._add(vector_TD[place[text]] if text.strip() else None, image_D, others_RD)

    def _add(self, text_D: np.ndarray | None, image_D: np.ndarray, others_RD: np.ndarray) -> None:
        clip, near = clip_score(text_D, image_D, others_RD, self.weight)
        self._clip.append(clip)
        self._referred.append(len(others_RD) > 0)
        self._with_references.append(
            2 * clip * near / (clip + near) if clip + near > _SMALL and len(others_RD) else 0.0
        )

    def result(self) -> dict[str, float]:
        """clipscore: mean of w * max(cosine, 0); ref_clipscore: mean of its harmonic mean with the nearest reference,
        over the captions that have references."""
        rows_NM, of = self.sums()
        return of(rows_NM.sum(0))

    def per_item(self) -> list[float]:
        """clipscore of each caption, in the order of the updates."""
        return list(self._clip)

    def sums(self) -> Sums:
        """What each caption adds to the means."""
        if not self._clip:
            raise DataError("no captions to score; call update(predictions, references, images) before result()")
        rows_NM = np.column_stack([self._clip, self._with_references, np.ones(len(self._clip)), self._referred])

        def of(sums_M: np.ndarray) -> dict[str, float]:
            found = {"clipscore": float(sums_M[0] / sums_M[2])}
            return {**found, "ref_clipscore": float(sums_M[1] / sums_M[3])} if sums_M[3] else found

        return Sums(rows_NM, of)


def clip_score(
    text_D: np.ndarray | None, image_D: np.ndarray, others_RD: np.ndarray, weight: float
) -> tuple[float, float]:
    """w * max(cosine with the picture, 0), and the largest cosine with a reference, at least 0; 0 without a text.

    Example:
        >>> clip_score(np.array([1.0, 0.0]), np.array([0.6, 0.8]), np.array([[0.8, 0.6], [0.0, 1.0]]), 2.5)
        (1.5, 0.8)
    """
    if text_D is None:
        return 0.0, 0.0
    return weight * max(float(text_D @ image_D), 0.0), max([0.0, *(others_RD @ text_D).tolist()])


def _unit(vector_ND: np.ndarray) -> np.ndarray:
    """Each of length 1; one without a direction stays 0."""
    length_N1 = np.linalg.norm(vector_ND, axis=1, keepdims=True)
    return np.divide(vector_ND, length_N1, out=np.zeros_like(vector_ND, dtype=float), where=length_N1 > _SMALL)
