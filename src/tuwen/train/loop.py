"""The training loop, to be read aloud from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tuwen import diagnose
from tuwen.data._dataset import Dataset
from tuwen.errors import ConfigError, DataError
from tuwen.evaluation import Evaluation
from tuwen.recipe import Recipe
from tuwen.train.checkpoint import State, save_state
from tuwen.train.cost import estimate, fitting, seconds_of_a_step
from tuwen.train.feed import Ahead, cut
from tuwen.train.interrupt import interruptible
from tuwen.train.log import Report, peak_memory_mb
from tuwen.train.looks import Looks
from tuwen.train.optimiser import (
    Average,
    make_optimiser,
    moving_names,
    optimiser_tensors,
    restore_optimiser,
    set_lr,
    trainable,
)
from tuwen.train.precision import random_states, set_random_states
from tuwen.train.setup import Setup, learned_routes
from tuwen.train.sources import make_sources
from tuwen.types import Batch, Terms

_FIRST = 20
"""Steps after which a time limit is turned into a number of steps."""
_SAMPLES = 3
"""Rows shown at each evaluation."""


def train(
    data: str | Path | Dataset,
    *,
    out: str | Path,
    recipe: str | Recipe = "",
    settings: Sequence[str] = (),
    time_limit_s: float = 0.0,
    steps: int = 0,
    seed: int | None = None,
    start_from: str | Path = "",
    resume: bool = False,
    report: Report | None = None,
) -> Path:
    """Learns a model from data and writes its directory.

    Args:
        data: a folder, a table, ... (`tuwen data` says what it sees there), or `scenes`.
        out: the model directory; `state/` in it lets a killed run go on.
        recipe: a name of `tuwen list recipe`, or a Recipe; empty: that of `start_from`, else coca.
        settings: what `--set` takes: "train.lr=1e-3", "encode.image=image_pretrained".
        time_limit_s: seconds of training; 0: as long as the recipe says.
        steps: optimiser steps; 0: as many as the recipe says. With a time limit: at most so many.
        start_from: a model directory; the run begins with its vocabularies and weights.
        resume: go on from `out`; data and settings are those of the run that was killed.
        report: takes the events of the run, see `train.log.Report`.
    Returns:
        `out`, with the best model by the recipe's validation metric.
    Raises:
        TuwenError: data, recipe or settings cannot work; says what to do.
        KeyboardInterrupt: on Ctrl-C, after the state was saved.
    """
    settings = [*settings, *([f"train.steps={steps}"] if steps else [])]
    settings += [f"train.time_limit_s={time_limit_s}"] if time_limit_s else []
    settings += [f"train.seed={seed}"] if seed is not None else []
    settings += [f"train.start_from={start_from}"] if start_from else []
    run = Run(Setup(data, Path(out), recipe, settings, resume=resume, report=report))
    run.begin()
    with interruptible() as stopped:
        _loop(run, stopped)
    run.finish()
    return run.out


def _loop(run: Run, stopped: list[bool]) -> None:
    settings, ahead, saved_at = run.recipe.train, Ahead(run.sources.learned, run.sources.plan), time.monotonic()
    run.model.train()
    if run.step == 0 and settings.start_from:
        run.evaluate()  # a run that only makes it worse keeps what it began with
    while run.step < run.steps and not run.looks.out_of_patience():
        terms, lr = run.learn(ahead.take(run.step))

        if run.step <= 10 or run.step % 10 == 0 or run.step == run.steps:
            run.log_step(terms, lr)
        if run.step == _FIRST and settings.time_limit_s and not run.planned:
            run.plan_time()
        elif run.step % run.evaluate_every == 0 or run.step == run.steps:
            run.evaluate()
        if stopped or time.monotonic() - saved_at > settings.save_every_s:
            run.save()
            saved_at = time.monotonic()
        if stopped:
            ahead.close()
            raise KeyboardInterrupt(
                f"stopped at step {run.step} of {run.steps}; go on with: tuwen train --resume -o {run.out}"
            )
    ahead.close()


class Run:
    """One run of training: what it learns from, where it stands, and what it has seen to be best."""

    def __init__(self, setup: Setup):
        self.setup, self.out, self.log = setup, setup.out, setup.log
        self.recipe, self.model, self.machine = setup.recipe, setup.model, setup.machine
        self.objectives = {name: config.build() for name, config in self.recipe.objective.items()}
        self.routes = learned_routes(self.recipe)
        self.sources = make_sources(self.model, setup.rows)
        for objective in self.objectives.values():
            if hasattr(objective, "fit"):
                objective.fit(self.sources.learned.samples)
        self.looks = Looks(setup, self.recipe, self.sources.held_out, self.objectives)

    def begin(self) -> None:
        """Makes everything ready for the first step, or for that after the state of a run that was stopped."""
        train = self.recipe.train
        torch.manual_seed(train.seed)
        self.weights = list(trainable(self.model).values())
        self.optimiser = make_optimiser(self.model, train)
        self.average = Average(self.model, train.ema)
        self.step, self.saved, self.planned = 0, -1, False
        self._set_steps(
            train.steps or max(1, math.ceil(train.epochs * self.sources.plan.steps_per_epoch)), train.evaluations
        )
        self.took_s: list[float] = []
        if self.setup.state:
            self._restore(self.setup.state)
            return
        self.looks.check()
        self._say_cost()
        self.setup.begin()

    def _set_steps(self, steps: int, evaluations: int) -> None:
        self.steps, self.evaluations = steps, max(1, evaluations)
        self.evaluate_every = max(1, math.ceil(steps / self.evaluations))

    # -- one step --------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> tuple[dict[str, torch.Tensor], float]:
        """One optimiser step; gives the terms and the learning rate."""
        began, train = time.monotonic(), self.recipe.train
        lr = set_lr(self.optimiser, self.step, self.steps, train)
        terms = self.backward(batch)
        if train.clip:
            torch.nn.utils.clip_grad_norm_(self.weights, train.clip, foreach=True)
        self.optimiser.step()
        self.optimiser.zero_grad()
        if not math.isfinite(loss := float(terms["loss"])):
            raise ConfigError(
                f"the loss is {loss} at step {self.step + 1}; try a smaller learning rate: --set train.lr={train.lr / 3:g}"
            )
        self.average.update(self.model, self.step)
        self.step += 1
        self.took_s.append(time.monotonic() - began)
        return terms, lr

    def backward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Adds the gradient of the weighted sum of all terms; gives the terms."""
        parts = cut(batch, self.recipe.train.accumulate)
        found: dict[str, torch.Tensor] = {}
        for part in parts:
            part, share = part.to(self.machine.device), len(part) / len(batch)
            with self.machine.autocast():
                terms = self.terms(part)
            loss = weighted(terms, self.recipe.weight)
            (loss * share).backward()
            for name, value in {**terms.values, **terms.reports, "loss": loss}.items():
                found[name] = found.get(name, 0.0) + value.detach() * share
        return found

    def terms(self, batch: Batch) -> Terms:
        """One forward pass and what every objective makes of it."""
        made = self.model(batch, self.routes)
        terms = made.aside()
        for objective in self.objectives.values():
            terms = terms | objective(made, batch)
        return terms

    def log_step(self, terms: Mapping[str, torch.Tensor], lr: float) -> None:
        values: dict[str, Any] = {name: round(float(value), 6) for name, value in terms.items()}
        recent = self.took_s[-50:]
        rows_per_s = self.sources.plan.batch * len(recent) / max(1e-9, sum(recent))
        left_s = (self.steps - self.step) * sum(recent) / len(recent)
        self.log(
            "step", step=self.step, steps=self.steps, **values, lr=round(lr, 8), rows_per_s=round(rows_per_s, 1),
            left_s=round(left_s), memory_mb=round(peak_memory_mb()),
        )  # fmt: skip

    # -- looking at the validation part ----------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Judges the (averaged) weights, keeps the model if it is the best so far, and warns of what goes wrong."""
        began = time.monotonic()
        with self.average.applied(self.model):
            result, better = self.looks.look(self.step, self.steps)
        took_s = round(time.monotonic() - began, 2)
        samples = result.rows[:_SAMPLES]
        self._log_look("evaluation", result, best=better, samples=samples, took_s=took_s)
        for text in diagnose.warnings_of(result.figures, self.sources.plan.batch):
            self.log("warning", step=self.step, text=text)

    def average_best(self) -> None:
        """Keeps the mean of the weights of the best evaluations in place of the best ones, if it judges better."""
        self.saved = -1
        if found := self.looks.look_at_mean(self.step, self.steps):
            self._log_look("averaged", found[0], best=found[1], steps=self.looks.best_weights.steps)

    def _log_look(self, kind: str, result: Evaluation, **values: Any) -> None:
        figures = {name: round(value, 5) for name, value in result.figures.items()}
        self.log(kind, step=self.step, figures=figures, **values)

    # -- time and cost ---------------------------------------------------------------------------------------------

    def plan_time(self) -> None:
        """Turns the time limit into a number of steps, so that the schedule is known and a resumed run is the same."""
        began = time.monotonic()
        self.evaluate()
        evaluate_s = time.monotonic() - began
        self.planned = True
        steps, looks, left_s = fitting(self.recipe.train, _FIRST, self.took_s, evaluate_s)
        self._set_steps(steps, looks)
        if left_s < 0:
            self.log(
                "warning",
                text=f"one look at the validation part takes {evaluate_s:.0f} s; lower train.evaluate_rows or train.evaluations",
            )
        self.save()

    def _say_cost(self) -> None:
        """Times a step, and says what the run will cost."""
        step_s, limit_s = seconds_of_a_step(self), self.recipe.train.time_limit_s
        cost = estimate(self.model, self.setup.rows, step_s, int(limit_s / step_s) if limit_s else self.steps, self.out)
        precision = str(self.machine.precision).removeprefix("torch.")
        self.log(
            "estimate", device=str(self.machine.device), precision=precision, threads=torch.get_num_threads(), **cost
        )

    # -- stopping and going on -------------------------------------------------------------------------------------

    def save(self) -> None:
        """Writes the state that --resume reads."""
        moving, weights = moving_names(self.model), self.model.state_dict()
        tensors = {f"model.{name}": weights[name] for name in moving}
        tensors |= {f"average.{name}": value for name, value in self.average.weights.items()}
        tensors |= optimiser_tensors(self.model, self.optimiser)
        tensors |= random_states(self.machine.device)
        plain = {
            "steps": self.steps, "evaluations": self.evaluations, "planned": self.planned,
            "spent_s": self.setup.took_s(), **self.looks.plain(),
        }  # fmt: skip
        save_state(self.out, self.step, tensors, plain)
        self.looks.best_weights.saved()
        self.saved = self.step
        self.log("saved", keep=False, step=self.step)

    def _restore(self, state: State) -> None:
        tensors, plain = state.tensors, state.plain
        weights = {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}
        self.model.load_state_dict(weights, strict=False)
        for name, value in self.average.weights.items():
            value.copy_(tensors[f"average.{name}"])
        restore_optimiser(self.model, self.optimiser, tensors)
        set_random_states(tensors)
        self._set_steps(plain["steps"], plain["evaluations"])
        self.step, self.saved, self.planned = state.step, state.step, plain["planned"]
        self.setup.spent_s = plain["spent_s"]
        self.looks.restore(plain)

    def finish(self) -> None:
        """Says what came out; the state of a finished run is kept, so that resuming it does nothing."""
        if not self.looks.averaged:
            self.average_best()
        if self.saved != self.step:
            self.save()
        self.log(
            "done",
            step=self.step,
            path=str(self.out),
            figures=self.looks.figures,
            can=self.model.can(),
            best_step=self.looks.best_step,
            took_s=round(self.setup.took_s(), 1),
            memory_mb=round(peak_memory_mb()),
        )


def weighted(terms: Terms, weight: Mapping[str, float]) -> torch.Tensor:
    """The one place where terms are weighted and summed.

    Raises:
        DataError: no objective found anything to learn from in this batch.
    """
    if not terms.values:
        raise DataError(
            "no objective found anything to learn from in a batch: its rows lack the fields that the recipe's routes need"
        )
    return torch.stack([value * weight.get(name, 1.0) for name, value in terms.values.items()]).sum()
