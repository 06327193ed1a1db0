"""Pixels should move from noise straight to their picture: the squared error of their velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from tuwen.types import Batch, Decoded, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "draw"
    """Route whose decoder says velocities, such as `image_flow`."""

    def build(self) -> Flow:
        return Flow(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        random = torch.Generator().manual_seed(0)
        pair = torch.randn(2, 2, 1, 6, 6, generator=random)
        return Made(routes={self.route: Decoded(pair[0], pair[1])}), Batch(["a", "b"], {})


class Flow:
    """`(made, batch) -> Terms(flow)`; no term where the batch has nothing to draw.

    Source:
        Liu et al. 2022, arXiv:2209.03003, equation 1.
    """

    term = "flow"

    def __init__(self, config: Any):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded = made.routes.get(self.config.route)
        if decoded is None:
            return Terms()
        return Terms({self.term: (decoded.prediction - decoded.target).square().mean()})
