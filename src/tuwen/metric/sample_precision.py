"""Precision and recall of drawn pictures: whether they are like real ones, and all kinds of real ones among them.

Around each picture lies a ball that reaches to its k-th nearest neighbour of the same kind. Precision is the share of the drawn
pictures that lie in a ball of a real one, recall the share of the real ones in a ball of a drawn one. Density counts the
balls, so that one real outlier with a wide ball counts little, and may be above 1; coverage asks only for a drawn picture in
each real ball.

Source:
    Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS, arXiv:1904.06991,
    eq. 1 and 2, with k = 3; density and coverage: Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative
    Models", ICML, arXiv:2002.09797, eq. 3 and 4, which recommends k = 5 for these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.errors import ConfigError
from tuwen.metric._features import Compared, checked, distances


@dataclass(frozen=True, kw_only=True)
class Config:
    """Precision and recall by nearest neighbours."""

    k: int = 3
    """The neighbour that a ball reaches to, at least 1."""

    def build(self) -> SamplePrecision:
        return SamplePrecision(self)

    def tiny(self) -> Config:
        return Config(k=1)

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(batch), np.eye(batch)[::-1]


class SamplePrecision(Compared):
    """Collects features by `update`."""

    direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    """Of all but density, which may be higher."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        if config.k < 1:
            raise ConfigError(f"k is {config.k}; give at least 1, as in k=3")
        self.config = config

    def result(self) -> dict[str, float]:
        """sample_precision, sample_recall, sample_density, sample_coverage.

        Raises:
            ShapeError, DataError: as `overlap`.
        """
        return overlap(*self.points(), k=self.config.k).means()


@dataclass(frozen=True)
class Overlap:
    """Which pictures lie where those of the other kind lie."""

    precise_M: np.ndarray
    """bool: the drawn one lies in a real ball."""
    density_M: np.ndarray
    """Real balls that it lies in, divided by k."""
    recalled_N: np.ndarray
    """bool: the real one lies in the ball of a drawn one."""
    covered_N: np.ndarray
    """bool: a drawn one lies in its ball."""

    def columns(self) -> dict[str, np.ndarray]:
        """Figure -> what each picture adds to its mean."""
        return {
            "sample_precision": self.precise_M,
            "sample_recall": self.recalled_N,
            "sample_density": self.density_M,
            "sample_coverage": self.covered_N,
        }

    def means(self) -> dict[str, float]:
        """Figure -> its value."""
        return {name: float(of.mean()) for name, of in self.columns().items()}


def overlap(real_ND: np.ndarray, drawn_MD: np.ndarray, *, k: int = 3) -> Overlap:
    """How two samples overlap.

    Args:
        real_ND, drawn_MD: (N, D) and (M, D) features.
    Raises:
        ShapeError: not two axes, or different widths.
        DataError: not more than k of one, or a feature that is not finite.
    """
    real, drawn = checked(real_ND, drawn_MD, least=k + 1)
    real_reach_N, drawn_reach_M = _reach(real, k), _reach(drawn, k)
    balls_M, recalled_N, covered_N = np.zeros(len(drawn)), np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, distance in distances(real, drawn):
        inside = distance <= real_reach_N[rows, None]
        balls_M += inside.sum(0)
        covered_N[rows] = inside.any(1)
        recalled_N[rows] = (distance <= drawn_reach_M).any(1)
    return Overlap(balls_M > 0, balls_M / k, recalled_N, covered_N)


def _reach(point_ND: np.ndarray, k: int) -> np.ndarray:
    """(N,) distance to the k-th nearest other one."""
    reach_N = np.zeros(len(point_ND))
    for rows, distance in distances(point_ND, point_ND):
        distance[np.arange(len(distance)), np.arange(rows.start, rows.stop)] = np.inf
        reach_N[rows] = np.partition(distance, k - 1, axis=1)[:, k - 1]
    return reach_N


__all__ = ["Config", "Overlap", "SamplePrecision", "overlap"]
