"""Likelihood of the labels: one class of several by softmax, or each class on its own by sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.types import Batch, Decoded, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "classify"
    """Route that makes the label."""
    smoothing: float = 0.0
    """Share of the target spread evenly over the classes (with several labels: over yes and no), 0 to below 1."""
    balanced: bool = False
    """Whether rare classes weigh as much as common ones; for data in which they matter and are few."""
    term: str = "classification"
    """Name of the term; a recipe with several label fields gives each its own."""

    def build(self) -> Classification:
        return Classification(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    @staticmethod
    def example() -> tuple[Made, Batch]:
        logits_PK = torch.randn(2, 3, generator=torch.Generator().manual_seed(3))
        decoded = Decoded(logits_PK, torch.tensor([2, 0]), weight=torch.tensor([2.0, 0.5]))
        return Made(routes={"classify": decoded}), Batch(["a", "b"], {})


class Classification:
    """`(made, batch) -> Terms(classification)`; no term where the batch has no label that is known.

    Whole numbers as targets are classes that exclude each other, floats are answers for each class.
    """

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded = made.routes.get(self.config.route)
        if decoded is None:
            return Terms()
        logits, target, weight = decoded.prediction, decoded.target, decoded.weight if self.config.balanced else None
        if target.is_floating_point():
            return Terms({self.config.term: each_of(logits, target, smoothing=self.config.smoothing, weight_PK=weight)})
        known_P = target >= 0
        if not known_P.any():
            return Terms()
        weight = None if weight is None else weight[known_P]
        cost = one_of(logits[known_P], target[known_P], smoothing=self.config.smoothing, weight_P=weight)
        return Terms({self.config.term: cost})


def one_of(logits_PK: Tensor, target_P: Tensor, *, smoothing: float = 0.0, weight_P: Tensor | None = None) -> Tensor:
    """Weighted mean of the cross-entropies of classes that exclude each other, in nats per row.

    Args:
        logits_PK: (P, K) float.
        target_P: (P,) int64, 0 to K - 1.
        smoothing: share of the target spread evenly over K.
        weight_P: (P,) what each row counts; None: all alike.
    Returns:
        Scalar; log(K) for a decoder that knows nothing.
    Source:
        Bridle 1990, "Probabilistic Interpretation of Feedforward Classification Network Outputs"; smoothing: Szegedy
        et al. 2016, arXiv:1512.00567, section 7.
    Example:
        >>> round(one_of(torch.zeros(2, 4), torch.tensor([1, 3])).item(), 4)
        1.3863
    """
    cost_P = F.cross_entropy(logits_PK.float(), target_P, label_smoothing=smoothing, reduction="none")
    return _weighted_mean(cost_P, weight_P)


def each_of(logits_PK: Tensor, target_PK: Tensor, *, smoothing: float = 0.0, weight_PK: Tensor | None = None) -> Tensor:
    """Weighted mean of the binary cross-entropies of classes that stand for themselves, in nats per row and class.

    Args:
        logits_PK: (P, K) float.
        target_PK: (P, K) float, 1 where a class applies, else 0.
        smoothing: share of the target spread evenly over yes and no.
        weight_PK: (P, K) what each answer counts; None: all alike.
    Returns:
        Scalar; log(2) for a decoder that knows nothing.
    Source:
        Boutell et al. 2004, "Learning multi-label scene classification", section 3 (one question a class).
    Example:
        >>> round(each_of(torch.zeros(2, 4), torch.ones(2, 4)).item(), 4)
        0.6931
    """
    target_PK = target_PK.float() * (1 - smoothing) + smoothing / 2
    cost_PK = F.binary_cross_entropy_with_logits(logits_PK.float(), target_PK, reduction="none")
    return _weighted_mean(cost_PK, weight_PK)


def _weighted_mean(cost: Tensor, weight: Tensor | None) -> Tensor:
    return cost.mean() if weight is None else (cost * weight).sum() / weight.sum()
