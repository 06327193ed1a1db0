"""Device, threads and precision of a run, and its random generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tuwen.machine import autocast, choose_device, choose_precision
from tuwen.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how exactly the run computes."""

    device: torch.device
    precision: torch.dtype

    @classmethod
    def of(cls, recipe: Recipe, precision: str = "") -> Machine:
        """As the recipe says; `precision` where an earlier self-test has chosen it."""
        if recipe.train.threads:
            torch.set_num_threads(recipe.train.threads)
        device = choose_device(recipe.train.device)
        return cls(device, choose_precision(precision or recipe.train.precision, device))

    @property
    def precision_name(self) -> str:
        return str(self.precision).removeprefix("torch.")

    def autocast(self) -> Any:
        return autocast(self.device, self.precision)


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """States of the random generators that dropout on this device draws from, by name."""
    states = {"random": torch.get_rng_state()}
    if device.type != "cpu":
        states[f"random.{device.type}"] = torch.get_device_module(device).get_rng_state(*_numbered(device))
    return states


def set_random_states(states: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Sets what `random_states` gave for this device; that of a device of another kind is left alone."""
    torch.set_rng_state(states["random"])
    if f"random.{device.type}" in states:
        torch.get_device_module(device).set_rng_state(states[f"random.{device.type}"], *_numbered(device))


def _numbered(device: torch.device) -> tuple[torch.device, ...]:
    """The device, where there may be several of its kind."""
    return (device,) if device.type == "cuda" else ()
