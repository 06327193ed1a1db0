"""Likelihood of the codes of a picture: cross-entropy of each next code."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.types import Batch, Decoded, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "draw"
    """Route whose decoder draws codes, such as `image_codes`."""

    def build(self) -> Codes:
        return Codes(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        random = torch.Generator().manual_seed(0)
        decoded = Decoded(torch.randn(2, 6, 8, generator=random), torch.randint(0, 8, (2, 6), generator=random))
        return Made(routes={self.route: decoded}), Batch(["a", "b"], {})


class Codes:
    """`(made, batch) -> Terms(codes)`; no term where the batch has nothing to draw."""

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded = made.routes.get(self.config.route)
        return Terms() if decoded is None else Terms({"codes": codes(decoded.prediction, decoded.target)})


def codes(logits_PTK: Tensor, target_PT: Tensor) -> Tensor:
    """Mean cross-entropy, in nats per code.

    Args:
        logits_PTK: (P, T, K) float.
        target_PT: (P, T) int64.
    Returns:
        Scalar; log(K) for a decoder that knows nothing.
    Source:
        van den Oord et al. 2017, arXiv:1711.00937, section 3.3.
    Example:
        >>> round(codes(torch.zeros(1, 2, 4), torch.tensor([[1, 3]])).item(), 4)
        1.3863
    """
    return F.cross_entropy(logits_PTK.float().flatten(0, 1), target_PT.flatten())
