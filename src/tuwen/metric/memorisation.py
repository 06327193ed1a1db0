"""Whether drawn pictures are training pictures: the share that lies nearer to one than nearly all new real pictures do.

Nearer than all but a twentieth of the new real pictures, that is; of these it is therefore a twentieth. Ties count as half
nearer. A model that draws typical pictures only comes nearer to the training part too, without copying: look at the nearest
ones, which the page of an evaluation shows.

Source:
    the comparison of distances to the training part: Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in
    Generative Models", AISTATS, arXiv:2004.05675, section 3.
Differs:
    a share that can be read instead of a test statistic over cells of the space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.errors import ConfigError, DataError
from tuwen.metric._features import checked, distances


@dataclass(frozen=True, kw_only=True)
class Config:
    """Memorisation."""

    level: float = 0.05
    """Share of the new real pictures that count as near too; above 0 and below 1."""

    def build(self) -> Memorisation:
        return Memorisation(self)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.eye(batch), np.eye(batch)[::-1], np.zeros((batch, batch))


class Memorisation:
    """Collects distances to the nearest training picture by `update`."""

    direction = "lower"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("real", "drawn", "known")

    def __init__(self, config: Config) -> None:
        if not 0 < config.level < 1:
            raise ConfigError(f"level is {config.level}; it lies between 0 and 1, as in level=0.05")
        self.config = config
        self._real: list[np.ndarray] = []
        self._drawn: list[np.ndarray] = []

    def update(self, real_ND: np.ndarray, drawn_MD: np.ndarray, known_KD: np.ndarray) -> None:
        """Adds real pictures that were not learned, drawn ones, and those that were learned (all of them each time).

        Raises:
            ShapeError, DataError: as `nearest`.
        """
        self._real.append(nearest(real_ND, known_KD)[0])
        self._drawn.append(nearest(drawn_MD, known_KD)[0])

    def result(self) -> dict[str, float]:
        """memorised: share of the drawn pictures; memorised_real: of the new real ones.

        Raises:
            DataError: no pictures were added.
        """
        if not self._real:
            raise DataError("no pictures to compare; call update(real, drawn, known) before result()")
        real_N, drawn_M = np.concatenate(self._real), np.concatenate(self._drawn)
        shares = {"memorised": nearer(drawn_M, real_N), "memorised_real": nearer(real_N, real_N)}
        return {name: float((share < self.config.level).mean()) for name, share in shares.items()}


def nearest(point_ND: np.ndarray, known_KD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) distance to the nearest training picture, and (N,) which it is.

    Args:
        point_ND, known_KD: (N, D) and (K, D) features.
    Raises:
        ShapeError: not two axes, or different widths.
        DataError: none of one, or a feature that is not finite.
    """
    known, point = checked(known_KD, point_ND, least=1)
    distance_N, place_N = np.zeros(len(point)), np.zeros(len(point), np.int64)
    for rows, distance in distances(point, known):
        place_N[rows] = distance.argmin(1)
        distance_N[rows] = distance.min(1)
    return distance_N, place_N


def nearer(distance_M: np.ndarray, real_N: np.ndarray) -> np.ndarray:
    """(M,) share of the new real pictures whose nearest training picture is nearer than this; a tie counts one half.

    Example:
        >>> nearer(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0])).tolist()
        [0.0, 0.375, 1.0]
    """
    sorted_N = np.sort(real_N)
    below, upto = (np.searchsorted(sorted_N, distance_M, side=side) for side in ("left", "right"))
    share: np.ndarray = (below + upto) / (2 * len(sorted_N))
    return share


__all__ = ["Config", "Memorisation", "nearer", "nearest"]
