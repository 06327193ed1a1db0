"""Everything that stands before the first step: data, recipe, model, caches, and what the run will cost."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tuwen import registry
from tuwen._files import atomic, write_atomic
from tuwen._tensors import read_tensors, write_tensors
from tuwen.data._config import Data
from tuwen.data._dataset import Dataset, open_data
from tuwen.data._files import cache_folder
from tuwen.errors import CheckpointError, ConfigError, DataError
from tuwen.model import CrossModal
from tuwen.recipe import Recipe, Train
from tuwen.train.cache import Cached
from tuwen.train.log import Log, peak_memory_mb
from tuwen.train.precision import autocast, choose_device, choose_precision
from tuwen.types import Route, Sample

_LOOKING = 0.1
"""Share of a time limit that may go into looking at the validation part; three looks are taken whatever they cost."""
_AT_ONCE = 16
"""Pictures that one core encodes at once."""
_log = logging.getLogger("tuwen")


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

    def autocast(self) -> Any:
        return autocast(self.device, self.precision)


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


def usable(samples: Sequence[Sample], recipe: Recipe) -> list[Sample]:
    """The rows that some route of the recipe can learn from."""

    def has(sample: Sample, field: str) -> bool:
        value = sample.fields.get(field)
        return value is not None and not (isinstance(value, list | tuple) and not value)

    making = [route for route in recipe.routes.values() if route.make]

    def learns(sample: Sample) -> bool:
        if making:
            return any(has(sample, r.make or "") and any(has(sample, g) for g in r.given) for r in making)
        return all(has(sample, g) for route in recipe.routes.values() for g in route.given)

    return [sample for sample in samples if learns(sample)]


def learned_routes(recipe: Recipe) -> dict[str, Route]:
    """The routes that a training step runs: those of the recipe, and those that its objectives add."""
    routes = dict(recipe.routes)
    for config in recipe.objective.values():
        routes |= config.routes(recipe.routes) if hasattr(config, "routes") else {}
    return routes


def check_fields(recipe: Recipe, dataset: Dataset) -> None:
    """Refuses data that lacks a field of the recipe altogether.

    Raises:
        DataError: says which field is missing and which there are.
    """
    for field in {*recipe.encode, *recipe.decode}:
        if field not in dataset.fields:
            raise DataError(
                f"recipe {recipe.name!r} needs the field {field!r}; {dataset.name} has: {', '.join(dataset.fields) or 'nothing'}. "
                f"`tuwen data {dataset.name}` tells what is there and what is wrong with it."
            )


def make_caches(
    model: CrossModal,
    samples: Sequence[Sample],
    machine: Machine,
    log: Log,
    broken: Callable[[int, DataError], None],
    *,
    learned: int = 0,
    targets: bool = False,
) -> dict[str, Cached]:
    """Caches of every picture field: features where the encoder is frozen, decoded pixels otherwise.

    Args:
        learned: how many of the samples, the first, are learned from: their pictures are also made in `data.views`.
        targets: the pixels that decoders are to make, instead of what encoders read.
    """
    caches: dict[str, Cached] = {}
    # on a CPU, a few pictures for each core are faster than each picture on all cores (66 against 49 a second on two)
    cores = torch.get_num_threads() if machine.device.type == "cpu" else 1
    pool = ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,))
    for field, part in (model.decoders if targets else model.encoders).items():
        if getattr(part, "modality", "") != "image":
            continue
        cached = Cached(field, part, model.recipe.data)

        def features(data: torch.Tensor, part: Any = part) -> torch.Tensor:
            with torch.inference_mode(), machine.autocast():
                return part.features(data.to(machine.device), None)

        def run(data: torch.Tensor, features: Callable[[torch.Tensor], torch.Tensor] = features) -> torch.Tensor:
            return torch.cat(list(pool.map(features, data.split(_AT_ONCE))))

        start = time.perf_counter()

        def progress(done: int, of: int, field: str = field, start: float = start) -> None:
            rate = done / max(1e-9, time.perf_counter() - start)
            log("cache", keep=done == of, field=field, done=done, of=of, rows_per_s=round(rate, 1))

        cached.build(samples, run, skip=broken, progress=progress, learned=learned)
        caches[field] = cached
    pool.shutdown()
    return caches


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
            json.dumps({"recipe": model.recipe.to_dict(), "learned": model.learned(), **about}, ensure_ascii=False),
        )

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


def moving_names(model: CrossModal) -> set[str]:
    """Names in the state_dict that training changes: all but those of frozen encoders."""
    frozen = tuple(f"encoders.{name}." for name, part in model.encoders.items() if getattr(part, "frozen", False))
    return {name for name in model.state_dict() if not (frozen and name.startswith(frozen))}


def estimate(
    model: CrossModal, caches: Sequence[Cached], num_rows: int, step_s: float, steps: int, out: Path
) -> dict[str, Any]:
    """Time, memory and disk of the run, said before it starts; warns in the log where the disk is too small."""
    weights = sum(p.numel() for p in model.parameters())
    moving = sum(p.numel() for p in model.parameters() if p.requires_grad)
    cache_mb = sum(c.estimate_bytes(num_rows) for c in caches) / 1e6
    disk_mb = (weights * 4 + moving * 4 * 4 * 2 + moving * 4 * model.recipe.train.average_best) / 1e6
    free_mb = shutil.disk_usage(out).free / 1e6
    if disk_mb > free_mb:
        raise ConfigError(
            f"{out} needs about {disk_mb:.0f} MB and its disk has {free_mb:.0f} MB; choose another place with -o"
        )
    return {
        "parameters": weights,
        "trained": moving,
        "steps": steps,
        "time_s": round(step_s * steps),
        "memory_mb": round(peak_memory_mb() + moving * 12 / 1e6),
        "disk_mb": round(disk_mb),
        "cache_mb": round(cache_mb),
        "cache": str(cache_folder(model.recipe.data.cache)),
    }


def fitting(train: Train, done: int, took_s: Sequence[float], evaluate_s: float) -> tuple[int, int, float]:
    """How many steps and looks fit into the time limit of a run that has just begun.

    Args:
        done: steps that were made.
        took_s: seconds of each of them, or of the last; the first five are slow and tell nothing.
        evaluate_s: seconds of one look at the validation part.
    Returns:
        steps, those that were made among them; looks; seconds left for steps, below 0 where the looks take all.
    """
    step_s = median(took_s[5:] or took_s)  # a resumed run may have few
    looks = max(3, min(train.evaluations, int(_LOOKING * train.time_limit_s / max(1e-6, evaluate_s))))
    left_s = train.time_limit_s - sum(took_s) - evaluate_s * (looks + 1)
    fit = done + max(1, int(left_s / step_s * 0.97))
    return min(fit, train.steps) if train.steps else fit, looks, left_s


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


def without_broken(samples: list[Sample], broken: dict[str, str]) -> list[Sample]:
    return [s for s in samples if s.key not in broken] if broken else samples
