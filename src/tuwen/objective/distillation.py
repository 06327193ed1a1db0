"""Pixels should move from noise straight to what the model drew of it before, in many steps and with guidance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuwen.objective import flow
from tuwen.types import Batch, Made


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "draw"
    """Route whose decoder follows a flow, such as `image_flow`."""
    guidance: float = 4.0
    """Of the pictures that are drawn before the first step, to be learned from: as `tuwen draw` takes it."""
    steps: int = 20
    """In which they are drawn, 1 or more."""
    few: int = 4
    """In which the model draws from then on, without guidance, unless it is told otherwise; 1 or more."""
    pictures: int = 0
    """How many are drawn, of texts of the training part in turn, each with noise of its own; 0: one for each row."""

    def build(self) -> Distillation:
        return Distillation(self)

    @property
    def usual(self) -> dict[str, Any]:
        """Settings of the walk that suits a model that has learned by it."""
        return {"method": "euler", "guidance": 1.0, "steps": self.few}

    @classmethod
    def tiny(cls) -> Config:
        return cls(steps=3, few=2)

    def example(self) -> tuple[Made, Batch]:
        return flow.Config(route=self.route).example()


class Distillation(flow.Flow):
    """`(made, batch) -> Terms(distillation)`: what `flow` minimises, of pairs of noise and picture that belong together.

    Such pairs are lines that do not cross, so that a step may be long. `train/pairs.py` has them made.

    Source:
        Liu et al. 2022, arXiv:2209.03003, section 2.2 (reflow); with a text and guidance: Liu et al. 2023, arXiv:2309.06380.
    """

    term = "distillation"
    in_training_only = True
    """Of real pictures, which `tuwen evaluate` has, it would say what `flow` says."""
