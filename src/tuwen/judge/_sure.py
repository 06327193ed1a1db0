"""Whether captions are as good as the model's confidence says, and what is gained by keeping the surer ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuwen.confidence import Confidence, cross_fitted, fit
from tuwen.judge._rates import Weighted
from tuwen.metric.calibration import curve, equal_mass, error
from tuwen.task._confidence import written_as

if TYPE_CHECKING:
    from tuwen.evaluation import Evaluation
    from tuwen.model import CrossModal

BINS = 10
"""Bins of equal mass."""

Row = Mapping[str, Any]


def sure_rates(rows: Sequence[Row], cider: float) -> tuple[Weighted, dict[str, float]]:
    """Figures of captions with a confidence, and what chance gives.

    Args:
        rows: caption, references and confidence of each.
        cider: above which a caption is acceptable.
    Returns:
        acceptable: their share; confidence_ece: the mean distance of confidence and share, over bins of equal mass;
        cider_surer_half: CIDEr of the half with the higher confidence; surer_half_gain: how much better than that of all,
        as a share of it.
    """
    sure_N, cider_N = _columns(rows)
    right_N = (cider_N > cider).astype(float)
    order_N = np.argsort(-sure_N, kind="stable")

    def of(times_N: np.ndarray) -> dict[str, float]:
        whole, half = float(np.average(cider_N, weights=times_N)), _surer_half(cider_N[order_N], times_N[order_N])
        return {
            "acceptable": float(np.average(right_N, weights=times_N)),
            "confidence_ece": error(equal_mass(sure_N, right_N, times_N, BINS)),
            "cider_surer_half": half,
            "surer_half_gain": half / whole - 1 if whole else 0.0,
        }

    return Weighted(num_rows=len(rows), of=of), {"cider_surer_half": float(cider_N.mean()), "surer_half_gain": 0.0}


def reliability(rows: Sequence[Row], cider: float) -> list[dict[str, float]]:
    """For each bin: num, mean probability, share that is right."""
    sure_N, cider_N = _columns(rows)
    return curve(equal_mass(sure_N, cider_N > cider, np.ones(len(rows)), BINS))


def calibrate(model: CrossModal, found: Evaluation, method: Any) -> Confidence:
    """A confidence fitted on the rows of an evaluation that was made with `unsure`.

    Its own figures are of captions whose confidence came from the other half of the rows; the evaluation gets them too,
    with the reliability curve, and each row that confidence in the place of what it is fitted on.

    Args:
        method: Config of `tuwen.generate` that the captions were written with.
    Raises:
        DataError: too few rows have references, or all captions are as good.
    """
    told = [row for row in found.rows if "known" in row and any(text.strip() for text in row["references"])]
    names = list(told[0]["known"]) if told else []
    columns = {name: np.array([row["known"][name] for row in told]) for name in names}
    cider_N = _cider(told)
    fitted = fit(columns, cider_N, written=written_as(model, method))
    for row, sure in zip(told, cross_fitted(columns, cider_N).tolist(), strict=True):
        row["confidence"] = round(sure, 4)
    for row in found.rows:
        row.pop("known", None)
    rates, chance = sure_rates(told, fitted.cider)
    found.figures.update(rates.figures)
    found.intervals.update(rates.intervals())
    found.chance.update(chance)
    found.tables["reliability"] = reliability(told, fitted.cider)
    return replace(fitted, figures=rates.figures)


def _columns(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) confidence and CIDEr of each."""
    return np.array([float(row["confidence"]) for row in rows]), _cider(rows)


def _cider(rows: Sequence[Row]) -> np.ndarray:
    from tuwen.metric._captions import prepare
    from tuwen.metric.cider import Cider

    if not rows:
        return np.zeros(0)
    return np.array(Cider(prepare([row["caption"] for row in rows], [row["references"] for row in rows])).per_item())


def _surer_half(cider_N: np.ndarray, times_N: np.ndarray) -> float:
    """Mean of the first half of the weight, of captions that are sorted; one that lies on the edge counts in part."""
    above_N = np.cumsum(times_N) - times_N
    inside_N = np.clip(times_N.sum() / 2 - above_N, 0, times_N)
    return float(np.average(cider_N, weights=inside_N))
