"""Everything that stands before the first step: data, recipe, model, caches, and where an earlier run was stopped."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from tuwen import registry
from tuwen._files import atomic, cannot_write, write_atomic
from tuwen._tensors import read_tensors, write_tensors
from tuwen.data._config import Data
from tuwen.data._dataset import Dataset, open_data
from tuwen.data._problem import grouped
from tuwen.directory import FIGURES, RECIPE, stored
from tuwen.errors import CheckpointError, ConfigError, DataError
from tuwen.model import CrossModal
from tuwen.recipe import Recipe
from tuwen.train.checkpoint import newest_state
from tuwen.train.log import Log, Report
from tuwen.train.optimiser import moving_names
from tuwen.train.precision import Machine
from tuwen.train.sources import read_rows, usable
from tuwen.train.start import first_model, recipe_to_start_with
from tuwen.types import Sample, base_of


class Setup:
    """What a run stands on.

    Args:
        data, out, recipe, settings, resume, report: as `tuwen.train.loop.train` takes them.
    """

    def __init__(
        self,
        data: Any,
        out: Path,
        recipe: str | Recipe = "",
        settings: Sequence[str] = (),
        *,
        resume: bool = False,
        report: Report | None = None,
    ):
        self.out, self.began, self.spent_s = out, time.monotonic(), 0.0
        with cannot_write(out):
            out.mkdir(parents=True, exist_ok=True)
        self._unfinished = Unfinished(out)
        about = self._unfinished.read() if resume and self._unfinished.exists() else {}
        if resume and not about and (out / RECIPE).is_file():
            raise ConfigError(
                f"{out} holds a model, but not the state of a run that could be resumed. Begin with what it has learned: "
                f"tuwen train DATA -o NEW --start-from {shlex.quote(str(out))}; or train anew in its place by --overwrite."
            )
        self.state = newest_state(out) if about else None
        """Where to go on; None: at the beginning, also after a kill before the first was whole."""
        self.number = self.state.plain.get("stage", 0) if self.state else 0
        """Of the stage that the run is in, from 0."""
        self.before = self.state.plain.get("before", 0) if self.state else 0
        """Optimiser steps of the stages before it."""
        self.log = Log(out / "log.jsonl", report, step=self.state.step if self.state else 0)
        if about:
            self._tell_ignored(recipe, settings)
            recipe, settings = Recipe.from_dict(about["recipe"]), ()
            data = data if data is not None and data != "" else about["data"]
        recipe = recipe or recipe_to_start_with(settings) or "coca"
        if data is None or data == "":
            found = (
                "a run on rows that were in memory; give them again"
                if about
                else "no run to resume; say what to learn from"
            )
            raise ConfigError(f"{out} holds {found}: {_typed('DATA', out)}{' --resume' if about else ''}")
        self.dataset, self.recipe, rows, held_out = prepare_data(data, recipe, settings)
        for one in grouped(self.dataset.problems):
            self.log("warning", text=f"{one['count']:,} x {one['what']}: {'; '.join(one['examples'])}. {one['remedy']}")
        self.recipe.check_stages()
        self.number = max(self.number, self.recipe.stages_to_learn()[0])
        self.named = str(data) if isinstance(data, str | Path) else ""
        """What the data is called outside of this process; empty where it is in memory alone."""
        self.data_name = self.named or self.dataset.name
        self.machine = Machine.of(self.recipe, about.get("precision", ""))
        self.model = self._unfinished.model(about) if self.state else first_model(self.recipe, rows, out, self.log.warn)
        self.model.to(self.machine.device)
        self.rows = read_rows(self.model, rows, held_out, machine=self.machine, log=self.log, name=self.dataset.name)
        self.fingerprint = self.dataset.fingerprint()
        if about and about["fingerprint"] != self.fingerprint:
            self.log("warning", text="the data has changed since this run began; it goes on with the data as it is now")

    def _tell_ignored(self, recipe: str | Recipe, settings: Sequence[str]) -> None:
        ignored = [f"-r {recipe}"] if isinstance(recipe, str) and recipe else []
        if ignored := [*ignored, *settings]:
            self.log.warn(f"--resume keeps the settings that the run began with; without effect: {', '.join(ignored)}")

    def going_on(self) -> str:
        """What to type to go on with the run after it was stopped."""
        if not self.named:
            return f"tuwen.train(rows, out={str(self.out)!r}, resume=True)"
        return f"tuwen train --resume -o {shlex.quote(str(self.out))}"

    @property
    def num_stages(self) -> int:
        """Stages of the run, 1 or more."""
        return max(1, len(self.recipe.stages))

    def turn_to(self, number: int) -> None:
        """Lets the parts of a stage learn and its routes be run; after the last one all are as in use."""
        stages, model = self.recipe.stages, self.model
        if number == len(stages) or not stages:
            model.let_learn()
            model.routes, model.recipe = dict(self.recipe.routes), self.recipe
            return
        reached = "" if number + 1 == len(stages) else stages[number].name
        model.let_learn(stages[number].parts)
        model.routes = dict(self.recipe.at(number).routes)
        model.recipe = replace(self.recipe, reached=reached)

    def enter(self, number: int) -> None:
        """Turns to a stage, with the best model of the one before, or with the one that the run starts from."""
        if number > self.recipe.stages_to_learn()[0] or self.recipe.train.start_from:
            self.model.load_state_dict(self._unfinished.first_weights(number, self.out))
        self.turn_to(number)

    def earlier_figures(self, number: int) -> dict[str, float]:
        """Figures of the stages before one that lets their parts be as they are."""
        stages = self.recipe.stages
        learned = {place for stage in stages[:number] for place in stage.parts}
        if (
            number <= self.recipe.stages_to_learn()[0]
            or learned & set(stages[number].parts)
            or not (self.out / FIGURES).is_file()
        ):
            return {}
        found: dict[str, float] = json.loads((self.out / FIGURES).read_text("utf-8"))
        return found

    def begin(self) -> None:
        """Writes down that a run begins, so that it can be resumed."""
        self.turn_to(self.number)
        about = {"recipe": self.recipe.to_dict(), "data": self.named, "fingerprint": self.fingerprint}
        self._unfinished.begin(self.model, {**about, "precision": self.machine.precision_name})
        if self.recipe.train.start_from:
            self._unfinished.keep_first(self.number, self.model.state_dict())

    def took_s(self) -> float:
        """Seconds since the run began, without those in which it was stopped."""
        return self.spent_s + time.monotonic() - self.began


def _typed(data: str, out: Path) -> str:
    return f"tuwen train {data} -o {shlex.quote(str(out))}"


def choose_recipe(recipe: str | Recipe, dataset: Dataset, settings: Sequence[str]) -> Recipe:
    """The recipe made for this data, with the user's settings."""
    made = recipe if isinstance(recipe, Recipe) else registry.get_recipe(recipe)(dataset.facts())
    for setting in settings:
        made = made.with_setting(setting)
    return made


def data_options(recipe: str | Recipe, settings: Sequence[str]) -> Data:
    """The `data` section alone, which is needed to open the data before a recipe can be made for it."""
    bare = recipe if isinstance(recipe, Recipe) else Recipe(name=recipe)
    for setting in settings:
        if setting.startswith("data."):
            bare = bare.with_setting(setting)
    return bare.data


def check_fields(recipe: Recipe, dataset: Dataset) -> None:
    """Refuses data that lacks a field of the recipe altogether.

    Raises:
        DataError: says which field is missing and which there are.
    """
    for field in {*recipe.encode, *map(base_of, recipe.decode)}:
        if field not in dataset.fields:
            named = field in ("label", "text") and not getattr(dataset.options, f"{field}_column", "")
            column = f" Where it is a column of another name: --set data.{field}_column=NAME." if named else ""
            raise DataError(
                f"recipe {recipe.name!r} needs the field {field!r}; {dataset.name} has: {', '.join(dataset.fields) or 'nothing'}. "
                f"`tuwen data {dataset.name}` tells what is there and what is wrong with it.{column}"
            )


class Unfinished:
    """`state/` of a model directory: what a run needs to go on where it was killed."""

    def __init__(self, out: Path):
        self.folder = out / "state"
        self.run_path, self.frozen_path = self.folder / "run.json", self.folder / "frozen.safetensors"

    def exists(self) -> bool:
        return self.run_path.is_file()

    def begin(self, model: CrossModal, about: dict[str, Any]) -> None:
        """Writes what does not change during the run: recipe, vocabularies, frozen weights."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        moving = moving_names(model)
        frozen = {n: t for n, t in model.state_dict().items() if n not in moving}
        with atomic(self.frozen_path) as temporary:
            write_tensors(temporary, frozen)
        write_atomic(
            self.run_path,
            json.dumps({"learned": model.learned(), **about}, ensure_ascii=False),
        )

    def first_weights(self, number: int, out: Path) -> dict[str, Tensor]:
        """What a stage begins with: what was kept for it, or the model that was the best when it was asked first."""
        if not self._first_path(number).is_file():
            self.keep_first(number, stored(out)[2])
        return read_tensors(self._first_path(number))[0]

    def keep_first(self, number: int, weights: Mapping[str, Tensor]) -> None:
        """Writes what a stage begins with."""
        with atomic(self._first_path(number)) as temporary:
            write_tensors(temporary, weights)

    def _first_path(self, number: int) -> Path:
        return self.folder / f"first-{number}.safetensors"

    def read(self) -> dict[str, Any]:
        try:
            about: dict[str, Any] = json.loads(self.run_path.read_text("utf-8"))
            return about
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.run_path} cannot be read ({error}); train anew without --resume") from error

    def model(self, about: dict[str, Any]) -> CrossModal:
        model = CrossModal.restored(Recipe.from_dict(about["recipe"]), about["learned"])
        model.load_state_dict(read_tensors(self.frozen_path)[0], strict=False)
        return model


def prepare_data(
    data: Any, recipe: str | Recipe, settings: Sequence[str], split: tuple[str, str] = ("train", "val")
) -> tuple[Dataset, Recipe, list[Sample], list[Sample]]:
    """Opens the data, makes the recipe for it, and gives the rows to learn from and to look at."""
    dataset = open_data(data, data_options(recipe, settings))
    made = choose_recipe(recipe, dataset, settings)
    check_fields(made, dataset)
    rows, held_out = (usable(list(dataset.split(name)), made) for name in split)
    if not rows:
        raise DataError(
            f"{dataset.name} has no training row with what recipe {made.name!r} learns from "
            f"({'; '.join(str(r) for r in made.routes.values())}). `tuwen data {dataset.name}` tells what is there."
        )
    return dataset, made, rows, held_out
