"""Pairwise sigmoid loss between pictures and texts: no softmax over the batch, so small batches do."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from tuwen.errors import ShapeError
from tuwen.objective.contrastive import matched_pair
from tuwen.types import Batch, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    first: str = "image"
    """Field on one side; one value a row."""
    second: str = "text"
    """Field on the other side; one or several values a row."""

    def build(self) -> Sigmoid:
        return Sigmoid(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()


class Sigmoid:
    """`(made, batch) -> Terms(sigmoid)`; no term where one side is missing."""

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        pair = matched_pair(made, self.config.first, self.config.second)
        return Terms() if pair is None else Terms({"sigmoid": sigmoid(*pair)})


def sigmoid(logits_BP: Tensor, match_BP: Tensor) -> Tensor:
    """-log sigmoid(z * logit) summed over all pairs, z = 1 where they belong together else -1; nats per text.

    Args:
        logits_BP: (B, P) float; scale * cosine + bias.
        match_BP: (B, P) bool.
    Returns:
        Scalar: the sum over pairs divided by P; B * log(2) for logits of 0.
    Raises:
        ShapeError: logits and matches differ in shape.
    Source:
        Zhai et al. 2023, arXiv:2303.15343, algorithm 1.
    Example:
        >>> import torch
        >>> round(sigmoid(torch.zeros(2, 2), torch.eye(2, dtype=torch.bool)).item(), 4)
        1.3863
    """
    if logits_BP.shape != match_BP.shape:
        raise ShapeError(f"logits are {tuple(logits_BP.shape)} and matches {tuple(match_BP.shape)}; they must be alike")
    sign_BP = match_BP.to(logits_BP.dtype) * 2 - 1
    return -F.logsigmoid(sign_BP * logits_BP).sum() / max(1, logits_BP.shape[1])
