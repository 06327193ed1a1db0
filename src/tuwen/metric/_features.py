"""Real and drawn pictures as points in the feature space of a network: what the metrics of drawn pictures share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tuwen.errors import DataError, ShapeError

_BLOCK = 4_000_000
"""Distances that are held at once."""


class Compared:
    """Base of metrics that compare drawn pictures with real ones; collects the features of both."""

    needs: tuple[str, ...] = ("real", "drawn")

    def __init__(self) -> None:
        self._real: list[np.ndarray] = []
        self._drawn: list[np.ndarray] = []

    def update(self, real_ND: np.ndarray, drawn_MD: np.ndarray) -> None:
        """Adds pictures; either may be none.

        Args:
            real_ND, drawn_MD: (N, D) and (M, D), features that one network makes of them.
        """
        self._real.append(np.asarray(real_ND))
        self._drawn.append(np.asarray(drawn_MD))

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """All real and all drawn ones.

        Raises:
            DataError: no pictures were added.
        """
        if not self._real:
            raise DataError("no pictures to compare; call update(real, drawn) before result()")
        return np.concatenate(self._real), np.concatenate(self._drawn)


def checked(real_ND: np.ndarray, drawn_MD: np.ndarray, *, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64.

    Args:
        least: pictures that there must be of each.
    Raises:
        ShapeError: not two axes, or different widths.
        DataError: too few, or a feature that is not finite.
    """
    real, drawn = np.asarray(real_ND, np.float64), np.asarray(drawn_MD, np.float64)
    if real.ndim != 2 or drawn.ndim != 2 or real.shape[1] != drawn.shape[1]:
        raise ShapeError(
            f"features of real pictures have shape {real.shape} and of drawn ones {drawn.shape}; give (pictures, width), "
            "of one width"
        )
    for name, point_ND in (("real", real), ("drawn", drawn)):
        if len(point_ND) < least:
            raise DataError(f"{len(point_ND)} {name} pictures are too few to compare; give at least {least}")
        if not np.isfinite(point_ND).all():
            row = int(np.argwhere(~np.isfinite(point_ND))[0][0])
            raise DataError(f"{name} picture {row} has a feature that is not finite; the network cannot judge it")
    return real, drawn


def distances(point_ND: np.ndarray, other_MD: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """(which of the N, their distances to all M others), block by block."""
    from scipy.spatial.distance import cdist

    step = max(1, _BLOCK // max(1, len(other_MD)))
    for start in range(0, len(point_ND), step):
        rows = slice(start, min(start + step, len(point_ND)))
        yield rows, cdist(point_ND[rows], other_MD)
