"""Precision, recall and F1 of named classes, each and together, and which class is taken for which.

Macro: the mean over the classes that occur or were named. Micro: counts are summed before they are divided; with one
label a row all three are then the accuracy.

Source:
    van Rijsbergen 1979, "Information Retrieval", chapter 7; macro and micro: Yang and Liu 1999, "A Re-examination of
    Text Categorization Methods", SIGIR. Macro F1 is the mean of the F1 of the classes, as in scikit-learn.
Differs:
    from scikit-learn, with several labels a row: there, macro also counts classes that neither occur nor were named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.errors import DataError, ShapeError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Precision, recall and F1; nothing to set."""

    def build(self) -> Classification:
        return Classification()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(batch, dtype=bool), np.eye(batch, dtype=bool)


class Classification:
    """Collects which classes were named and which are true, of rows with one label or several."""

    direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("named", "labels")

    def __init__(self) -> None:
        self._named: list[np.ndarray] = []
        self._true: list[np.ndarray] = []

    def update(self, named_NK: np.ndarray, true_NK: np.ndarray) -> None:
        """Adds N rows.

        Args:
            named_NK, true_NK: (N, K) bool, which classes were named and which the row has.
        Raises:
            ShapeError: the two differ, or have not two axes.
        """
        named_NK, true_NK = np.asarray(named_NK, bool), np.asarray(true_NK, bool)
        if named_NK.ndim != 2 or named_NK.shape != true_NK.shape:
            raise ShapeError(
                f"named classes have shape {named_NK.shape} and labels {true_NK.shape}; give (rows, classes) for both"
            )
        self._named.append(named_NK)
        self._true.append(true_NK)

    def result(self) -> dict[str, float]:
        """precision_macro, recall_macro, f1_macro, precision_micro, recall_micro, f1_micro."""
        return Pairs(*self._rows()).counts().result()

    def per_class(self) -> dict[str, np.ndarray]:
        """precision, recall and f1, each (K,); 0 where nothing can be divided."""
        return Pairs(*self._rows()).counts().per_class()

    def confusion(self) -> np.ndarray:
        """(K, K) rows whose class is i and that were named j; for rows with one true and one named class.

        Raises:
            DataError: a row has, or was named, none or several.
        """
        named_NK, true_NK = self._rows()
        if len(bad := np.flatnonzero((named_NK.sum(1) != 1) | (true_NK.sum(1) != 1))):
            raise DataError(f"row {bad[0]} has not one true and one named class; a confusion matrix takes one of each")
        counts: np.ndarray = true_NK.T.astype(np.int64) @ named_NK
        return counts

    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        if not self._named:
            raise DataError("no rows to judge; call update(named, labels) before result()")
        return np.concatenate(self._named), np.concatenate(self._true)


@dataclass(frozen=True)
class Counts:
    """Rows of each class, perhaps weighted."""

    both_K: np.ndarray
    """Named and true."""
    named_K: np.ndarray
    true_K: np.ndarray

    def per_class(self) -> dict[str, np.ndarray]:
        """precision, recall and f1, each (K,); 0 where nothing can be divided."""
        return {
            "precision": _share(self.both_K, self.named_K),
            "recall": _share(self.both_K, self.true_K),
            "f1": _share(2 * self.both_K, self.named_K + self.true_K),
        }

    def result(self) -> dict[str, float]:
        """As `Classification.result`; 0 where nothing was named or is true."""
        each = self.per_class()
        there_K = self.named_K + self.true_K > 0
        macro = {f"{name}_macro": float(of_K[there_K].mean()) if there_K.any() else 0.0 for name, of_K in each.items()}
        whole = Counts(*(np.array([count_K.sum()]) for count_K in (self.both_K, self.named_K, self.true_K)))
        return {**macro, **{f"{name}_micro": float(of_K[0]) for name, of_K in whole.per_class().items()}}


class Pairs:
    """The (row, class) pairs that count, so that each sample of a bootstrap only adds up.

    Args:
        named_NK, true_NK: (N, K) bool.
    """

    def __init__(self, named_NK: np.ndarray, true_NK: np.ndarray):
        self._num_classes = named_NK.shape[1]
        self._pairs = [np.nonzero(pairs_NK) for pairs_NK in (named_NK & true_NK, named_NK, true_NK)]

    def counts(self, weight_N: np.ndarray | None = None) -> Counts:
        """Each row counting `weight_N` times; once if None."""
        return Counts(
            *(
                np.bincount(column, None if weight_N is None else weight_N[row], self._num_classes)
                for row, column in self._pairs
            )
        )


def _share(part_K: np.ndarray, whole_K: np.ndarray) -> np.ndarray:
    return np.divide(part_K, whole_K, out=np.zeros(len(part_K)), where=whole_K > 0)
