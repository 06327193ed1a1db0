"""Kernel distance of drawn and real pictures: the squared maximum mean discrepancy under a polynomial kernel.

Unbiased, so that few pictures do not make it larger: 0 in the mean where both come of one distribution, and below 0 half of the
time then. Its spread over subsets says how far a number can be trusted.

Source:
    Bińkowski et al. 2018, "Demystifying MMD GANs", ICLR, arXiv:1801.01401, sections 2.1 and 4, with the kernel
    (x y / D + 1)^3; the estimate: Gretton et al. 2012, "A Kernel Two-Sample Test", JMLR 13, eq. 3.
Differs:
    a subset has at most half of the pictures, so that subsets of few pictures differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tuwen.errors import ConfigError
from tuwen.metric._features import Compared, checked


@dataclass(frozen=True, kw_only=True)
class Config:
    """Kernel distance."""

    subsets: int = 100
    """Subsets that are drawn, at least 1."""
    size: int = 1000
    """Most pictures of a subset, at least 2."""

    def build(self) -> Kid:
        return Kid(self)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(batch), np.eye(batch)[::-1]


class Kid(Compared):
    """Collects features by `update`."""

    direction = "lower"
    range: tuple[float, float] = (float("-inf"), float("inf"))

    def __init__(self, config: Config) -> None:
        super().__init__()
        if config.subsets < 1 or config.size < 2:
            raise ConfigError(f"subsets is {config.subsets} and size {config.size}; give at least 1 and 2")
        self.config = config

    def result(self) -> dict[str, float]:
        """kid, the mean over the subsets; kid_spread, their standard deviation.

        Raises:
            ShapeError, DataError: as `kernel_distance`.
        """
        found = kernel_distance(*self.points(), subsets=self.config.subsets, size=self.config.size)
        return {"kid": found.value, "kid_spread": found.spread}


class KernelDistance(NamedTuple):
    """Mean and standard deviation over subsets."""

    value: float
    spread: float


def kernel_distance(
    real_ND: np.ndarray, drawn_MD: np.ndarray, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> KernelDistance:
    """The distance of two samples, over subsets of as many of both.

    Args:
        real_ND, drawn_MD: (N, D) and (M, D) features.
        size: most pictures of a subset.
        seed: same seed, same subsets.
    Raises:
        ShapeError: not two axes, or different widths.
        DataError: fewer than three of one, or a feature that is not finite.
    """
    real, drawn = checked(real_ND, drawn_MD, least=3)
    random = np.random.default_rng(seed)
    num = min(size, (min(len(real), len(drawn)) + 1) // 2)
    found = [mmd2(*(of[random.choice(len(of), num, replace=False)] for of in (real, drawn))) for _ in range(subsets)]
    return KernelDistance(float(np.mean(found)), float(np.std(found)))


def mmd2(first_ND: np.ndarray, second_MD: np.ndarray) -> float:
    """The unbiased squared discrepancy of two samples of at least two.

    Example:
        >>> mmd2(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))
        7.0
    """

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        found: np.ndarray = (a @ b.T / a.shape[1] + 1) ** 3
        return found

    def within(a: np.ndarray) -> float:
        kernel_NN = kernel(a, a)
        return float((kernel_NN.sum() - np.trace(kernel_NN)) / (len(a) * (len(a) - 1)))

    return within(first_ND) + within(second_MD) - 2 * float(kernel(first_ND, second_MD).mean())


__all__ = ["Config", "KernelDistance", "Kid", "kernel_distance", "mmd2"]
