"""Follows a flow in steps that remember the direction of the one before: one look at the network a step. The default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tuwen.generate._flowing import Flowing, Velocity, Walk


@dataclass(frozen=True, kw_only=True)
class Config(Flowing):
    """Settings of `Multistep`."""

    def build(self) -> Multistep:
        self.check()
        return Multistep(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(steps=3)


class Multistep(Walk):
    """The error falls with the square of the length of a step, at the price of `euler`; the first step is Euler's.

    Source:
        Adams-Bashforth of order two, as Lu et al. 2022, arXiv:2211.01095, use such steps for diffusion.
    """

    def step(self, velocity: Velocity, x_PCHW: Tensor, t: float, length: float, memory: dict[str, Any]) -> Tensor:
        here = velocity(x_PCHW, t)
        before = memory.get("before", here)
        memory["before"] = here
        return x_PCHW + length * (1.5 * here - 0.5 * before)
