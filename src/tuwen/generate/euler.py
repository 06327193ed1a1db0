"""Follows a flow in straight steps: the simplest way, one look at the network a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tuwen.generate._flowing import Flowing, Velocity, Walk


@dataclass(frozen=True, kw_only=True)
class Config(Flowing):
    """Settings of `Euler`."""

    def build(self) -> Euler:
        self.check()
        return Euler(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(steps=3)


class Euler(Walk):
    """The error falls with the length of a step."""

    def step(self, velocity: Velocity, x_PCHW: Tensor, t: float, length: float, memory: dict[str, Any]) -> Tensor:
        return x_PCHW + length * velocity(x_PCHW, t)
