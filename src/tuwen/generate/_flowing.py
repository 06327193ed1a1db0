"""Settings that ways of following a flow share, and the walk itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tuwen.generate._checked import Guided
from tuwen.generate._shared import Told, in_steps
from tuwen.machine import autocast, choose_precision
from tuwen.types import Latent

_LEAST = 4
"""Pictures below which a core of its own does not pay."""

Velocity = Callable[[Tensor, float], Tensor]
"""Pixels and a moment from 0 to 1 -> which way the pixels go."""


class Flows(Protocol):
    """A decoder whose pictures come of noise along a flow."""

    def noise(self, num: int, generator: torch.Generator) -> Tensor: ...

    def velocity(self, x_PCHW: Tensor, t: float, latent: Latent, guidance: float = 1.0) -> Tensor: ...

    def shares(self, t: float) -> tuple[Any, Any]: ...

    def end(self, data_PCHW: Tensor) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class Flowing(Guided):
    """Base of the Configs that follow a flow from noise to a picture."""

    guidance: float = 4.0
    """1: as learned; more: closer to what is said, and less varied; 0: as if nothing were said."""
    steps: int = 20
    """Steps of equal length, 1 or more."""
    guidance_from: float = 0.0
    """The share of the way, from 0 (noise) to 1, from which on guidance leads: what is drawn later is as varied as was learned. For
    classes, each of which looks many ways, 0.2 to 1 with a guidance of 12 is truer and more varied than 0 to 1 with 5."""
    guidance_until: float = 0.5
    """The share of the way, from 0 (noise) to 1, up to which guidance leads: what is where is decided early. Later it leaves specks, and
    takes a second look at the network. 1: all the way."""

    def check(self) -> None:
        super().check()
        self.require(
            0 <= self.guidance_until <= 1, "guidance_until", "it is from 0 to 1, for example guidance_until=0.5"
        )
        self.require(
            0 <= self.guidance_from <= self.guidance_until,
            "guidance_from",
            f"it is from 0 to guidance_until, {self.guidance_until:g}; set guidance_from=0 or a larger guidance_until",
        )
        self.require(self.steps >= 1, "steps", "it is at least 1, for example steps=20")
        guided = any(self.guidance_from <= step / self.steps < self.guidance_until for step in range(self.steps))
        self.require(
            guided or self.guidance <= 1 or not self.guidance_from,
            "guidance_from",
            f"none of {self.steps} steps begins between it and guidance_until, {self.guidance_until:g}; take more steps, or "
            "leave it out",
        )

    @property
    def looks(self) -> float:
        """At the network in a step, on the average of the way: two where guidance leads, else one."""
        if self.guidance > 1:
            return 1 + self.guidance_until - self.guidance_from
        return 1.0 if self.guidance in (0, 1) else 2.0


@dataclass(frozen=True)
class Kept:
    """What of the pictures that a walk begins near stays as it is, while the rest is drawn to go with it."""

    here_PCHW: Tensor
    """Bool, of any shape that broadcasts: pixels that end as they are in the picture."""
    fresh: Callable[[], Tensor]
    """(P, C, H, W) gives other noise at each call."""


@dataclass(frozen=True)
class Like:
    """Pictures that a walk begins near, one for each row."""

    end_PCHW: Tensor
    """Where the flow ends for these pictures, as the decoder's `end` gives it."""
    strength: float = 1.0
    """Share of the way that is walked, above 0 to 1: it begins at moment 1 - strength, from a mix of picture and noise."""
    kept: Kept | None = None


class Walk:
    """Base of the ways of following a flow; a subclass says how one step is made.

    Source:
        beginning on the way, near a picture: Meng et al. 2021, arXiv:2108.01073 (SDEdit); keeping a part of it: Lugmayr et al.
        2022, arXiv:2201.09865 (RePaint), algorithm 1, each step made twice; away from a text: Ban et al. 2024, arXiv:2406.02965;
        guidance for a part of the way: Kynkäänniemi et al. 2024, arXiv:2404.07724.
    """

    def __init__(self, config: Flowing):
        self.config = config

    def steps(self, begin: float = 0.0) -> int:
        """How many are made from a moment on: each about as long as from the beginning."""
        return max(1, round(self.config.steps * (1 - begin)))

    def __call__(
        self,
        decoder: Flows,
        latent: Latent,
        noise_PCHW: Tensor,
        *,
        away: Latent | None = None,
        like: Like | None = None,
        told: Told | None = None,
    ) -> Tensor:
        """(P, C, H, W) -> (P, C, H, W): what the noise of each row of the latent becomes.

        Args:
            away: guidance leads away from what would be drawn of this; None: away from what would be drawn of nothing.
            like: pictures to begin near. Less of the way takes fewer steps, each as long as without it.
            told: may raise, which ends the walk.
        """
        if like is not None:
            return self._walk(decoder, latent, noise_PCHW, away, like, told)

        def part(rows_R: Tensor, tell: Told) -> Tensor:
            some = None if away is None else away.rows(rows_R)
            return self._walk(decoder, latent.rows(rows_R), noise_PCHW[rows_R], some, None, tell)

        return torch.cat(in_steps(part, latent, told, least=_LEAST))

    @torch.inference_mode()
    def _walk(
        self,
        decoder: Flows,
        latent: Latent,
        noise_PCHW: Tensor,
        away: Latent | None,
        like: Like | None,
        told: Told | None,
    ) -> Tensor:
        begin = 0.0 if like is None else 1 - like.strength
        steps, length = self.steps(begin), (1 - begin) / self.steps(begin)
        x_PCHW = noise_PCHW if like is None else _between(decoder, noise_PCHW, like, begin)
        kept = None if like is None else like.kept
        leads, memory = self._leads(0.0), dict[str, Any]()
        with autocast(noise_PCHW.device, choose_precision(self.config.precision, noise_PCHW.device)):
            for step in range(steps):
                t = begin + step * length
                if leads != (leads := self._leads(step / steps)):
                    memory.clear()  # directions with and without guidance do not go on from each other
                velocity = self._velocity(decoder, latent, away, leads=leads)
                if like is not None and kept is not None and t > 0:
                    ahead_PCHW = self.step(velocity, x_PCHW, t, length, dict(memory))
                    again_PCHW = _back(ahead_PCHW, decoder.shares(t), decoder.shares(t + length), kept.fresh())
                    x_PCHW = torch.where(kept.here_PCHW, x_PCHW, again_PCHW)
                x_PCHW = self.step(velocity, x_PCHW, t, length, memory)
                if like is not None and kept is not None:
                    x_PCHW = torch.where(kept.here_PCHW, _between(decoder, noise_PCHW, like, t + length), x_PCHW)
                if told:
                    told(step + 1, steps)
        return x_PCHW

    def _velocity(self, decoder: Flows, latent: Latent, away: Latent | None, *, leads: bool) -> Velocity:
        guidance = self.config.guidance if leads else 1.0

        def velocity(x_PCHW: Tensor, t: float) -> Tensor:
            if away is None or not leads:
                return decoder.velocity(x_PCHW, t, latent, guidance)
            apart = decoder.velocity(x_PCHW, t, away, 1.0)
            return apart + guidance * (decoder.velocity(x_PCHW, t, latent, 1.0) - apart)

        return velocity

    def _leads(self, walked: float) -> bool:
        """Whether guidance counts in the step that begins at a share of the way; 1 and less of it counts all the way."""
        config = self.config
        return config.guidance <= 1 or config.guidance_from <= walked < config.guidance_until

    def step(self, velocity: Velocity, x_PCHW: Tensor, t: float, length: float, memory: dict[str, Any]) -> Tensor:
        """(P, C, H, W) where the pixels are at moment t + length; `memory` is for what the next step is to know."""
        raise NotImplementedError


def _between(decoder: Flows, noise_PCHW: Tensor, like: Like, t: float) -> Tensor:
    """Where the way from noise to pictures is at moment t."""
    of_end, of_noise = decoder.shares(t)
    mixed_PCHW: Tensor = of_end * like.end_PCHW + of_noise * noise_PCHW
    return mixed_PCHW


def _back(x_PCHW: Tensor, here: tuple[Any, Any], there: tuple[Any, Any], fresh_PCHW: Tensor) -> Tensor:
    """From a moment back to an earlier one, by fresh noise: what was drawn beside the kept part is drawn again, and knows it.

    Args:
        here, there: shares of pixels and of noise, at the earlier moment and at that of x.
    """
    share = here[0] / there[0]
    width = (here[1] ** 2 - (share * there[1]) ** 2) ** 0.5
    back_PCHW: Tensor = share * x_PCHW + width * fresh_PCHW
    return back_PCHW
