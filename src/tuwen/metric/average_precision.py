"""Average precision of each class: how high the rows that have it stand among all, and its mean over classes (mAP).

Tied rows count as one step, so a score that is the same for all rows gives the share of rows that have the class.

Source:
    the area under the steps of precision over recall, without interpolation, as scikit-learn's
    average_precision_score; mean over classes: Everingham et al. 2010, "The PASCAL Visual Object Classes Challenge".
Differs:
    from PASCAL VOC until 2009, which takes 11 points of the curve. Classes that no row has are left out of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.errors import DataError, ShapeError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Average precision; nothing to set."""

    def build(self) -> AveragePrecision:
        return AveragePrecision()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(batch), np.eye(batch, dtype=bool)


class AveragePrecision:
    """Collects scores of all classes, and which each row has."""

    direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("scores", "labels")

    def __init__(self) -> None:
        self._score: list[np.ndarray] = []
        self._true: list[np.ndarray] = []

    def update(self, score_NK: np.ndarray, true_NK: np.ndarray) -> None:
        """Adds N rows.

        Args:
            score_NK: (N, K) the higher the likelier.
            true_NK: (N, K) bool, which classes a row has.
        Raises:
            ShapeError: the two differ, or have not two axes.
            DataError: a score is not a number.
        """
        score_NK, true_NK = np.asarray(score_NK), np.asarray(true_NK, bool)
        if score_NK.ndim != 2 or score_NK.shape != true_NK.shape:
            raise ShapeError(
                f"scores have shape {score_NK.shape} and labels {true_NK.shape}; give (rows, classes) for both"
            )
        if np.isnan(score_NK).any():
            raise DataError(f"row {np.argwhere(np.isnan(score_NK))[0][0]} has a score that is not a number (nan)")
        self._score.append(score_NK)
        self._true.append(true_NK)

    def result(self) -> dict[str, float]:
        """average_precision: the mean over the classes that occur; base_rate: what chance gives."""
        ap_K, rate_K = self.per_class(), np.concatenate(self._true).mean(0)
        there_K = rate_K > 0
        if not there_K.any():
            raise DataError("no row has any class; average precision needs at least one that does")
        return {"average_precision": float(ap_K[there_K].mean()), "base_rate": float(rate_K[there_K].mean())}

    def per_class(self) -> np.ndarray:
        """(K,) average precision; nan for a class that no row has."""
        if not self._score:
            raise DataError("no rows to judge; call update(scores, labels) before result()")
        return Ranking(np.concatenate(self._score), np.concatenate(self._true)).average_precision_K()


class Ranking:
    """The rows sorted once for each class, so that each sample of a bootstrap only adds up.

    Args:
        score_NK, true_NK: as `AveragePrecision.update`.
    """

    def __init__(self, score_NK: np.ndarray, true_NK: np.ndarray):
        score_NK = np.asarray(score_NK, float)  # of numbers without a sign there is no minus
        self._order_NK = np.argsort(-score_NK, axis=0, kind="stable")
        sorted_NK = np.take_along_axis(score_NK, self._order_NK, 0)
        self._true_NK = np.take_along_axis(true_NK, self._order_NK, 0)
        # the last row of each group of tied ones: there a threshold can stand
        self._step_NK = np.ones(sorted_NK.shape, bool)
        self._step_NK[:-1] = sorted_NK[:-1] != sorted_NK[1:]

    def average_precision_K(self, weight_N: np.ndarray | None = None) -> np.ndarray:
        """(K,) average precision, each row counting `weight_N` times; nan where no row has the class.

        Example:
            >>> Ranking(np.array([[3], [2], [1]]), np.array([[True], [False], [True]])).average_precision_K().round(4)
            array([0.8333])
        """
        weight_NK = np.ones(self._order_NK.shape) if weight_N is None else weight_N[self._order_NK].astype(float)
        hit_NK, seen_NK = np.cumsum(weight_NK * self._true_NK, 0), np.cumsum(weight_NK, 0)
        precision_NK = np.divide(hit_NK, seen_NK, out=np.zeros_like(hit_NK), where=seen_NK > 0)
        # hits between two steps count with the precision at the second: the next step at or after each row
        at_NK = np.where(self._step_NK, np.arange(len(hit_NK))[:, None], len(hit_NK))
        at_NK = np.minimum.accumulate(at_NK[::-1], 0)[::-1]
        gained_NK = weight_NK * self._true_NK * np.take_along_axis(precision_NK, at_NK, 0)
        total_K = hit_NK[-1]
        return np.divide(gained_NK.sum(0), total_K, out=np.full(len(total_K), np.nan), where=total_K > 0)
