"""What a run costs: said before its first step, and fitted to a time limit after the first few."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from tuwen.data._files import cache_folder
from tuwen.errors import ConfigError
from tuwen.recipe import Train
from tuwen.train.critics import Critics
from tuwen.train.log import peak_memory_mb
from tuwen.train.optimiser import make_optimiser
from tuwen.train.pairs import way_of
from tuwen.train.precision import random_states, set_random_states

if TYPE_CHECKING:
    from tuwen.train.loop import Run

_LOOKING = 0.1
"""Share of a time limit that may go into looking at the validation part; three looks are taken whatever they cost."""
_NEAR = 0.03
"""Part of the steps that are left by which a plan may be wrong and stays."""


def seconds_of_a_step(run: Run) -> float:
    """Times one step without learning from it."""
    random = random_states(run.machine.device)
    before = {name: buffer.clone() for name, buffer in run.model.named_buffers()}  # batch norms count what they see
    batch = run.sources.learned.batch(run.sources.plan.items(0))
    run.critics = Critics(run.objectives, run.made_first)  # made anew when the run begins
    # not the run's own, and at a learning rate of 0
    optimiser = make_optimiser(run.model, run.recipe.train, run.machine.precision)
    for group in optimiser.param_groups:
        group["lr"] = 0.0
    for _ in range(2):  # the first also builds kernels
        began = time.monotonic()
        run.model.train()
        run.backward(batch)
        optimiser.step()
        optimiser.zero_grad()
        took_s = time.monotonic() - began
    set_random_states(random, run.machine.device)
    run.model.load_state_dict(before, strict=False)
    return took_s


def estimate(run: Run, steps: int) -> dict[str, Any]:
    """Time, memory and disk of so many steps, said before the first.

    Raises:
        ConfigError: the disk is too small.
    """
    model, out, rows, step_s = run.model, run.out, run.setup.rows, seconds_of_a_step(run)
    train = run.recipe.train
    fit = int(train.time_limit_s / step_s) or steps
    steps = min(fit, train.steps) if train.steps else fit
    weights = sum(p.numel() for p in model.parameters())
    moving = sum(p.numel() for p in model.parameters() if p.requires_grad)
    cache_mb = sum(cache.estimate_bytes(len(rows)) for cache in rows.caches) / 1e6
    copies = run.setup.num_stages + bool(train.start_from)
    disk_mb = (weights * 4 * copies + moving * 4 * 4 * 2 + moving * 4 * model.recipe.train.average_best) / 1e6
    free_mb = shutil.disk_usage(out).free / 1e6
    if disk_mb > free_mb:
        raise ConfigError(
            f"{out} needs about {disk_mb:.0f} MB and its disk has {free_mb:.0f} MB; choose another place with -o"
        )
    return {
        "device": str(run.machine.device),
        "precision": run.machine.precision_name,
        "threads": torch.get_num_threads(),
        "parameters": weights,
        "trained": moving,
        "steps": steps,
        "time_s": round(step_s * steps + _drawing_s(run, step_s)),
        "memory_mb": round(peak_memory_mb() + moving * 12 / 1e6),
        "disk_mb": round(disk_mb),
        "cache_mb": round(cache_mb),
        "cache": str(cache_folder(model.recipe.data.cache)),
    }


def _drawing_s(run: Run, step_s: float) -> float:
    """Seconds of drawing what the stage learns from: a look at the network is about a third of a step."""
    if run.own is None:
        return 0.0
    num = (run.own.pictures or len(run.sources.learned.samples)) + len(run.sources.held_out.samples)
    way = way_of(run, run.own)
    return float(step_s / 3 * way.looks * way.steps * num / run.recipe.train.batch)


def fitting(
    train: Train, done: int, took_s: Sequence[float], evaluate_s: float, ready_s: float = 0.0
) -> tuple[int, int, float]:
    """How many steps and looks fit into the time limit of a run that has just begun.

    Args:
        done: steps that were made.
        took_s: seconds of each of them, or of the last; the first five are slow and tell nothing.
        evaluate_s: seconds of one look at the validation part.
        ready_s: seconds that went before the first step.
    Returns:
        steps, those that were made among them; looks; seconds left for steps, below 0 where the looks take all.
    """
    step_s = median(took_s[5:] or took_s)  # a resumed run may have few
    looks = max(3, min(train.evaluations, int(_LOOKING * train.time_limit_s / max(1e-6, evaluate_s))))
    others = 1 + bool(train.start_from) + (train.average_best > 1)  # this one, that before step 0, and that at the mean
    left_s = train.time_limit_s - ready_s - sum(took_s) - evaluate_s * (looks + others)
    fit = done + max(1, int(left_s / step_s * 0.97))
    return min(fit, train.steps) if train.steps else fit, looks, left_s


def paced(train: Train, done: int, steps: int, step_s: float, left_s: float) -> int:
    """Steps of a run that keeps to its time limit, those that were made among them; as planned where they nearly fit.

    Args:
        step_s: seconds of a step of late, with its part of a look.
        left_s: seconds until the limit.
    """
    fit = done + max(0, int(left_s / step_s))
    if abs(fit - steps) <= _NEAR * (steps - done):
        return steps
    return min(fit, train.steps) if train.steps else fit
