"""Pairs that the model makes itself before a stage learns from them: noise, and the picture that it draws of it.

Pictures are kept as `tuwen draw` gives them, in the cache folder; noise is made again from its seed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tuwen import registry
from tuwen.data._files import cache_folder
from tuwen.errors import ConfigError
from tuwen.judge._drawn import seed_of
from tuwen.objective import distillation
from tuwen.recipe import dump_part
from tuwen.train.cache import Cache
from tuwen.train.feed import Source, spread
from tuwen.train.sources import Rows, usable
from tuwen.types import Sample

if TYPE_CHECKING:
    from tuwen.model import CrossModal
    from tuwen.train.loop import Run

_ROWS = 64
"""Pictures that are drawn side by side."""


class Pairs:
    """What was drawn, pictures or latents, each bound to the noise that the key of its row is the seed of.

    Args:
        places: key of a sample -> row of its picture in the cache.
    """

    encoded, bound = False, True

    def __init__(self, cache: Cache, places: Mapping[str, list[int]]):
        self.cache, self.places = cache, places

    def place(self, key: str, view: int = 0) -> int:
        """Row of a sample's picture; what is drawn has no other views."""
        return self.places[key][0]

    def read(self, places: Sequence[int]) -> Tensor:
        """(P, C, side, side) what lies in these rows, as the decoder's `prepare` gives it."""
        return self.cache.read(places)


def asked_for(run: Run) -> distillation.Config | None:
    """What a stage says of the pictures that it learns from, where it has the model draw them.

    Raises:
        ConfigError: the model does not draw along a flow, or has learned nothing before; a setting cannot be.
    """
    found = [config for config in run.recipe.objective.values() if isinstance(config, distillation.Config)]
    if not found:
        return None
    config = found[0]
    if min(config.steps, config.few) < 1 or min(config.pictures, config.guidance) < 0:
        raise ConfigError(
            f"objective.distillation: steps is {config.steps}, few {config.few}, guidance {config.guidance}, pictures "
            f"{config.pictures}; steps and few are 1 or more, guidance and pictures 0 or more."
        )
    route = run.recipe.routes.get(config.route)
    if route is None or not hasattr(run.model.decoders[str(route.make)], "velocity"):
        raise ConfigError(
            f"objective.distillation learns to draw along a flow in fewer steps, and the route {config.route!r} does not; take "
            "the recipe 'flow-distilled', or another objective.distillation.route."
        )
    if run.number == run.setup.recipe.stages_to_learn()[0] and not run.recipe.train.start_from:
        raise ConfigError(
            "objective.distillation learns from what the model drew before, and nothing was learned before: name a model that "
            "draws, with --start-from MODEL, or take the recipe 'flow-distilled'."
        )
    return config


def way_of(run: Run, config: distillation.Config) -> Any:
    """The Config of the walk that the model draws with."""
    decoder: Any = run.model.decoders[str(run.recipe.routes[config.route].make)]
    return registry.get("generate", decoder.ways[0]).Config(guidance=config.guidance, steps=config.steps)


def own_pairs(run: Run, config: distillation.Config, stopped: Sequence[bool] = ()) -> Rows:
    """The rows of a stage, each with one text and, in the place of its picture, what the model draws of it now.

    Args:
        stopped: looked at now and then; what is drawn until then is kept.
    Raises:
        KeyboardInterrupt: stopped.
    """
    rows, recipe = run.setup.rows, run.recipe
    learned, held_out = usable(rows.learned, recipe), usable(rows.held_out, recipe)
    num = config.pictures or len(learned)
    learned = [_with_text(learned[i * len(learned) // num], i, f"#{i}") for i in range(num)]
    held_out = [_with_text(held_out[i]) for i in spread(len(held_out), recipe.train.evaluate_rows)]
    pairs = _drawn(run, config, [*learned, *held_out], stopped)
    field = str(recipe.routes[config.route].make)
    return replace(rows, learned=learned, held_out=held_out, targets={**rows.targets, field: pairs})


def _with_text(row: Sample, number: int = 0, mark: str = "") -> Sample:
    """A row with one of its texts alone; its key, by the mark, is its own and so is its noise."""
    texts = row.fields.get("text")
    if isinstance(texts, list | tuple):
        row = replace(row, fields={**row.fields, "text": [texts[number % len(texts)]]})
    return replace(row, key=row.key + mark)


def _drawn(run: Run, config: distillation.Config, samples: Sequence[Sample], stopped: Sequence[bool]) -> Pairs:
    """Draws what is not in the cache yet."""
    model, route = run.model.eval(), run.recipe.routes[config.route]
    decoder: Any = model.decoders[str(route.make)]
    walk = (way := way_of(run, config)).build()
    reading = {config.route: replace(route, make=None, how="embed")}
    folder, shape = cache_folder(run.recipe.data.cache), (decoder.channels, decoder.side, decoder.side)
    teacher = _digest(model, config.route, way, run.machine.precision_name)
    cache = Cache(folder, f"{route.make}-drawn-{teacher}", shape, np.dtype(decoder.stored))
    names = {sample.key: _name(sample, route.given) for sample in samples}
    done, began = 0, time.perf_counter()
    with cache.writing() as append:
        missing = [sample for sample in samples if names[sample.key] not in cache]
        source = Source(model, missing, run.setup.rows.inputs, routes=reading)
        for batch in source.in_order(_ROWS):
            if stopped:
                raise KeyboardInterrupt(
                    f"stopped when {done} of {len(missing)} pictures to learn from were drawn ({run.name}); "
                    f"go on with: {run.setup.going_on()}"
                )
            noise = decoder.noise_of([seed_of(key) for key in batch.keys]).to(run.machine.device)
            with torch.inference_mode(), run.machine.autocast():
                made = model(batch.to(run.machine.device), reading)
                drawn = walk(decoder, made.latents[config.route if route.fuse else route.given[0]], noise)
            append([names[key] for key in batch.keys], decoder.data(drawn))
            done += len(batch)
            rate = done / max(1e-9, time.perf_counter() - began)
            whole = done == len(missing)
            run.log("cache", keep=whole, field="drawn", done=done, of=len(missing), rows_per_s=round(rate, 1))
    return Pairs(cache, {key: [cache.place(name)] for key, name in names.items()})


def _name(sample: Sample, given: Sequence[str]) -> str:
    """What a picture is found by: what it is drawn of, and the seed of its noise."""
    about = [[str(sample.fields.get(field)) for field in given], seed_of(sample.key)]
    return blake2b(json.dumps(about).encode(), digest_size=16).hexdigest()


def _digest(model: CrossModal, route: str, way: Any, precision: str) -> str:
    """Stands for all that a picture depends on but its text and noise: the model as it is, and how it draws."""
    recipe = {
        name: part for name, part in model.recipe.to_dict().items() if name in ("encode", "space", "fuse", "decode")
    }
    about = [recipe, model.learned(), route, dump_part(way), precision]
    digest = blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=12)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
