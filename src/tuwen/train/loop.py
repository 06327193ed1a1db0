"""The training loop, to be read aloud from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

import torch

from tuwen import diagnose
from tuwen._files import alone, cannot_write
from tuwen.data._dataset import Dataset
from tuwen.errors import ConfigError, DataError
from tuwen.evaluation import Evaluation
from tuwen.recipe import Recipe
from tuwen.train.checkpoint import State, save_state
from tuwen.train.cost import estimate, fitting, paced
from tuwen.train.critics import Critics, check_metric
from tuwen.train.derived import Derived
from tuwen.train.feed import Ahead, cut
from tuwen.train.guide import guide
from tuwen.train.interrupt import interruptible
from tuwen.train.log import Report, peak_memory_mb
from tuwen.train.looks import Looks
from tuwen.train.optimiser import Average, learned_tensors, make_optimiser, restore_learned, set_lr, trainable
from tuwen.train.pairs import asked_for, own_pairs
from tuwen.train.setup import Setup
from tuwen.train.sources import Rows, check_names, derived_fields, learned_routes, make_sources, usable
from tuwen.types import Batch, Made, Terms

_FIRST = 20
"""Steps after which a time limit is turned into a number of steps, at the latest after this part of it:"""
_EARLY = 0.25
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
        seed: of weights, order and dropout; None: as the recipe says.
        resume: go on from `out`, with its recipe and settings; `data` may be "" for that of the run.
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
    with cannot_write(Path(out)):
        Path(out).mkdir(parents=True, exist_ok=True)
    with alone(Path(out)):
        return _train(Setup(data, Path(out), recipe, settings, resume=resume, report=report))


def _train(setup: Setup) -> Path:
    runs = [Run(setup, number) for number in setup.recipe.stages_to_learn() if number >= setup.number]
    if setup.state is None:
        for run in runs:
            run.check()
        setup.begin()
    setup.log.begin()
    with interruptible() as stopped:
        for run in runs:
            run.begin(stopped)
            _loop(run, stopped)
            run.finish()
    return setup.out


def _loop(run: Run, stopped: list[bool]) -> None:
    settings, ahead, saved_at = run.recipe.train, Ahead(run.sources.learned, run.sources.plan), time.monotonic()
    run.model.train()
    if run.at == 0 and settings.start_from:
        run.evaluate()  # a run that only makes it worse keeps what it began with
    while run.step < run.steps and not run.looks.out_of_patience():
        terms, lr = run.learn(ahead.take(run.step))

        if run.step <= 10 or run.step % 10 == 0 or run.step == run.steps:
            run.log_step(terms, lr)
        if settings.time_limit_s and not run.planned and (run.step >= _FIRST or run.spent() > _EARLY):
            run.plan_time()
        elif run.step % run.evaluate_every == 0 or run.step == run.steps:
            run.evaluate()
            run.keep_time()
        if stopped or time.monotonic() - saved_at > settings.save_every_s:
            run.save()
            saved_at = time.monotonic()
        if stopped:
            ahead.close()
            raise KeyboardInterrupt(
                f"stopped at step {run.at} of {run.end}{f' ({run.name})' if run.name else ''}; "
                f"go on with: {run.setup.going_on()}"
            )
    ahead.close()


class Run:
    """One stage of training, of most recipes the only one: what it learns from, where it stands, what it has seen to be best."""

    def __init__(self, setup: Setup, number: int = 0):
        self.setup, self.number, self.out = setup, number, setup.out
        self.recipe, self.model, self.machine = setup.recipe.at(number), setup.model, setup.machine
        self.name = setup.recipe.stages[number].name if setup.recipe.stages else ""
        self.idle = diagnose.IdleWeights({} if self.name else self.recipe.weight)  # a stage does not know others' terms
        self.objectives = {name: config.build() for name, config in self.recipe.objective.items()}
        guide(self.objectives.values(), self.machine.device)
        self.routes, self.own = learned_routes(self.recipe), asked_for(self)
        for objective in self.objectives.values():
            if hasattr(objective, "fit"):
                objective.fit(usable(setup.rows.learned, self.recipe))

    def check(self) -> None:
        """Refuses what cannot work, and says what the stage will cost, before the first step of all stages."""
        check_metric(self.objectives, self.recipe.train.metric)
        check_names(self.recipe)
        self.setup.turn_to(self.number)
        self._open(self.setup.rows)
        self.looks.check()
        self.log("estimate", **estimate(self, self._usual_steps()))

    def begin(self, stopped: Sequence[bool] = ()) -> None:
        """Makes everything ready for the first step, or for that after the state of a run that was stopped."""
        began = time.monotonic()
        self.setup.enter(self.number)
        rows = own_pairs(self, self.own, stopped) if self.own else self.setup.rows
        self._open(rows, derived_fields(self.model, self.recipe, rows, self.machine, self.setup.log))
        self.ready_s = time.monotonic() - began
        train, state = self.recipe.train, self.setup.state
        torch.manual_seed(train.seed)
        self.weights = list(trainable(self.model).values())
        self.optimiser = make_optimiser(self.model, train, self.machine.precision)
        self.average = Average(self.model, train.ema)
        self.critics = Critics(self.objectives, self.made_first)
        self.step, self.saved, self.planned = 0, -1, False
        self._set_steps(self._usual_steps(), train.evaluations)
        self.took_s: list[float] = []
        self.began, self.mark, self.look_s = began, (0, began), 0.0
        if state and self.number == self.setup.number:
            self._restore(state)

    def _open(self, rows: Rows, derived: Mapping[str, Derived] = MappingProxyType({})) -> None:
        self.sources = make_sources(self.model, self.recipe, rows, derived)
        earlier = self.setup.earlier_figures(self.number)
        self.looks = Looks(self.setup, self.recipe, self.sources.held_out, self.objectives, earlier)

    @property
    def at(self) -> int:
        """Steps that were made, those of the stages before among them."""
        return self.setup.before + self.step

    @property
    def end(self) -> int:
        """Step at which the stage ends, counted as `at`."""
        return self.setup.before + self.steps

    def log(self, kind: str, *, keep: bool = True, **values: Any) -> None:
        """Records an event, with the name of the stage where there are several."""
        self.setup.log(kind, keep=keep, **({"stage": self.name} if self.name else {}), **values)

    def _usual_steps(self) -> int:
        train = self.recipe.train
        return train.steps or max(1, math.ceil(train.epochs * self.sources.plan.steps_per_epoch))

    def _set_steps(self, steps: int, evaluations: int) -> None:
        self.steps, self.evaluations = steps, max(1, evaluations)
        self.evaluate_every = max(1, math.ceil(steps / self.evaluations))

    # -- one step --------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> tuple[dict[str, torch.Tensor], float]:
        """One optimiser step; gives the terms and the learning rate."""
        began, train = time.monotonic(), self.recipe.train
        lr = set_lr(self.optimiser, self.step, self.steps, train)
        self.critics.set_lr(self.step, self.steps, train)
        terms = self.backward(batch)
        if train.clip:
            torch.nn.utils.clip_grad_norm_(self.weights, train.clip, foreach=True)
        self.optimiser.step()
        self.optimiser.zero_grad()
        if not math.isfinite(loss := float(terms["loss"])):
            raise ConfigError(
                f"the loss is {loss} at step {self.at + 1}; try a smaller learning rate: --set train.lr={train.lr / 3:g}"
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
        """One forward pass, of which critics learn first, and what every objective makes of it."""
        made = self.model(batch, self.routes)
        terms = made.aside() | self.critics.learn(made, batch)
        whose: dict[str, str] = {}
        for name, objective in self.objectives.items():
            found = objective(made, batch)
            if twice := [term for term in found.values if term in whose]:
                raise ConfigError(
                    f"objective.{whose[twice[0]]} and objective.{name} both give the term {twice[0]!r}, and one of them would "
                    f"not be learned; leave one of them out, or, where it has that setting, call its term otherwise: --set "
                    f"objective.{name}.term=NAME"
                )
            whose |= dict.fromkeys(found.values, name)
            terms = terms | found
        self.idle.see(terms.values)
        return terms

    @torch.no_grad()
    def made_first(self) -> Made:
        """What the model makes of the first batch before it has learned."""
        batch = self.sources.learned.batch(self.sources.plan.items(0)).to(self.machine.device)
        return self.model.eval()(batch, self.routes)  # type: ignore[no-any-return]

    def log_step(self, terms: Mapping[str, torch.Tensor], lr: float) -> None:
        values: dict[str, Any] = {name: round(float(value), 6) for name, value in terms.items()}
        recent = self.took_s[-50:]
        rows_per_s = self.sources.plan.batch * len(recent) / max(1e-9, sum(recent))
        left_s = (self.steps - self.step) * sum(recent) / len(recent)
        if limit_s := self.recipe.train.time_limit_s:  # the steps are fitted to it a little later
            left_s = min(left_s, max(0.0, limit_s - (time.monotonic() - self.began)))
        self.log(
            "step", step=self.at, steps=self.end, **values, lr=round(lr, 8), rows_per_s=round(rows_per_s, 1),
            left_s=round(left_s), memory_mb=round(peak_memory_mb()),
        )  # fmt: skip

    # -- looking at the validation part ----------------------------------------------------------------------------

    def evaluate(self) -> None:
        """Judges the (averaged) weights, keeps the model if it is the best so far, and warns of what goes wrong."""
        began = time.monotonic()
        with self.average.applied(self.model):
            result, better = self.looks.look(self.at, self.end)
            drawn = self.looks.draw(result, self.at)
        self.look_s = time.monotonic() - began
        samples = result.rows[:_SAMPLES]
        self._log_look("evaluation", result, best=better, samples=samples, took_s=round(self.look_s, 2), **drawn)
        for text in [*diagnose.warnings_of(result.figures, self.sources.plan.batch), *self.idle.said()]:
            self.log("warning", step=self.at, text=text)

    def average_best(self) -> None:
        """Keeps the mean of the weights of the best evaluations in place of the best ones, if it judges better."""
        self.saved = -1
        if found := self.looks.look_at_mean(self.at, self.end):
            self._log_look("averaged", found[0], best=found[1], steps=self.looks.best_weights.steps)

    def _log_look(self, kind: str, result: Evaluation, **values: Any) -> None:
        figures = {name: round(value, 5) for name, value in result.figures.items()}
        self.log(kind, step=self.at, figures=figures, **values)

    # -- time and cost ---------------------------------------------------------------------------------------------

    def plan_time(self) -> None:
        """Turns the time limit into a number of steps, so that the schedule is known and a resumed run is the same."""
        self.evaluate()
        self.planned, self.mark = True, (self.step, time.monotonic())
        steps, looks, left_s = fitting(self.recipe.train, self.step, self.took_s, self.look_s, self.ready_s)
        self._set_steps(steps, looks)
        if left_s < 0:
            self.log("warning", text=self._too_late())
        self.save()

    def _too_late(self) -> str:
        """What takes most of a time limit that cannot be kept, and what to do."""
        step_s = median(self.took_s)
        longest = max(self.ready_s, self.look_s, step_s)
        if longest == self.look_s:
            return f"one look at the validation part takes {self.look_s:.0f} s; lower train.evaluate_rows or train.evaluations"
        took = f"a step takes {step_s:.1f} s; lower train.batch"
        if longest == self.ready_s:
            took = f"what comes before the first step took {self.ready_s:.0f} s"
        return f"the time limit of {self.recipe.train.time_limit_s:g} s cannot be kept: {took}, or give more time by --time-limit"

    def spent(self) -> float:
        """Share of the time limit that has gone."""
        return (time.monotonic() - self.began) / self.recipe.train.time_limit_s

    def keep_time(self) -> None:
        """After a look: makes the steps fewer or more where the pace since the look before is another than was planned with."""
        if not self.planned or self.step == self.steps:
            return
        train, now, (step, then) = self.recipe.train, time.monotonic(), self.mark
        last_s = self.look_s * (1 + (train.average_best > 1))
        left_s = train.time_limit_s - (now - self.began) - last_s
        self.steps = paced(train, self.step, self.steps, (now - then) / (self.step - step), left_s)
        self.mark = self.step, now

    # -- stopping and going on -------------------------------------------------------------------------------------

    def save(self) -> None:
        """Writes the state that --resume reads."""
        plain = {
            "stage": self.number, "before": self.setup.before, "steps": self.steps, "evaluations": self.evaluations,
            "evaluate_every": self.evaluate_every, "planned": self.planned,
            "spent_s": self.setup.took_s(), "stage_s": time.monotonic() - self.began, **self.looks.plain(),
        }  # fmt: skip
        tensors = learned_tensors(self.model, self.average, self.optimiser) | self.critics.tensors()
        save_state(self.out, self.at, tensors, plain)
        self.looks.best_weights.saved()
        self.saved = self.step
        self.log("saved", keep=False, step=self.at)

    def _restore(self, state: State) -> None:
        plain = state.plain
        restore_learned(state.tensors, self.model, self.average, self.optimiser)
        self.critics.restore(state.tensors)
        self._set_steps(plain["steps"], plain["evaluations"])
        self.evaluate_every = plain.get("evaluate_every", self.evaluate_every)  # steps may have become fewer since
        self.step = self.saved = state.step - self.setup.before
        self.planned = plain["planned"]
        self.setup.spent_s = plain["spent_s"]
        self.began -= plain["stage_s"]
        self.mark = self.step, time.monotonic()
        self.looks.restore(plain)

    def finish(self) -> None:
        """Says what came out; the state of a finished stage is kept, so that resuming it does nothing."""
        if not self.looks.averaged:
            self.average_best()
        if self.saved != self.step:
            self.save()
        if text := diagnose.collapsed(self.looks.figures):
            self.log(
                "warning", step=self.at, text=f"the model that is kept has collapsed, as all of this run have: {text}"
            )
        self.setup.before, last = self.at, self.number + 1 == self.setup.num_stages
        self.setup.turn_to(self.number + 1 if last else self.number)
        self.log(
            "done" if last else "stage",
            step=self.setup.before,
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
