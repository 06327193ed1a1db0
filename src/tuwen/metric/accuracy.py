"""Share of the rows whose class is named rightly: first, among the first few, and with all classes weighing alike.

Ties never flatter, as in `metric.recall`: tied classes count as shuffled. So scores that are the same for all classes
give what chance gives.

Source:
    balanced accuracy: Brodersen et al. 2010, "The Balanced Accuracy and Its Posterior Distribution", ICPR; the mean of
    the recalls of the classes that occur, as scikit-learn computes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric.recall import Standing


@dataclass(frozen=True, kw_only=True)
class Config:
    """Accuracy of one label a row."""

    ks: tuple[int, ...] = (5,)
    """How many of the best classes are looked at, beside the first; each at least 1."""

    def build(self) -> Accuracy:
        return Accuracy(ks=self.ks)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(batch), np.arange(batch)


class Accuracy:
    """Collects scores of all classes, and the right one of each row."""

    direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("scores", "label")

    def __init__(self, *, ks: tuple[int, ...] = (5,)) -> None:
        if any(k < 1 for k in ks):
            raise ConfigError(f"ks is {ks}; give counts of at least 1, as in ks=(5,)")
        self.ks = ks
        self._hits: dict[str, list[np.ndarray]] = {name: [] for name in self._names}
        self._target: list[np.ndarray] = []

    @property
    def _names(self) -> dict[str, int]:
        return {"accuracy": 1, **{f"accuracy_top{k}": k for k in self.ks}}

    def update(self, score_NK: np.ndarray, target_N: np.ndarray) -> None:
        """Adds N rows.

        Args:
            score_NK: (N, K) the higher the likelier.
            target_N: (N,) int, the right class.
        Raises:
            ShapeError: not two axes, or not one class a row.
            DataError: a class that is none of the K, or a score that is not a number.
        """
        score_NK, target_N = checked(score_NK, target_N)
        own_N1 = score_NK[np.arange(len(target_N)), target_N][:, None]
        above_N, tied_N = (score_NK > own_N1).sum(1), (score_NK == own_N1).sum(1)
        standing = Standing(above_N, tied_N, np.ones(len(target_N)))
        for name, k in self._names.items():
            self._hits[name].append(standing.hit_Q(k))
        self._target.append(target_N)

    def result(self) -> dict[str, float]:
        """accuracy, accuracy_top5 (by `ks`), balanced_accuracy."""
        hits = self.per_item()
        target_N = np.concatenate(self._target)
        weight_N = np.ones(len(target_N))
        found = {name: float(np.mean(values)) for name, values in hits.items()}
        return {**found, "balanced_accuracy": balanced(np.array(hits["accuracy"]), target_N, weight_N)}

    def per_item(self) -> dict[str, list[float]]:
        """Hits of each row, by the name they have in `result`."""
        if not self._target:
            raise DataError("no rows to judge; call update(scores, labels) before result()")
        return {name: np.concatenate(hits).tolist() for name, hits in self._hits.items()}


def balanced(hit_N: np.ndarray, target_N: np.ndarray, weight_N: np.ndarray) -> float:
    """Mean over the classes that occur of the share of their rows that are named rightly.

    Example:
        >>> balanced(np.array([1, 1, 1, 0]), np.array([0, 0, 0, 1]), np.ones(4))
        0.5
    """
    total_K = np.bincount(target_N, weight_N)
    hit_K = np.bincount(target_N, hit_N * weight_N)
    there_K = total_K > 0
    return float((hit_K[there_K] / total_K[there_K]).mean())


def checked(score_NK: np.ndarray, target_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and classes as arrays that fit each other; errors as `Accuracy.update`."""
    score_NK, target_N = np.asarray(score_NK), np.asarray(target_N)
    if score_NK.ndim != 2 or target_N.shape != score_NK.shape[:1]:
        raise ShapeError(
            f"scores have shape {score_NK.shape} and labels {target_N.shape}; give (rows, classes) and (rows,)"
        )
    if len(bad := np.flatnonzero((target_N < 0) | (target_N >= score_NK.shape[1]))):
        raise DataError(f"row {bad[0]} has class {target_N[bad[0]]}; classes are 0 to {score_NK.shape[1] - 1}")
    if np.isnan(score_NK).any():
        raise DataError(f"row {np.argwhere(np.isnan(score_NK))[0][0]} has a score that is not a number (nan)")
    return score_NK, target_N
