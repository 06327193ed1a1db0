"""Every place of a picture is to be looked at about once: the doubly stochastic penalty of soft attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.errors import ShapeError
from tuwen.types import Batch, Decoded, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "caption"
    """Route whose decoder looks at the tokens of a latent by attention."""

    def build(self) -> Coverage:
        return Coverage(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        """Two captions of one word and the end, over five places."""
        attention_PTM = torch.rand(2, 2, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)
        mask_PT = torch.ones(2, 2, dtype=torch.bool)
        decoded = Decoded(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), mask_PT, attention=attention_PTM)
        return Made({}, {self.route: decoded}), Batch(["a", "b"], {})


class Coverage:
    """`(made, batch) -> Terms(coverage)`; no term where nothing was written, or by a decoder without attention."""

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded = made.routes.get(self.config.route)
        if decoded is None or decoded.attention is None or decoded.mask is None:
            return Terms()
        return Terms({"coverage": coverage(decoded.attention, decoded.mask)})


def coverage(attention_PTM: Tensor, mask_PT: Tensor) -> Tensor:
    """Mean over captions and places of (1 - what the steps of a caption looked at the place in sum)^2.

    Args:
        attention_PTM: (P, T, M) weights, each step's sum to 1 over the M places.
        mask_PT: (P, T) bool; True where a step is real.
    Returns:
        Scalar; (1 - T / M)^2 for T steps that look everywhere alike, 0 where every place was looked at once.
    Raises:
        ShapeError: weights and mask differ in captions or steps.
    Source:
        Xu et al. 2015, arXiv:1502.03044, eq. 14.
    Differs:
        the mean over places, where the paper takes the sum: the weight does not depend on the size of the grid.
    Example:
        >>> round(coverage(torch.full((1, 2, 4), 0.25), torch.ones(1, 2, dtype=torch.bool)).item(), 4)
        0.25
    """
    if attention_PTM.shape[:2] != mask_PT.shape:
        raise ShapeError(
            f"attention is {tuple(attention_PTM.shape)} and the mask {tuple(mask_PT.shape)}; both begin with captions and steps"
        )
    looked_PM = (attention_PTM.float() * mask_PT[:, :, None]).sum(1)
    return (1 - looked_PM).square().mean()
