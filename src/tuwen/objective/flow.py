"""Pixels should move from noise straight to their picture: the squared error of their velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuwen.objective._said import example_said, squared_error
from tuwen.types import Batch, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "draw"
    """Route whose decoder says the velocity: `image_flow` on its straight path."""

    def build(self) -> Flow:
        return Flow(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        return Made(routes={self.route: example_said("velocity")}), Batch(["a", "b"], {})


class Flow:
    """`(made, batch) -> Terms(flow)`; no term where the batch has nothing to draw.

    Source:
        Liu et al. 2022, arXiv:2209.03003, equation 1.
    Raises:
        ConfigError: the decoder does not say the velocity.
    """

    term = "flow"

    def __init__(self, config: Any):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        error = squared_error(made, self.config.route, "velocity")
        return Terms() if error is None else Terms({self.term: error})
