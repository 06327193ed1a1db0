"""Fréchet distance of drawn and real pictures: of the normal distributions that fit their features.

    |mean - mean'|^2 + trace(C + C' - 2 (C C')^(1/2))

0 where both are alike in mean and covariance C. It is the larger, the fewer pictures there are, also where both are real: compare
distances of as many pictures, and look at that of real and real pictures beside. Numbers of two networks do not compare;
published ones are of the Inception network of 2015, which `tuwen evaluate --features pt_inception-2015-12-05-6726825d.pth`
looks with (`judge/_inception.py`), and of 50,000 pictures.

Source:
    Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS,
    arXiv:1706.08500, eq. 6; how it depends on the number of pictures: Chong and Forsyth 2020, arXiv:1911.07023.
Differs:
    with R the triangular factor of the centred features, the trace of the root is the sum of the singular values of R R'^T:
    no root of a matrix is taken, so that fewer pictures than features do no harm to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.metric._features import Compared, checked


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fréchet distance; nothing to set."""

    def build(self) -> Fid:
        return Fid()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(batch), np.eye(batch)[::-1]


class Fid(Compared):
    """Collects features by `update`."""

    direction = "lower"
    range: tuple[float, float] = (0.0, float("inf"))

    def result(self) -> dict[str, float]:
        """fid; fid_rank: directions in which both vary, at most one less than there are pictures of each.

        Raises:
            ShapeError, DataError: as `frechet`.
        """
        found = frechet(*self.points())
        return {"fid": found.value, "fid_rank": float(found.rank)}


@dataclass(frozen=True)
class Frechet:
    """A distance, and what it rests on."""

    value: float
    rank: int
    """Directions in which the pictures vary, of those of the two that vary less."""
    width: int
    """Features; where the rank is lower, nothing is known of the other directions."""


def frechet(real_ND: np.ndarray, drawn_MD: np.ndarray) -> Frechet:
    """The distance of two samples.

    Args:
        real_ND, drawn_MD: (N, D) and (M, D) features.
    Raises:
        ShapeError: not two axes, or different widths.
        DataError: fewer than two of one, or a feature that is not finite.
    Example:
        >>> round(frechet(np.array([[-1.0], [1.0]]), np.array([[2.0], [4.0]])).value, 6)
        9.0
    """
    real, drawn = checked(real_ND, drawn_MD)
    factor, other = _factor(real), _factor(drawn)
    shared = np.linalg.svd(factor @ other.T, compute_uv=False).sum()
    value = ((real.mean(0) - drawn.mean(0)) ** 2).sum() + (factor**2).sum() + (other**2).sum() - 2 * shared
    rank = min(int(np.linalg.matrix_rank(one)) for one in (factor, other))
    return Frechet(max(0.0, float(value)), rank, real.shape[1])


def _factor(point_ND: np.ndarray) -> np.ndarray:
    """R of as many rows as there are pictures, at most D, with R^T R the covariance."""
    factor: np.ndarray = np.linalg.qr(point_ND - point_ND.mean(0), mode="r") / np.sqrt(len(point_ND) - 1)
    return factor


__all__ = ["Config", "Fid", "Frechet", "frechet"]
