"""Likelihood of the captions: cross-entropy of each next token."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from tuwen.types import Batch, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "caption"
    """Route that makes the text, teacher-forced."""
    smoothing: float = 0.0
    """Share of the target spread evenly over the vocabulary, 0 to below 1."""

    def build(self) -> Caption:
        return Caption(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()


class Caption:
    """`(made, batch) -> Terms(caption)`; no term where the batch has no caption."""

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded = made.routes.get(self.config.route)
        if decoded is None:
            return Terms()
        return Terms({"caption": caption(decoded.prediction, decoded.target, smoothing=self.config.smoothing)})


def caption(logits_NV: Tensor, target_N: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of the real tokens, in nats per token.

    Args:
        logits_NV: (N, V) float.
        target_N: (N,) int64.
        smoothing: share of the target spread evenly over V.
    Returns:
        Scalar; log(V) for a decoder that knows nothing.
    Source:
        Vinyals et al. 2015, arXiv:1411.4555, eq. 13; smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7.
    Example:
        >>> import torch
        >>> round(caption(torch.zeros(2, 4), torch.tensor([1, 3])).item(), 4)
        1.3863
    """
    return F.cross_entropy(logits_NV.float(), target_N, label_smoothing=smoothing)
