"""Rows with their true classes and a probability of each class, and the figures that these give."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuwen.judge._rates import Weighted, samples
from tuwen.metric.accuracy import balanced
from tuwen.metric.average_precision import Ranking
from tuwen.metric.calibration import error, sums_3E
from tuwen.metric.classification import Pairs
from tuwen.metric.recall import Standing

HALF = 0.5
"""Probability from which a class is named where a row may have several."""
_BINS = 15
_TOP = 5
_LARGEST = 2_000_000
"""Rows times classes above which average precision has no interval: it would take minutes."""


class Named:
    """What a model makes of N rows.

    Args:
        probability_NK: (N, K) of each class.
        true_NK: (N, K) bool; exactly one class a row unless `several`.
        several: whether a row may have several classes, or none.
    """

    def __init__(self, probability_NK: np.ndarray, true_NK: np.ndarray, *, several: bool):
        self.probability_NK, self.true_NK, self.several = probability_NK, true_NK, several
        self.num_rows, self.num_classes = true_NK.shape
        self.named_NK = probability_NK >= HALF if several else _first(probability_NK)
        self.pairs, self.ranking = Pairs(self.named_NK, true_NK), Ranking(probability_NK, true_NK)
        self.hits = self._hits()

    def _hits(self) -> dict[str, np.ndarray]:
        """Name -> (N,) what each row adds to a mean."""
        if self.several:
            return {"accuracy": (self.named_NK == self.true_NK).all(1).astype(float)}
        own_N1 = self.probability_NK[self.true_NK][:, None]
        above_N, tied_N = (self.probability_NK > own_N1).sum(1), (self.probability_NK == own_N1).sum(1)
        standing = Standing(above_N, tied_N, np.ones(self.num_rows))
        top = {f"accuracy_top{_TOP}": standing.hit_Q(_TOP)} if self.num_classes > _TOP else {}
        return {"accuracy": standing.hit_Q(1), **top}

    def rates(self, prefix: str = "", **more: float) -> Weighted:
        """accuracy (with several labels: all of them right), accuracy_top5, balanced_accuracy, f1_macro, f1_micro,
        precision_macro, recall_macro, average_precision, ece; `more`: figures without an interval."""
        too_large = self.true_NK.size > _LARGEST
        ranked = self._ranked(np.ones(self.num_rows)) if too_large else {}

        def of(times_N: np.ndarray) -> dict[str, float]:
            found = {**self._counted(times_N), **({} if too_large else self._ranked(times_N))}
            return {f"{prefix}{name}": value for name, value in found.items()}

        return Weighted(
            num_rows=self.num_rows, of=of, more={f"{prefix}{name}": value for name, value in {**ranked, **more}.items()}
        )

    def chance(self, prefix: str = "") -> dict[str, float]:
        """The same figures for a model that gives every row the share that each class has of the rows."""
        if not self.num_rows:
            return {}
        share_NK = np.tile(self.true_NK.mean(0), (self.num_rows, 1))
        figures = Named(share_NK, self.true_NK, several=self.several).rates(prefix).figures
        return {name: value for name, value in figures.items() if name != f"{prefix}ece"}

    def _counted(self, times_N: np.ndarray) -> dict[str, float]:
        found = {name: float(np.average(hit_N, weights=times_N)) for name, hit_N in self.hits.items()}
        if not self.several:
            found["balanced_accuracy"] = balanced(self.hits["accuracy"], self.true_NK.argmax(1), times_N)
        counts = self.pairs.counts(times_N).result()
        kept = ("f1_macro", "f1_micro", "precision_macro", "recall_macro")
        return {**found, **{name: counts[name] for name in kept}, "ece": self._ece(times_N)}

    def _ranked(self, times_N: np.ndarray) -> dict[str, float]:
        ap_K = self.ranking.average_precision_K(times_N)
        there_K = ~np.isnan(ap_K)
        return {"average_precision": float(ap_K[there_K].mean())} if there_K.any() else {}

    def _ece(self, times_N: np.ndarray) -> float:
        """Of the class that is named, or with several labels of every class."""
        if self.several:
            sure, right = self.probability_NK.ravel(), self.true_NK.ravel()
            return error(sums_3E(sure, right, np.repeat(times_N, self.num_classes), _BINS))
        return error(sums_3E(self.probability_NK.max(1), self.hits["accuracy"], times_N, _BINS))

    # -- for reports -----------------------------------------------------------------------------------------------

    def classes(self, names: list[str], *, bootstrap: bool) -> list[dict[str, Any]]:
        """For each class: label, num (rows that have it), precision, recall, f1, average_precision; with `bootstrap`
        also `intervals` of the last four."""
        whole = self._per_class(np.ones(self.num_rows))
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in whole}
        for times_N in samples(self.num_rows) if bootstrap and self.true_NK.size <= _LARGEST else ():
            there_K = times_N @ self.true_NK > 0
            for name, of_K in self._per_class(
                times_N
            ).items():  # of a class that a sample lacks, precision alone says something
                drawn[name].append(np.nan_to_num(of_K) if name == "precision" else np.where(there_K, of_K, np.nan))
        bounds = {name: _bounds(np.stack(of)) for name, of in drawn.items() if of}
        rows = []
        for k, (name, num) in enumerate(zip(names, self.true_NK.sum(0).tolist(), strict=True)):
            row = {"label": name, "num": num, **{one: _number(of_K[k]) for one, of_K in whole.items()}}
            intervals = {one: tuple(of_K2[k].tolist()) for one, of_K2 in bounds.items()} if num else {}
            rows.append({**row, **({"intervals": intervals} if intervals else {})})
        return rows

    def confusion(self) -> np.ndarray:
        """(K, K) rows whose class is i and that were named j; of one label a row."""
        counts: np.ndarray = self.true_NK.T.astype(np.int64) @ self.named_NK
        return counts

    def _per_class(self, times_N: np.ndarray) -> dict[str, np.ndarray]:
        ap_K = self.ranking.average_precision_K(times_N)
        return {**self.pairs.counts(times_N).per_class(), "average_precision": ap_K}


def _bounds(drawn_SK: np.ndarray) -> np.ndarray:
    """(K, 2) what 95 % of the samples lie between, of those that say something; NaN where none does."""
    bounds_K2 = np.full((drawn_SK.shape[1], 2), np.nan)
    some_K = ~np.isnan(drawn_SK).all(0)
    if some_K.any():
        bounds_K2[some_K] = np.nanpercentile(drawn_SK[:, some_K], (2.5, 97.5), axis=0).T
    return bounds_K2


def _first(probability_NK: np.ndarray) -> np.ndarray:
    """(N, K) bool: the class of the largest probability."""
    named_NK = np.zeros(probability_NK.shape, bool)
    named_NK[np.arange(len(named_NK)), probability_NK.argmax(1)] = True
    return named_NK


def _number(value: float) -> float | None:
    """None for what cannot be said: the average precision of a class that no row has."""
    return None if np.isnan(value) else float(value)
