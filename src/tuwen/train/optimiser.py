"""AdamW or Muon with their groups, the learning rate of a step, and the running average of the weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tuwen.recipe import Train
from tuwen.train.precision import random_states, set_random_states

_MOMENTUM = 0.95
"""Decay of the running mean of gradients that Muon makes orthogonal, looked ahead as Nesterov's."""
_RMS = 0.2
"""Root mean square of a step of AdamW at learning rate 1, as it is usually."""


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def learns_norms(model: nn.Module) -> bool:
    """Whether training changes the statistics of a batch norm."""
    return any(m.training for m in model.train().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


def make_optimiser(model: nn.Module, train: Train, precision: torch.dtype = torch.float32) -> torch.optim.AdamW:
    """AdamW: matrices decay, vectors and scalars do not; fine-tuned pretrained parts have a learning rate of their own.

    With `train.optimiser=muon` the weights of linear layers and convolutions are moved by Muon (`hidden_maps`), all else by
    AdamW.

    Args:
        precision: of the products of Muon.
    Source:
        Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    pretrained = {id(p) for m in model.modules() if getattr(m, "pretrained", False) for p in m.parameters()}
    turned = {id(p) for p in hidden_maps(model)} - pretrained if train.optimiser == "muon" else set()
    groups: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {}
    for p in trainable(model).values():
        groups.setdefault((p.ndim >= 2, id(p) in pretrained, id(p) in turned), []).append(p)
    made = [
        {
            "params": ps,
            "weight_decay": train.weight_decay if decays else 0.0,
            "peak": train.lr_pretrained if old else train.lr,
            "orthogonal": orthogonal,
        }
        for (decays, old, orthogonal), ps in groups.items()
    ]
    if not turned:
        return torch.optim.AdamW(made, lr=train.lr, betas=train.betas, fused=True)
    return Muon(made, lr=train.lr, betas=train.betas, fused=True, precision=precision)


def hidden_maps(model: nn.Module) -> list[nn.Parameter]:
    """Weights of linear layers and convolutions, but not those that an embedding shares."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    maps = (m for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd))
    return [p for m in maps if isinstance(p := m.weight, nn.Parameter) and id(p) not in embeddings]


class Muon(torch.optim.AdamW):
    """AdamW, but groups with `orthogonal` move along their momentum made orthogonal: all its directions equally far.

    Steps are as long as AdamW's would be, so both take the same learning rate. Unlike torch.optim.Muon it takes
    convolutions, as (out, the rest), works in the precision of the run, float32 where a CPU is slow in bfloat16, and
    treats all matrices of one shape at once.

    Source:
        Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the length of a step: Liu et al. 2025,
        arXiv:2502.16982.
    """

    def __init__(self, params: Any, *, precision: torch.dtype = torch.float32, **kwargs: Any):
        super().__init__(params, **kwargs)
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            if group["orthogonal"]:
                shapes: dict[tuple[int, int], list[nn.Parameter]] = {}
                for p in group["params"]:
                    if p.grad is not None:
                        shapes.setdefault((len(p), p[0].numel()), []).append(p)
                for ps in shapes.values():
                    self._turn(ps, group["lr"], group["weight_decay"])
        return super().step(closure)

    def _turn(self, ps: list[nn.Parameter], lr: float, decay: float) -> None:
        """Moves matrices of one shape, and takes their gradients away."""
        moves = []
        for p in ps:
            assert p.grad is not None
            if "momentum" not in self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
            momentum = self.state[p]["momentum"]
            momentum.lerp_(p.grad, 1 - _MOMENTUM)
            moves.append(p.grad.lerp(momentum, _MOMENTUM).flatten(1))
            p.grad = None
        moves_NRC = orthogonal(torch.stack(moves), self.precision)
        length = _RMS * math.sqrt(max(moves_NRC.shape[1:]))
        for p, move_RC in zip(ps, moves_NRC, strict=True):
            p.mul_(1 - lr * decay).add_(move_RC.view_as(p), alpha=-lr * length)


def orthogonal(matrix_NRC: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """(N, R, C) -> (N, R, C): near the nearest orthogonal matrices, with singular values between 0.5 and 1.25.

    Five steps of a Newton-Schulz iteration whose coefficients raise small singular values fast: each multiplies the matrix
    by a polynomial of the products of its rows. Of a long matrix in float32 the polynomials are multiplied first, which is
    the same in fewer operations; bfloat16 is too coarse for it, since these products hold squares of singular values.
    """
    wide = matrix_NRC.shape[1] <= matrix_NRC.shape[2]
    x = matrix_NRC if wide else matrix_NRC.mT
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(precision)
    if precision == torch.float32 and x.shape[2] >= 2 * x.shape[1]:
        gram_NRR = x @ x.mT
        whole_NRR = step_NRR = _polynomial(gram_NRR)
        for _ in range(4):
            gram_NRR = step_NRR @ gram_NRR @ step_NRR
            step_NRR = _polynomial(gram_NRR)
            whole_NRR = step_NRR @ whole_NRR
        x = whole_NRR @ x
    else:
        for _ in range(5):
            x = _polynomial(x @ x.mT) @ x
    return (x if wide else x.mT).to(matrix_NRC.dtype)


def _polynomial(gram_NRR: Tensor) -> Tensor:
    step_NRR = torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=-4.775, alpha=2.0315)
    step_NRR.diagonal(dim1=1, dim2=2).add_(3.4445)
    return step_NRR


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
    still = _still(model)
    statistics = {
        name: buffer
        for name, buffer in model.named_buffers()
        if buffer.is_floating_point() and not name.startswith(still)
    }
    return {**trainable(model), **statistics}


def moving_names(model: nn.Module) -> set[str]:
    """Names in the state_dict that training may change: all but those of frozen parts."""
    still = _still(model)
    return {name for name in model.state_dict() if not name.startswith(still)}


def _still(model: nn.Module) -> tuple[str, ...]:
    """What the names of weights begin with that training leaves alone: of frozen parts, and of those of other stages."""
    parts = ((name, part) for name, part in model.named_modules() if name)
    return tuple(f"{n}." for n, part in parts if getattr(part, "frozen", False) or getattr(part, "resting", False))


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


def learned_tensors(model: nn.Module, average: Average, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that a step changes, for the state of a run: weights, their average, the optimiser's averages, random numbers."""
    moving, weights = moving_names(model), model.state_dict()
    tensors = {f"model.{name}": weights[name] for name in moving}
    tensors |= {f"average.{name}": value for name, value in average.weights.items()}
    return tensors | optimiser_tensors(model, optimiser) | random_states(next(model.parameters()).device)


def restore_learned(
    tensors: Mapping[str, Tensor], model: nn.Module, average: Average, optimiser: torch.optim.Optimizer
) -> None:
    """Takes back what `learned_tensors` gave."""
    weights = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    model.load_state_dict(weights, strict=False)
    for name, value in average.weights.items():
        value.copy_(tensors[f"average.{name}"])
    restore_optimiser(model, optimiser, tensors)
    set_random_states(tensors, next(model.parameters()).device)


def optimiser_tensors(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state by the names of the weights, for the checkpoint."""
    found = {}
    for name, p in trainable(model).items():
        for key, value in optimiser.state.get(p, {}).items():
            found[f"optimiser.{key}.{name}"] = torch.as_tensor(value)
    return found


def restore_optimiser(model: nn.Module, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    for name, p in trainable(model).items():
        keys = [key for key in ("step", "exp_avg", "exp_avg_sq", "momentum") if f"optimiser.{key}.{name}" in tensors]
        if keys:
            optimiser.state[p] = {key: tensors[f"optimiser.{key}.{name}"].to(p.device, copy=True) for key in keys}
