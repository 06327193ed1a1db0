"""How far a mean would move if other items had been drawn: percentile bootstrap.

Source:
    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3; for two systems on the same items:
    Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuwen.errors import ConfigError, DataError, ShapeError

_BLOCK = 2_000_000
"""Numbers drawn at once, so that a large set needs little memory."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and where it probably lies."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"

    @property
    def excludes_zero(self) -> bool:
        """True if the whole interval is on one side of 0: a difference that these items are enough to show."""
        return self.low > 0 or self.high < 0


def interval(
    values: Sequence[float] | np.ndarray, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> Interval:
    """Interval of the mean of per-item values.

    Args:
        values: (N,) one number an item; items are independent (one a picture, not one a caption).
        level: share of draws inside, between 0 and 1.
        draws: sets of N items drawn with replacement.
        seed: same seed, same interval.
    Raises:
        DataError: no values, or one is not finite.
        ConfigError: level or draws out of range.
    Example:
        >>> str(interval([1.0, 1.0, 1.0]))
        '1.0000 [1.0000, 1.0000]'
    """
    value_N = _checked(values)
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}; it lies between 0 and 1, as in level=0.95")
    if draws < 1:
        raise ConfigError(f"draws is {draws}; take at least 1, as in draws=1000")
    generator = np.random.default_rng(seed)
    num_items, means = len(value_N), []
    for start in range(0, draws, step := max(1, _BLOCK // num_items)):
        index_DN = generator.integers(num_items, size=(min(step, draws - start), num_items))
        means.append(value_N[index_DN].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean=float(value_N.mean()), low=float(low), high=float(high))


def difference(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Interval of mean(first) - mean(second), two systems on the same items: each draw takes an item of both.

    Args:
        first, second: (N,) values; item i of one is item i of the other. Others as `interval`.
    Raises:
        ShapeError: the two have different lengths.
        DataError, ConfigError: as `interval`.
    """
    first_N, second_N = _checked(first), _checked(second)
    if len(first_N) != len(second_N):
        raise ShapeError(
            f"{len(first_N)} values of one system and {len(second_N)} of the other; "
            "a paired difference takes the same items in the same order"
        )
    return interval(first_N - second_N, level=level, draws=draws, seed=seed)


def _checked(values: Sequence[float] | np.ndarray) -> np.ndarray:
    value_N = np.asarray(values, dtype=float).reshape(-1)
    if not len(value_N):
        raise DataError("no values to draw from; give one number for each item")
    if len(bad := np.flatnonzero(~np.isfinite(value_N))):
        raise DataError(f"value {bad[0]} is {value_N[bad[0]]}; give finite numbers, or leave such items out")
    return value_N
