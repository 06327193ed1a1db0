"""The confidence of a caption: the probability that it is acceptable, fitted on rows that were held out.

A caption is acceptable if its CIDEr against the references of its picture is above the median of the rows that the
confidence was fitted on. What is known of a caption without references - numbers of it, by name - goes through one
logistic regression: few parameters, since there are only hundreds of rows to fit them on.

Source:
    Platt 1999, "Probabilistic Outputs for Support Vector Machines", for more than one number; abstaining: El-Yaniv and
    Wiener 2010, "On the Foundations of Noise-free Selective Classification", JMLR.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuwen.errors import CheckpointError, DataError

FORMAT = 1
"""Version of calibration.json."""
LEAST = 40
"""Rows below which nothing is fitted."""
_RIDGE = 1.0
"""Weight of the squares of the coefficients, in cases, so that numbers which go together have finite ones."""

Columns = Mapping[str, np.ndarray]
"""Name -> (N,) a number of each caption."""


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Gives captions a probability of being acceptable."""

    mean: dict[str, float]
    """Name of a number -> its mean over the rows of the fit."""
    scale: dict[str, float]
    """Name -> its standard deviation there."""
    weight: dict[str, float]
    """Name -> its coefficient, in logits a standard deviation."""
    bias: float
    """Logit of a caption whose numbers are all means."""
    cider: float
    """CIDEr above which a caption is acceptable."""
    written: dict[str, Any]
    """The way of writing that it was fitted for, as JSON."""
    num: int
    """Rows that it was fitted on."""
    figures: dict[str, float] = dataclasses.field(default_factory=dict)
    """What it reached on rows that it was not fitted on."""

    def __call__(self, columns: Columns) -> np.ndarray:
        """(N,) probabilities; the columns are those of the fit."""
        logit_N = sum(self.weight[name] * self._scaled(name, columns[name]) for name in self.weight) + self.bias
        probability_N: np.ndarray = _sigmoid(np.asarray(logit_N))
        return probability_N

    def _scaled(self, name: str, value_N: np.ndarray) -> np.ndarray:
        return (np.asarray(value_N, float) - self.mean[name]) / self.scale[name]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, read back by `from_dict`."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], where: str = "calibration.json") -> Confidence:
        """The confidence behind `to_dict`.

        Raises:
            CheckpointError: it comes from a newer version, or is damaged.
        """
        if isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
            raise CheckpointError(
                f"{where} has format {raw['format']} and this tuwen reads up to {FORMAT}; update tuwen, or calibrate "
                "anew: tuwen evaluate MODEL DATA --split val --calibrate"
            )
        try:
            return cls(**{field.name: raw[field.name] for field in dataclasses.fields(cls)})
        except KeyError as error:
            raise CheckpointError(
                f"{where} is damaged: it lacks {error}. Calibrate anew: tuwen evaluate MODEL DATA --split val --calibrate"
            ) from error


def enough(num: int) -> None:
    """Raises DataError where so many captions are too few: to fit on them all, and on each half of them."""
    if num < LEAST:
        raise DataError(
            f"{num} captions with references are too few to fit a confidence on; it takes {LEAST} or more. Name a larger "
            "part with --split."
        )


def fit(
    columns: Columns,
    cider_N: Sequence[float] | np.ndarray,
    *,
    cider: float | None = None,
    written: Mapping[str, Any] | None = None,
) -> Confidence:
    """Fits on N rows; see `enough`.

    Args:
        columns: what is known of each caption.
        cider_N: (N,) CIDEr of each caption.
        cider: above which a caption is acceptable; the median of the rows if None.
        written: the way of writing, as JSON.
    Raises:
        DataError: captions that are all as good.
    """
    value_N = np.asarray(cider_N, float)
    threshold = float(np.median(value_N)) if cider is None else cider
    right_N = value_N > threshold
    if not right_N.any() or right_N.all():
        raise DataError(
            f"{'all' if right_N.any() else 'no'} captions are better than CIDEr {threshold:.3g}, so there is nothing to "
            "tell apart; train the model longer, or name other rows with --split."
        )
    mean = {name: float(np.mean(column_N)) for name, column_N in columns.items()}
    scale = {name: float(np.std(column_N)) or 1.0 for name, column_N in columns.items()}
    scaled_NF = np.column_stack([(columns[name] - mean[name]) / scale[name] for name in columns])
    *weight, bias = _logistic(scaled_NF, right_N).tolist()
    return Confidence(
        mean=mean, scale=scale, weight=dict(zip(columns, weight, strict=True)), bias=bias, cider=threshold,
        written=dict(written or {}), num=len(value_N),
    )  # fmt: skip


def cross_fitted(
    columns: Columns, cider_N: Sequence[float] | np.ndarray, *, folds: int = 2, seed: int = 0
) -> np.ndarray:
    """(N,) the probability that each caption gets from a fit on the folds that it is not in.

    What is acceptable is the same in all folds: a CIDEr above the median of all rows.

    Args:
        folds: parts that the rows are dealt to at random, 2 or more.
        seed: same seed, same parts.
    Raises:
        DataError: as `fit`.
    """
    value_N = np.asarray(cider_N, float)
    median = float(np.median(value_N)) if len(value_N) else 0.0
    fold_N = np.random.default_rng(seed).permutation(len(value_N)) % folds
    found_N = np.zeros(len(value_N))
    for fold in range(folds):
        out_N = fold_N == fold
        fitted = fit({name: column_N[~out_N] for name, column_N in columns.items()}, value_N[~out_N], cider=median)
        found_N[out_N] = fitted({name: column_N[out_N] for name, column_N in columns.items()})
    return found_N


def _logistic(x_NF: np.ndarray, right_N: np.ndarray) -> np.ndarray:
    """(F + 1,) coefficients and bias of a logistic regression; the bias is not held small."""
    from sklearn.linear_model import (
        LogisticRegression,
    )  # half a second, which a model without a confidence need not wait

    fitted = LogisticRegression(C=1 / _RIDGE, solver="newton-cholesky", tol=1e-8).fit(x_NF, right_N)
    return np.append(fitted.coef_[0], fitted.intercept_)


def _sigmoid(x_N: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x_N))
