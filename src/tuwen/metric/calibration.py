"""Whether a probability of 0.8 is right in 8 of 10 cases: the expected calibration error.

Probabilities are put into bins of equal width; the error is the mean over all of |share that is right - mean
probability| of their bin. A probability on an edge belongs to the bin below it, 0 to the first. `equal_mass` makes bins
of as many cases each instead, for probabilities that lie close together.

Source:
    Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, eq. 3, with 15 bins; equal mass:
    Nixon et al. 2019, "Measuring Calibration in Deep Learning", CVPR Workshops, arXiv:1904.01685, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.errors import ConfigError, DataError, ShapeError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Expected calibration error."""

    bins: int = 15
    """Bins of equal width between 0 and 1; at least 1."""

    def build(self) -> Calibration:
        return Calibration(bins=self.bins)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full(batch, 0.5), np.arange(batch) % 2 == 0


class Calibration:
    """Collects probabilities and whether what they were given to is so.

    For one label a row that is the probability of the class that was named, and whether it is right; for several, the
    probability of each class, and whether the row has it.
    """

    direction = "lower"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("probability", "right")

    def __init__(self, *, bins: int = 15) -> None:
        if bins < 1:
            raise ConfigError(f"bins is {bins}; give at least 1, as in bins=15")
        self.bins = bins
        self._sums_3E = np.zeros((3, bins))

    def update(self, probability_N: np.ndarray, right_N: np.ndarray) -> None:
        """Adds N probabilities.

        Args:
            probability_N: (N,) 0 to 1.
            right_N: (N,) bool.
        Raises:
            ShapeError: the two differ in length.
            DataError: something that is no probability.
        """
        probability_N, right_N = np.asarray(probability_N, float), np.asarray(right_N, float)
        if probability_N.ndim != 1 or probability_N.shape != right_N.shape:
            raise ShapeError(
                f"probabilities have shape {probability_N.shape} and what is right {right_N.shape}; give (N,) for both"
            )
        if len(bad := np.flatnonzero(~((probability_N >= 0) & (probability_N <= 1)))):
            raise DataError(f"probability {bad[0]} is {probability_N[bad[0]]}; give numbers from 0 to 1")
        self._sums_3E += sums_3E(probability_N, right_N, np.ones(len(right_N)), self.bins)

    def result(self) -> dict[str, float]:
        """ece: 0 if every probability is as large as the share of cases in which it is right."""
        if not self._sums_3E[0].any():
            raise DataError("no probabilities to judge; call update(probabilities, right) before result()")
        return {"ece": error(self._sums_3E)}

    def table(self) -> list[dict[str, float]]:
        """For each bin that is not empty: num, mean probability, share that is right; what a diagram shows."""
        return curve(self._sums_3E)


def sums_3E(probability_N: np.ndarray, right_N: np.ndarray, weight_N: np.ndarray, bins: int) -> np.ndarray:
    """(3, bins) sums of weights, of probabilities and of what is right, in each bin."""
    bin_N = np.clip(np.ceil(probability_N * bins).astype(np.int64) - 1, 0, bins - 1)
    columns = (weight_N, weight_N * probability_N, weight_N * right_N)
    return np.stack([np.bincount(bin_N, column_N, bins) for column_N in columns])


def equal_mass(probability_N: np.ndarray, right_N: np.ndarray, weight_N: np.ndarray, bins: int) -> np.ndarray:
    """The same sums in bins of equal weight, by rising probability; a case on an edge counts in both by its parts.

    Cases of the same probability keep their order, so sort them by chance where that is not chance already.

    Example:
        >>> equal_mass(np.array([0.9, 0.1, 0.5, 0.3]), np.array([1, 0, 1, 0]), np.ones(4), 2).round(2).tolist()
        [[2.0, 2.0], [0.4, 1.4], [0.0, 2.0]]
    """
    order_N = np.argsort(probability_N, kind="stable")
    weight_N = weight_N[order_N].astype(float)
    above_N = np.cumsum(weight_N)
    edge_F = np.linspace(0, above_N[-1], bins + 1)
    sums = []
    for column_N in (np.ones(len(order_N)), probability_N[order_N], right_N[order_N]):
        whole_F = np.interp(edge_F, np.append(0.0, above_N), np.append(0.0, np.cumsum(weight_N * column_N)))
        sums.append(np.diff(whole_F))
    return np.stack(sums)


def error(sums_3E: np.ndarray) -> float:
    """The expected calibration error of such sums.

    Example:
        >>> error(sums_3E(np.array([0.9, 0.9]), np.array([1, 0]), np.ones(2), 10))
        0.4
    """
    num_E, sure_E, right_E = sums_3E
    return float(np.abs(right_E - sure_E).sum() / num_E.sum())


def curve(sums_3E: np.ndarray) -> list[dict[str, float]]:
    """For each bin of such sums that is not empty: num, mean probability, share that is right."""
    rows = [(num, sure / num, right / num) for num, sure, right in sums_3E.T.tolist() if num]
    return [{"num": num, "probability": sure, "right": right} for num, sure, right in rows]
