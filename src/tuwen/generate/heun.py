"""Follows a flow in steps of the mean direction of their two ends: two looks at the network a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tuwen.generate._flowing import Flowing, Velocity, Walk


@dataclass(frozen=True, kw_only=True)
class Config(Flowing):
    """Settings of `Heun`."""

    def build(self) -> Heun:
        self.check()
        return Heun(self)

    @property
    def looks(self) -> float:
        return 2 * super().looks

    @classmethod
    def tiny(cls) -> Config:
        return cls(steps=3)


class Heun(Walk):
    """The error falls with the square of the length of a step.

    Source:
        Karras et al. 2022, arXiv:2206.00364, algorithm 1: the last step is Euler's, as no noise is left to be seen at its end.
    """

    def step(self, velocity: Velocity, x_PCHW: Tensor, t: float, length: float, memory: dict[str, Any]) -> Tensor:
        here = velocity(x_PCHW, t)
        if t + length > _END:
            return x_PCHW + length * here
        there = velocity(x_PCHW + length * here, t + length)
        return x_PCHW + length * (here + there) / 2


_END = 1 - 1e-6
"""Moments after this are the end; sums of steps miss 1 by a rounding error."""
