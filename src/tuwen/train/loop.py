"""The training loop, to be read aloud from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tuwen import diagnose, directory
from tuwen._files import cannot_write
from tuwen.card import card
from tuwen.data._dataset import Dataset
from tuwen.errors import ConfigError, DataError
from tuwen.evaluation import Evaluation, evaluate, less_is_better
from tuwen.generate.greedy import Config as Greedy
from tuwen.recipe import Recipe
from tuwen.train.best import Best
from tuwen.train.checkpoint import State, newest_state, save_state
from tuwen.train.feed import Ahead, cut
from tuwen.train.interrupt import interruptible
from tuwen.train.log import Log, Report, peak_memory_mb
from tuwen.train.optimiser import (
    Average,
    make_optimiser,
    moving,
    optimiser_tensors,
    restore_optimiser,
    set_lr,
    swapped,
    trainable,
)
from tuwen.train.precision import random_states, set_random_states
from tuwen.train.samples import write_sheet
from tuwen.train.setup import (
    Machine,
    Unfinished,
    estimate,
    fitting,
    learned_routes,
    moving_names,
    prepare_data,
)
from tuwen.train.sources import make_sources
from tuwen.train.start import first_model, recipe_to_start_with
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
    run = Run(data, Path(out), recipe, settings, resume, report)
    with interruptible() as stopped:
        _loop(run, stopped)
    run.finish()
    return run.out


def _loop(run: Run, stopped: list[bool]) -> None:
    settings, ahead, saved_at = run.recipe.train, Ahead(run.sources.learned, run.sources.plan), time.monotonic()
    run.model.train()
    if run.step == 0 and settings.start_from:
        run.evaluate()  # a run that only makes it worse keeps what it began with
    while run.step < run.steps and not run.out_of_patience():
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

    def __init__(
        self, data: Any, out: Path, recipe: str | Recipe, settings: Sequence[str], resume: bool, report: Report | None
    ):
        self.out, self.began = out, time.monotonic()
        with cannot_write(out):
            out.mkdir(parents=True, exist_ok=True)
        unfinished = Unfinished(out)
        about = unfinished.read() if resume and unfinished.exists() else {}
        state = newest_state(out) if about else None  # None: killed before the first was whole, so it begins anew
        ignored = ", ".join(settings) if about else ""
        if about:
            recipe, settings = Recipe.from_dict(about["recipe"]), ()
            data = data or about["data"]
        recipe = recipe or recipe_to_start_with(settings) or "coca"
        if not data:
            raise ConfigError(f"{out} holds no run to resume; say what to learn from: tuwen train DATA -o {out}")
        self.log = Log(out / "log.jsonl", report, step=state.step if state else 0)
        if ignored:
            self.log("warning", text=f"--resume keeps the settings that the run began with; without effect: {ignored}")
        self.dataset, self.recipe, rows, held_out = prepare_data(data, recipe, settings)
        self.data_name = str(data) if isinstance(data, str | Path) else self.dataset.name
        self.machine = Machine.of(self.recipe, about.get("precision", ""))
        self.model = unfinished.model(about) if state else first_model(self.recipe, rows, out)
        self.model.to(self.machine.device)
        self.objectives = {name: config.build() for name, config in self.recipe.objective.items()}
        self.routes = learned_routes(self.recipe)
        self.sources = make_sources(
            self.model, rows, held_out, machine=self.machine, log=self.log, name=self.dataset.name
        )
        for objective in self.objectives.values():
            if hasattr(objective, "fit"):
                objective.fit(self.sources.learned.samples)
        fingerprint = self.dataset.fingerprint()
        if about and about["fingerprint"] != fingerprint:
            self.log("warning", text="the data has changed since this run began; it goes on with the data as it is now")
        self._start()
        if state:
            self._restore(state)
            return
        self._check_metric()
        self._say_cost()
        precision = str(self.machine.precision).removeprefix("torch.")
        unfinished.begin(self.model, {"data": self.data_name, "fingerprint": fingerprint, "precision": precision})

    def _start(self) -> None:
        train = self.recipe.train
        torch.manual_seed(train.seed)
        self.weights = list(trainable(self.model).values())
        self.optimiser = make_optimiser(self.model, train)
        self.average = Average(self.model, train.ema)
        self.step, self.saved, self.planned, self.spent_s = 0, -1, False, 0.0
        steps = train.steps or max(1, math.ceil(train.epochs * self.sources.plan.steps_per_epoch))
        self._set_steps(steps, train.evaluations)
        self.best, self.best_step, self.since_best = math.nan, 0, 0
        self.figures: dict[str, float] = {}
        self.best_weights, self.averaged = Best(self.out, train.average_best), train.average_best < 2
        self.took_s: list[float] = []

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
            result = self._judge()
            drawn = self._draw(result)
            score = self._score(result.figures)
            better = math.isnan(self.best) or score > self.best
            if better:
                self.best, self.best_step, self.since_best, self.figures = score, self.step, 0, result.figures
                self._keep()
            else:
                self.since_best += 1
            if not self.averaged:
                self.best_weights.offer(score, self.step, moving(self.model))
        figures = {name: round(value, 5) for name, value in result.figures.items()}
        samples = result.rows[:_SAMPLES]
        took_s = round(time.monotonic() - began, 2)
        self.log("evaluation", step=self.step, figures=figures, best=better, samples=samples, took_s=took_s, **drawn)
        for text in diagnose.warnings_of(result.figures, self.sources.plan.batch):
            self.log("warning", step=self.step, text=text)

    def average_best(self) -> None:
        """Keeps the mean of the weights of the best evaluations in place of the best ones, if it judges better."""
        steps = self.best_weights.steps
        if len(steps) > 1:
            with swapped(self.model, self.best_weights.mean()):
                result = self._judge()
                score = self._score(result.figures)
                better = score > self.best
                if better:
                    self.best, self.figures = score, result.figures
                    self._keep(averaged=steps)
            figures = {name: round(value, 5) for name, value in result.figures.items()}
            self.log("averaged", step=self.step, steps=steps, figures=figures, best=better)
        self.averaged, self.saved = True, -1

    def _judge(self, rows: int = 0) -> Evaluation:
        rows = rows or self.recipe.train.evaluate_rows
        batches = (b.to(self.machine.device) for b in self.sources.held_out.in_order(64, rows))
        with self.machine.autocast():
            return evaluate(self.model, batches, method=Greedy(), objectives=self.objectives, weight=self.recipe.weight)

    def _draw(self, found: Evaluation) -> dict[str, Any]:
        """Where the pictures are that the model draws of the first validation rows now; empty for one that does not draw."""
        with self.machine.autocast():
            path = write_sheet(self.model, self.sources.held_out.samples, self.out, self.step, found.drawn)
        return {"drawn": path} if path else {}

    def _score(self, figures: Mapping[str, float]) -> float:
        metric = self.recipe.train.metric
        if not figures:
            return float(self.step)  # nothing to look at: the latest is kept
        if metric not in figures:
            raise ConfigError(f"train.metric is {metric!r}; the evaluation gives: {', '.join(figures)}.")
        less = metric in less_is_better() or metric in self.recipe.objective
        return -figures[metric] if less else figures[metric]

    def _check_metric(self) -> None:
        """Refuses a metric that is not there now, not after hours; all rows are judged only where 64 do not have it."""
        if self.recipe.train.metric not in self._judge(64).figures:
            self._score(self._judge().figures)

    def _keep(self, averaged: Sequence[int] = ()) -> None:
        text = card(
            self.model,
            dataset=self.dataset,
            figures=self.figures,
            step=self.step,
            steps=self.steps,
            averaged=averaged,
            data=self.data_name,
        )
        directory.save(self.model, self.out, card=text, figures=self.figures)

    def out_of_patience(self) -> bool:
        return bool(self.recipe.train.patience) and self.since_best >= self.recipe.train.patience

    # -- time and cost ---------------------------------------------------------------------------------------------

    def plan_time(self) -> None:
        """Turns the time limit into a number of steps, so that the schedule is known and a resumed run is the same."""
        train, began = self.recipe.train, time.monotonic()
        self.evaluate()
        evaluate_s = time.monotonic() - began
        self.planned = True
        steps, looks, left_s = fitting(train, _FIRST, self.took_s, evaluate_s)
        self._set_steps(steps, looks)
        if left_s < 0:
            self.log(
                "warning",
                text=f"one look at the validation part takes {evaluate_s:.0f} s; lower train.evaluate_rows or train.evaluations",
            )
        self.save()

    def _say_cost(self) -> None:
        """Times one step without learning from it, then says what the run will cost."""
        random = random_states(self.machine.device)
        before = {
            name: buffer.clone() for name, buffer in self.model.named_buffers()
        }  # batch norms count what they see
        batch = self.sources.learned.batch(self.sources.plan.items(0))
        optimiser = make_optimiser(self.model, self.recipe.train)  # not the run's own, and at a learning rate of 0
        for group in optimiser.param_groups:
            group["lr"] = 0.0
        for _ in range(2):  # the first also builds kernels
            began = time.monotonic()
            self.model.train()
            self.backward(batch)
            optimiser.step()
            optimiser.zero_grad()
            step_s = time.monotonic() - began
        set_random_states(random)
        self.model.load_state_dict(before, strict=False)
        steps = self.steps if not self.recipe.train.time_limit_s else int(self.recipe.train.time_limit_s / step_s)
        cost = estimate(self.model, self.sources.caches, len(self.sources), step_s, steps, self.out)
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
            "steps": self.steps, "evaluations": self.evaluations, "planned": self.planned, "best": None if math.isnan(self.best) else self.best,
            "best_step": self.best_step, "since_best": self.since_best, "figures": self.figures,
            "spent_s": self.spent_s + time.monotonic() - self.began,
            "averaged": self.averaged, "best_weights": self.best_weights.kept,
        }  # fmt: skip
        save_state(self.out, self.step, tensors, plain)
        self.best_weights.saved()
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
        self.best = math.nan if plain["best"] is None else plain["best"]
        self.best_step, self.since_best = plain["best_step"], plain["since_best"]
        self.figures, self.spent_s = plain["figures"], plain["spent_s"]
        self.averaged = plain.get("averaged", self.averaged)
        self.best_weights.restore(plain.get("best_weights", []))

    def finish(self) -> None:
        """Says what came out; the state of a finished run is kept, so that resuming it does nothing."""
        if not self.averaged:
            self.average_best()
        if self.saved != self.step:
            self.save()
        took_s = round(self.spent_s + time.monotonic() - self.began, 1)
        self.log(
            "done",
            step=self.step,
            path=str(self.out),
            figures=self.figures,
            can=self.model.can(),
            best_step=self.best_step,
            took_s=took_s,
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
