"""Objectives with weights of their own, which learn beside the model: a critic of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.recipe import Train, name_of
from tuwen.train.optimiser import optimiser_tensors, restore_optimiser, set_lr
from tuwen.types import Batch, Made, Terms


class Critics:
    """Those objectives of a run that have `against`, what they minimise themselves, each with an Adam of its own.

    Args:
        made: gives what the model makes of a batch, for `begin`, in which an objective makes its weights; only asked
            where there is such an objective.
    """

    def __init__(self, objectives: Mapping[str, Any], made: Callable[[], Made]):
        self.critics = {name: one for name, one in objectives.items() if hasattr(one, "against")}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        first = made() if self.critics else Made()
        for name, critic in self.critics.items():
            critic.begin(first)
            group = {"params": list(critic.parameters()), "peak": critic.config.lr}
            self.optimisers[name] = torch.optim.Adam([group], betas=critic.config.betas, fused=True)

    def set_lr(self, step: int, steps: int, train: Train) -> None:
        """The learning rates of a step, the same share of their peak as the model's; and each is told how far the run is."""
        for name, optimiser in self.optimisers.items():
            set_lr(optimiser, step, steps, train)
            self.critics[name].done = step / steps

    def learn(self, made: Made, batch: Batch) -> Terms:
        """One step of each, before the model's own; what they say of it, to be logged."""
        found: dict[str, Tensor] = {}
        for name, critic in self.critics.items():
            terms = critic.against(made, batch)
            if terms.values:
                torch.stack(list(terms.values.values())).sum().backward()
                self.optimisers[name].step()
                self.optimisers[name].zero_grad()
                found |= {**terms.values, **terms.reports}
        return Terms(reports={name: value.detach() for name, value in found.items()})

    def tensors(self) -> dict[str, Tensor]:
        """Weights and running averages of all, for the checkpoint."""
        found: dict[str, Tensor] = {}
        for name, critic in self.critics.items():
            state = {**critic.state_dict(), **optimiser_tensors(critic, self.optimisers[name])}
            found |= {f"critic.{name}.{key}": tensor for key, tensor in state.items()}
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """What `tensors` gave when the state was saved that a run goes on from."""
        for name, critic in self.critics.items():
            start = f"critic.{name}."
            own = {key.removeprefix(start): tensor for key, tensor in tensors.items() if key.startswith(start)}
            critic.load_state_dict({key: tensor for key, tensor in own.items() if key in critic.state_dict()})
            restore_optimiser(critic, self.optimisers[name], own)


def check_metric(objectives: Mapping[str, Any], metric: str) -> None:
    """Raises ConfigError where the loss decides the best model and a critic begins to count in the midst of the run."""
    for critic in objectives.values():
        if metric == "loss" and hasattr(critic, "against") and getattr(critic.config, "begin", False):
            where = ".".join(name_of(critic.config))
            raise ConfigError(
                f"{where}.begin is {critic.config.begin}: the loss has one more term from then on, so that it cannot say which "
                "model is the best. Let a figure decide: --set train.metric=perceptual where there is that term (of a stage: "
                f"stages.NAME.metric), else ssim, or set {where}.begin=0."
            )
