"""What a run learns from and is looked at with: caches, sources of batches, and the plan of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from tuwen.data._columns import is_given
from tuwen.errors import ConfigError, DataError, did_you_mean
from tuwen.model import CrossModal
from tuwen.recipe import Recipe
from tuwen.train.cache import Cached
from tuwen.train.derived import Derived, derivable, derive
from tuwen.train.feed import Source, Stored
from tuwen.train.log import Log
from tuwen.train.optimiser import learns_norms
from tuwen.train.plan import POOL, Plan
from tuwen.train.precision import Machine
from tuwen.types import Route, Sample, base_of

_AT_ONCE = 16
"""Pictures that one core encodes at once."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of both parts of the data that can be read, and where their pictures lie."""

    learned: list[Sample]
    held_out: list[Sample]
    inputs: dict[str, Cached]
    """Field -> what its encoder reads, or what a frozen one made of it."""
    targets: Mapping[str, Stored]
    """Field -> the pixels that its decoder is to make."""

    @property
    def caches(self) -> list[Cached]:
        return [one for one in (*self.inputs.values(), *self.targets.values()) if isinstance(one, Cached)]

    def __len__(self) -> int:
        return len(self.learned) + len(self.held_out)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Batches of both parts of the data."""

    learned: Source
    held_out: Source
    plan: Plan
    """Which rows of `learned` each step sees."""


def read_rows(
    model: CrossModal, rows: list[Sample], held_out: list[Sample], *, machine: Machine, log: Log, name: str
) -> Rows:
    """Fills the caches; rows that cannot be read are refused, or left out and counted.

    Args:
        rows: to learn from.
        held_out: to look at.
        name: of the data, in messages.
    Raises:
        DataError: a row cannot be read and data.on_error is "raise", or none is left.
    """
    every, broken = [*rows, *held_out], {}

    def skip(row: int, error: DataError) -> None:
        if model.recipe.data.on_error == "raise":
            raise error
        broken[every[row].key] = str(error)

    inputs, targets = (
        make_caches(model, every, machine, log, skip, learned=len(rows), targets=targets) for targets in (False, True)
    )
    if broken:
        shown = "; ".join(list(broken.values())[:3])
        log("warning", text=f"left out {len(broken)} rows that cannot be read: {shown}", rows=sorted(broken))
    rows = usable(without_broken(rows, broken), model.recipe)
    if not rows:
        raise DataError(f"{name}: no training row is left; all {len(broken)} cannot be read")
    return Rows(learned=rows, held_out=without_broken(held_out, broken), inputs=inputs, targets=targets)


def make_sources(
    model: CrossModal, recipe: Recipe, rows: Rows, derived: Mapping[str, Derived] = MappingProxyType({})
) -> Sources:
    """Sources of what the routes of a stage read and make, and the plan of its steps.

    Args:
        recipe: of the stage; its parts alone learn in the model.
        derived: derived field -> what was made of it.
    Raises:
        DataError: no row has what is to be learned from.
    """
    routes = learned_routes(recipe)
    targets: dict[str, Stored] = {**rows.targets, **derived}
    samples = usable(rows.learned, recipe)
    if not samples:
        ways = "; ".join(map(str, routes.values()))
        raise DataError(
            f"no training row that can be read has what a stage of recipe {recipe.name!r} learns from ({ways})"
        )
    learned = Source(model, samples, rows.inputs, targets, routes)
    plan = Plan(
        learned.lengths(),
        batch=recipe.train.batch,
        captions="one" if any(one.bound for one in targets.values()) else recipe.data.captions,
        seed=recipe.train.seed,
        pool=1 if learns_norms(model) else POOL,
        views=1 + len(recipe.data.views),
    )
    held_out = Source(model, usable(rows.held_out, recipe), rows.inputs, targets, routes)
    return Sources(learned=learned, held_out=held_out, plan=plan)


def derived_fields(model: CrossModal, recipe: Recipe, rows: Rows, machine: Machine, log: Log) -> dict[str, Derived]:
    """What a stage makes of what is frozen in it, made before its first step, unless it is there in another way."""
    found = {}
    for field in derivable(model, recipe.routes.values()):
        if field in rows.targets:
            continue
        routes = {"read": Route(given=(base_of(field),), how="embed")}
        learned, held_out = (Source(model, some, rows.inputs, routes=routes) for some in (rows.learned, rows.held_out))
        views = 1 + len(recipe.data.views)
        found[field] = derive(model, field, learned, held_out, views=views, machine=machine, log=log)
    return found


def learned_routes(recipe: Recipe) -> dict[str, Route]:
    """The routes that a training step runs: those of the recipe, and those that its objectives add."""
    routes = dict(recipe.routes)
    for config in recipe.objective.values():
        routes |= config.routes(recipe.routes) if hasattr(config, "routes") else {}
    return routes


def check_names(recipe: Recipe) -> None:
    """Refuses objectives that are about a route or a latent that is not there: they would learn nothing, and say nothing.

    Raises:
        ConfigError: says what there is.
    """
    routes = learned_routes(recipe)
    latents = {*recipe.encode, *(name for route in routes.values() for name in route.given)}
    latents |= {name for name, route in routes.items() if route.fuse}
    for name, config in recipe.objective.items():
        asked = ("first", "second", "latent", *(() if getattr(config, "patches", False) else ("given",)))
        for setting, there in (("route", set(routes)), *((one, latents) for one in asked)):
            value = getattr(config, setting, "")
            if isinstance(value, str) and value and value not in there:
                raise ConfigError(
                    f"objective.{name}.{setting} is {value!r}, which recipe {recipe.name!r} has not."
                    f"{did_you_mean(value, there)} It has: {', '.join(sorted(there))}."
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
        cached = Cached(field, part, model.recipe.data, str(machine.precision))

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


def usable(samples: Sequence[Sample], recipe: Recipe) -> list[Sample]:
    """The rows that some route of the recipe can learn from."""

    def has(sample: Sample, field: str) -> bool:
        return is_given(sample.fields.get(field))

    making = [route for route in recipe.routes.values() if route.make]

    def learns(sample: Sample) -> bool:
        if making:
            return any(has(sample, base_of(r.make or "")) and any(has(sample, g) for g in r.given) for r in making)
        return all(has(sample, g) for route in recipe.routes.values() for g in route.given)

    return [sample for sample in samples if learns(sample)]


def without_broken(samples: list[Sample], broken: dict[str, str]) -> list[Sample]:
    return [s for s in samples if s.key not in broken] if broken else samples
