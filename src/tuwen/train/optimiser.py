"""AdamW with its groups, the learning rate of a step, and the running average of the weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from tuwen.recipe import Train


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def learns_norms(model: nn.Module) -> bool:
    """Whether training changes the statistics of a batch norm."""
    return any(m.training for m in model.train().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


def make_optimiser(model: nn.Module, train: Train) -> torch.optim.AdamW:
    """AdamW: matrices decay, vectors and scalars do not; fine-tuned pretrained parts have a learning rate of their own.

    Source:
        Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    pretrained = {id(p) for m in model.modules() if getattr(m, "pretrained", False) for p in m.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for p in trainable(model).values():
        groups.setdefault((p.ndim >= 2, id(p) in pretrained), []).append(p)
    made = [
        {
            "params": ps,
            "weight_decay": train.weight_decay if decays else 0.0,
            "peak": train.lr_pretrained if old else train.lr,
        }
        for (decays, old), ps in groups.items()
    ]
    return torch.optim.AdamW(made, lr=train.lr, betas=train.betas, fused=True)


def set_lr(optimiser: torch.optim.Optimizer, step: int, steps: int, train: Train) -> float:
    """Sets the learning rate of a step: linear warm-up, then a cosine down to final_lr. Returns that of the first group."""
    warmup = max(1, round(train.warmup * steps))
    if step < warmup:
        share = (step + 1) / warmup
    else:
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        share = train.final_lr + (1 - train.final_lr) * (1 + math.cos(math.pi * done)) / 2
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
    return optimiser.param_groups[0]["lr"]


def moving(model: nn.Module) -> dict[str, Tensor]:
    """What training changes: trainable weights, and the running statistics of batch norms that are not frozen."""
    frozen = tuple(f"{name}." for name, part in model.named_modules() if name and getattr(part, "frozen", False))
    statistics = {
        name: buffer
        for name, buffer in model.named_buffers()
        if buffer.is_floating_point() and not (frozen and name.startswith(frozen))
    }
    return {**trainable(model), **statistics}


class Average:
    """Running average of all that training changes (EMA), with a short memory at first.

    Source:
        Polyak and Juditsky 1992; the warm-up min(decay, (1 + t) / (10 + t)) as TensorFlow's.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights = {name: tensor.detach().clone() for name, tensor in moving(model).items()} if decay else {}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        if self.decay:
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(self.weights.values()), list(moving(model).values()), 1 - decay)

    def applied(self, model: nn.Module) -> contextlib.AbstractContextManager[None]:
        """The model with the averaged weights, for as long as the context lasts."""
        return swapped(model, self.weights)


@contextlib.contextmanager
def swapped(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """The model with other weights (of those that `moving` names; others stay), for as long as the context lasts."""
    own = {name: tensor for name, tensor in moving(model).items() if name in weights}
    kept = {name: tensor.data for name, tensor in own.items()}
    for name, tensor in own.items():
        tensor.data = weights[name].to(tensor.device)
    try:
        yield
    finally:
        for name, tensor in own.items():
            tensor.data = kept[name]


def optimiser_tensors(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state by the names of the weights, for the checkpoint."""
    found = {}
    for name, p in trainable(model).items():
        for key, value in optimiser.state.get(p, {}).items():
            found[f"optimiser.{key}.{name}"] = torch.as_tensor(value)
    return found


def restore_optimiser(model: nn.Module, optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    for name, p in trainable(model).items():
        keys = [key for key in ("step", "exp_avg", "exp_avg_sq") if f"optimiser.{key}.{name}" in tensors]
        if keys:
            optimiser.state[p] = {key: tensors[f"optimiser.{key}.{name}"].to(p.device, copy=True) for key in keys}
