"""Settings that ways of following a flow share, and the walk itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tuwen.generate._checked import Guided
from tuwen.types import Latent

Told = Callable[[int, int], None]
"""Called with the steps that are done and all of them."""
Velocity = Callable[[Tensor, float], Tensor]
"""Pixels and a moment from 0 to 1 -> which way the pixels go."""


class Flows(Protocol):
    """A decoder whose pictures come of noise along a flow."""

    def noise(self, num: int, generator: torch.Generator) -> Tensor: ...

    def velocity(self, x_PCHW: Tensor, t: float, latent: Latent, guidance: float = 1.0) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class Flowing(Guided):
    """Base of the Configs that follow a flow from noise to a picture."""

    steps: int = 20
    """Steps of equal length, 1 or more."""

    def check(self) -> None:
        super().check()
        self.require(self.steps >= 1, "steps", "it is at least 1, for example steps=20")


class Walk:
    """Base of the ways of following a flow; a subclass says how one step is made."""

    def __init__(self, config: Flowing):
        self.config = config

    @torch.inference_mode()
    def __call__(self, decoder: Flows, latent: Latent, noise_PCHW: Tensor, *, told: Told | None = None) -> Tensor:
        """(P, C, H, W) -> (P, C, H, W): what the noise of each row of the latent becomes."""

        def velocity(x_PCHW: Tensor, t: float) -> Tensor:
            return decoder.velocity(x_PCHW, t, latent, self.config.guidance)

        x_PCHW, steps, kept = noise_PCHW, self.config.steps, {}  # type: ignore[var-annotated]
        for step in range(steps):
            x_PCHW = self.step(velocity, x_PCHW, step / steps, 1 / steps, kept)
            if told:
                told(step + 1, steps)
        return x_PCHW

    def step(self, velocity: Velocity, x_PCHW: Tensor, t: float, length: float, kept: dict[str, Any]) -> Tensor:
        """The pixels at moment t + length. `kept` is the walk's own, empty at its first step."""
        raise NotImplementedError
