"""Whether captions are as good as the model's confidence says, and what is gained by keeping the surer ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuwen.confidence import Confidence, cross_fitted, enough, fit
from tuwen.judge._rates import Weighted
from tuwen.metric._captions import prepare, with_references
from tuwen.metric.calibration import curve, equal_mass, error
from tuwen.metric.cider import Cider
from tuwen.task._confidence import written_as

if TYPE_CHECKING:
    from tuwen.evaluation import Evaluation
    from tuwen.model import CrossModal

BINS = 10
"""Bins of equal mass."""


@dataclass(frozen=True, kw_only=True)
class Sure:
    """What captions with a confidence are worth."""

    rates: Weighted
    """acceptable: their share; confidence_ece: the mean distance of confidence and share, over bins of equal mass;
    cider_surer_half: CIDEr of the half with the higher confidence; surer_half_gain: how much better than that of all, as a
    share of it."""
    chance: dict[str, float]
    """What a confidence that knows nothing gives."""
    reliability: list[dict[str, float]]
    """For each bin: num, mean probability, share that is right."""


def judged(sure_N: Sequence[float] | np.ndarray, cider_N: np.ndarray, *, cider: float) -> Sure:
    """Judges the confidence of N captions.

    Args:
        sure_N, cider_N: (N,) confidence and CIDEr of each; N is 1 or more.
        cider: above which a caption is acceptable.
    """
    sure_N, right_N = np.asarray(sure_N, float), (cider_N > cider).astype(float)
    order_N = np.argsort(-sure_N, kind="stable")

    def of(times_N: np.ndarray) -> dict[str, float]:
        whole, half = float(np.average(cider_N, weights=times_N)), _surer_half(cider_N[order_N], times_N[order_N])
        return {
            "acceptable": float(np.average(right_N, weights=times_N)),
            "confidence_ece": error(equal_mass(sure_N, right_N, times_N, BINS)),
            "cider_surer_half": half,
            "surer_half_gain": half / whole - 1 if whole else 0.0,
        }

    return Sure(
        rates=Weighted(num_rows=len(sure_N), of=of),
        chance={"cider_surer_half": float(cider_N.mean()), "surer_half_gain": 0.0},
        reliability=curve(equal_mass(sure_N, right_N, np.ones(len(sure_N)), BINS)),
    )


def ciders(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(N,) CIDEr of the captions of rows that have references."""
    if not rows:
        return np.zeros(0)
    return np.array(Cider(prepare([row["caption"] for row in rows], [row["references"] for row in rows])).per_item())


def calibrate(model: CrossModal, found: Evaluation, method: Any) -> Confidence:
    """A confidence fitted on the rows of an evaluation that was made with `unsure`.

    Its own figures are of captions whose confidence came from the other half of the rows; the evaluation gets them too,
    with the reliability curve, and each row that confidence in the place of what it is fitted on.

    Args:
        method: Config of `tuwen.generate` that the captions were written with.
    Raises:
        DataError: too few rows have references, or all captions are as good.
    """
    told = [row for row in with_references(found.rows) if "known" in row]
    enough(len(told))
    columns = {name: np.array([row["known"][name] for row in told]) for name in told[0]["known"]}
    cider_N = ciders(told)
    fitted = fit(columns, cider_N, written=written_as(model, method))
    sure = [round(one, 4) for one in cross_fitted(columns, cider_N).tolist()]
    for row, one in zip(told, sure, strict=True):
        row["confidence"] = one
    for row in found.rows:
        row.pop("known", None)
    own = judged(sure, cider_N, cider=fitted.cider)
    found.figures.update(own.rates.figures)
    found.intervals.update(own.rates.intervals())
    found.chance.update(own.chance)
    found.tables["reliability"] = own.reliability
    return replace(fitted, figures=own.rates.figures)


def _surer_half(cider_N: np.ndarray, times_N: np.ndarray) -> float:
    """Mean of the first half of the weight, of captions that are sorted; one that lies on the edge counts in part."""
    above_N = np.cumsum(times_N) - times_N
    inside_N = np.clip(times_N.sum() / 2 - above_N, 0, times_N)
    return float(np.average(cider_N, weights=inside_N))
