"""Looks at the validation part: judges the model, and keeps the one that is the best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuwen import diagnose, directory
from tuwen.card import card
from tuwen.errors import ConfigError
from tuwen.evaluation import Evaluation, evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.recipe import Recipe
from tuwen.train.best import Best
from tuwen.train.feed import Source
from tuwen.train.optimiser import moving, swapped
from tuwen.train.samples import write_sheet
from tuwen.train.setup import Setup

_COLLAPSED = 1e6
"""More than any two metrics are apart."""


class Looks:
    """The looks of a run at its validation part.

    Args:
        recipe: says what decides (`train.metric`) and how many rows are looked at.
        held_out: these rows.
        objectives: name -> built objective.
        earlier: figures of the stages before, which stay as they are and are kept beside those of the model.
    """

    def __init__(
        self,
        setup: Setup,
        recipe: Recipe,
        held_out: Source,
        objectives: Mapping[str, Any],
        earlier: Mapping[str, float],
    ):
        self.setup, self.recipe, self.held_out, self.objectives = setup, recipe, held_out, objectives
        self.earlier = earlier
        self.best, self.best_step, self.since_best = math.nan, 0, 0
        self.figures: dict[str, float] = {}
        """Of the best model."""
        self.best_weights = Best(setup.out, recipe.train.average_best)
        self.averaged = recipe.train.average_best < 2
        """Whether there is no mean of the best weights to be tried any more."""

    def judge(self, rows: int = 0) -> Evaluation:
        """What the model is worth on so many rows; 0: as the recipe says."""
        machine, rows = self.setup.machine, rows or self.recipe.train.evaluate_rows
        batches = (batch.to(machine.device) for batch in self.held_out.in_order(64, rows))
        with machine.autocast():
            return evaluate(
                self.setup.model, batches, method=Greedy(), objectives=self.objectives, weight=self.recipe.weight
            )

    def score(self, found: Evaluation, step: int) -> float:
        """The metric that decides, so that more is better; without a validation part the later model is. A model that has
        collapsed stands below all that have not.

        Raises:
            ConfigError: the evaluation does not give it.
        """
        metric, figures = self.recipe.train.metric, found.figures
        if not figures:
            return float(step)
        if metric not in figures:
            few = (
                f" Only {num} row validates; take more with --set data.val=0.3." if (num := found.num_rows) == 1 else ""
            )
            raise ConfigError(f"train.metric is {metric!r}; the evaluation gives: {', '.join(figures)}.{few}")
        score = -figures[metric] if metric in found.less else figures[metric]
        return score - _COLLAPSED if diagnose.collapsed(figures) else score

    def check(self) -> None:
        """Refuses a metric that is not there now, not after hours; all rows are judged only where 64 do not have it."""
        if self.recipe.train.metric not in self.judge(64).figures:
            self.score(self.judge(), 0)

    def look(self, step: int, steps: int) -> tuple[Evaluation, bool]:
        """Judges the model, keeps it if it is the best so far, and says whether it is."""
        result = self.judge()
        score = self.score(result, step)
        if better := math.isnan(self.best) or score > self.best:
            self.best, self.best_step, self.since_best = score, step, 0
            self.figures = {**self.earlier, **result.figures}
            self._keep(step, steps)
        else:
            self.since_best += 1
        if not self.averaged:
            self.best_weights.offer(score, step, moving(self.setup.model))
        return result, better

    def draw(self, found: Evaluation, step: int) -> dict[str, str]:
        """Where the pictures are that the model draws of the first rows now; empty for one that does not draw."""
        with self.setup.machine.autocast():
            path = write_sheet(self.setup.model, self.held_out.samples, self.setup.out, step, found.drawn)
        return {"drawn": path} if path else {}

    def look_at_mean(self, step: int, steps: int) -> tuple[Evaluation, bool] | None:
        """Judges the mean of the weights of the best looks, keeps it if it is better; None where there is but one look."""
        self.averaged = True
        if len(self.best_weights.steps) < 2:
            return None
        with swapped(self.setup.model, self.best_weights.mean()):
            result = self.judge()
            score = self.score(result, step)
            if better := score > self.best:
                self.best, self.figures = score, {**self.earlier, **result.figures}
                self._keep(step, steps, averaged=self.best_weights.steps)
        return result, better

    def out_of_patience(self) -> bool:
        return bool(self.recipe.train.patience) and self.since_best >= self.recipe.train.patience

    def _keep(self, step: int, steps: int, averaged: Sequence[int] = ()) -> None:
        setup = self.setup
        text = card(
            setup.model,
            dataset=setup.dataset,
            figures=self.figures,
            step=step,
            steps=steps,
            averaged=averaged,
            data=setup.data_name,
        )
        directory.save(setup.model, setup.out, card=text, figures=self.figures)

    def plain(self) -> dict[str, Any]:
        """What it has seen so far, for the state."""
        return {
            "best": None if math.isnan(self.best) else self.best, "best_step": self.best_step,
            "since_best": self.since_best, "figures": self.figures, "averaged": self.averaged,
            "best_weights": self.best_weights.kept,
        }  # fmt: skip

    def restore(self, plain: Mapping[str, Any]) -> None:
        """What `plain` gave."""
        self.best = math.nan if plain["best"] is None else plain["best"]
        self.best_step, self.since_best, self.figures = plain["best_step"], plain["since_best"], plain["figures"]
        self.averaged = plain.get("averaged", self.averaged)
        self.best_weights.restore(plain.get("best_weights", []))
