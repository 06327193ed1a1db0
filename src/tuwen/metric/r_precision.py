"""R-precision: whether a drawn picture fits its own text better than the texts of others, by a model that matches.

Each picture is compared with its own text and others that are drawn at random, 100 in all; it counts if its own fits best. Ties
never flatter: a tie with t others counts 1 / (t + 1). Ask a model that had no part in the training of the one that
draws, and look at the same of the real pictures beside: no drawing can be expected to do better.

Source:
    Xu et al. 2018, "AttnGAN", CVPR, arXiv:1711.10485, section 4; by CLIP instead of a network that had trained the generator:
    Park et al. 2021, "Benchmark for Compositional Text-to-Image Synthesis", NeurIPS Datasets and Benchmarks.
Differs:
    the others are different texts: a class name is not compared with itself. Where there are fewer, all are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric.recall import Standing


@dataclass(frozen=True, kw_only=True)
class Config:
    """R-precision."""

    candidates: int = 100
    """Texts that each picture is compared with, its own among them; at least 2."""

    def build(self) -> RPrecision:
        return RPrecision(self)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.eye(batch), np.eye(batch), np.arange(batch)


class RPrecision:
    """Takes pictures and texts by `update`; each update is compared within itself."""

    direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("images", "texts", "own")

    def __init__(self, config: Config) -> None:
        if config.candidates < 2:
            raise ConfigError(f"candidates is {config.candidates}; give at least 2, as in candidates=100")
        self.config = config
        self._hits: list[np.ndarray] = []

    def update(self, image_ND: np.ndarray, text_MD: np.ndarray, own_N: np.ndarray) -> None:
        """Adds pictures. Arguments and errors: as `hits`."""
        self._hits.append(hits(image_ND, text_MD, own_N, candidates=self.config.candidates))

    def result(self) -> dict[str, float]:
        """r_precision.

        Raises:
            DataError: no pictures were added.
        """
        if not self._hits:
            raise DataError("no pictures to compare; call update(images, texts, own) before result()")
        return {"r_precision": float(np.concatenate(self._hits).mean())}


def hits(
    image_ND: np.ndarray, text_MD: np.ndarray, own_N: np.ndarray, *, candidates: int = 100, seed: int = 0
) -> np.ndarray:
    """(N,) probability that the own text of each picture stands first.

    Args:
        image_ND, text_MD: vectors whose dot product says how well they fit; different texts only.
        own_N: (N,) int, the text of each picture.
        candidates: texts that are compared, the own one among them; all where there are fewer.
        seed: same seed, same texts.
    Raises:
        ShapeError: the arrays do not fit each other.
        DataError: fewer than two texts, or a text that there is not.
    Example:
        >>> hits(np.eye(2), np.eye(2), np.array([0, 0])).tolist()
        [1.0, 0.0]
    """
    image_ND, text_MD, own_N = np.asarray(image_ND, float), np.asarray(text_MD, float), np.asarray(own_N)
    if image_ND.ndim != 2 or text_MD.ndim != 2 or image_ND.shape[1] != text_MD.shape[1]:
        raise ShapeError(
            f"pictures have shape {image_ND.shape} and texts {text_MD.shape}; give (pictures, width) and (texts, width)"
        )
    if own_N.shape != image_ND.shape[:1]:
        raise ShapeError(f"own texts have shape {own_N.shape} for {len(image_ND)} pictures; give one for each")
    num = len(text_MD)
    if num < 2 or len(bad := np.flatnonzero((own_N < 0) | (own_N >= num))):
        what = "one text is no choice" if num < 2 else f"picture {bad[0]} has text {own_N[bad[0]]}"
        raise DataError(f"{what}; give two texts or more, and the number of its own, from 0, for each picture")
    random, taken = np.random.default_rng(seed), min(candidates, num) - 1
    above_N, tied_N = np.zeros(len(own_N)), np.zeros(len(own_N))
    for row, own in enumerate(own_N):
        others = random.choice(num - 1, taken, replace=False)
        score_C = text_MD[others + (others >= own)] @ image_ND[row]
        right = float(text_MD[own] @ image_ND[row])
        above_N[row], tied_N[row] = (score_C > right).sum(), (score_C == right).sum() + 1
    return Standing(above_N, tied_N, np.ones(len(own_N))).hit_Q(1)


__all__ = ["Config", "RPrecision", "hits"]
