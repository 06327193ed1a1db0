"""A whole run as data: parts, routes, objectives, data and training settings. A model directory stores it as JSON."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tuwen import registry
from tuwen._typed import no_field, parsed, set_field
from tuwen.data._config import Data
from tuwen.errors import ConfigError, did_you_mean
from tuwen.types import Route

FORMAT = 1
"""Version of recipe.json. A newer one is refused; an older one goes through the named upgrades of `_upgrade`."""

PART_SECTIONS = ("encode", "space", "fuse", "decode", "objective")
"""Sections of a recipe that hold part Configs by field or name."""
_LEARNING = PART_SECTIONS[:-1]
"""Those whose parts have weights."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """The `train` section of a recipe."""

    epochs: float = 12.0
    """Passes over the training part; used where steps is 0."""
    steps: int = 0
    """Optimiser steps, of all stages together; 0: from epochs, or from the time limit."""
    time_limit_s: float = 0.0
    """Seconds of training; turned into a number of steps after the first 20. 0: no limit."""
    batch: int = 64
    """Rows (pictures with their captions) of one optimiser step."""
    accumulate: int = 1
    """Parts that a batch is cut into, to save memory; a contrastive objective then has the negatives of its part only."""
    optimiser: Literal["adamw", "muon"] = "adamw"
    """adamw; or muon: weights of linear layers and convolutions take orthogonal steps. Fewer steps, each a little longer; all
    else, weights shared with embeddings, and pretrained parts, by adamw."""
    lr: float = 1e-3
    """Peak learning rate."""
    lr_pretrained: float = 1e-5
    """Peak learning rate of pretrained encoders that are fine-tuned."""
    weight_decay: float = 0.05
    """Decoupled weight decay of matrices; vectors have none."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Decay of AdamW's running averages."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    final_lr: float = 0.0
    """Share of the peak learning rate at which the cosine ends."""
    clip: float = 1.0
    """Largest norm of the gradient; 0: no clipping."""
    ema: float = 0.0
    """Decay of the running average of the weights that is evaluated and kept; 0: none."""
    average_best: int = 0
    """Evaluations, the best ones, whose weights are averaged at the end: their mean is kept if it judges better than the
    best of them. 0 or 1: none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 where a self-test finds it faster."""
    device: str = "auto"
    """cpu, cuda, mps, or auto: the first that is there of cuda, mps, cpu."""
    threads: int = 0
    """Threads of the CPU; 0: all cores."""
    seed: int = 0
    """Seed of weights, order and dropout."""
    start_from: str = ""
    """Model directory whose vocabularies and weights the run begins with, where it has the same parts; empty: anew."""
    evaluations: int = 12
    """How many times the run looks at the validation part."""
    evaluate_rows: int = 500
    """Validation rows looked at each time; 0: all."""
    metric: str = "loss"
    """What decides the best model: loss, or a figure of the evaluation such as cider or recall."""
    patience: int = 0
    """Evaluations without a better model after which the run ends; 0: never."""
    save_every_s: float = 120.0
    """Seconds between two saves of the state that --resume reads."""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "epochs",
            "time_limit_s",
            "threads",
            "evaluations",
            "evaluate_rows",
            "average_best",
            "patience",
        ):
            if getattr(self, name) < 0:
                raise ConfigError(f"train.{name} is {getattr(self, name)}; it is 0 or more.")
        for name in ("lr", "lr_pretrained", "weight_decay", "seed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"train.{name} is {getattr(self, name)}; it is 0 or more.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(
                f"train.betas is {self.betas}; two numbers from 0 to below 1, as in train.betas=0.9,0.98."
            )
        for name in ("batch", "accumulate"):
            if getattr(self, name) < 1:
                raise ConfigError(f"train.{name} is {getattr(self, name)}; it is 1 or more.")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A piece of a run in which some parts learn and all others are frozen. It begins with the best model of the one before."""

    name: str
    """What it is called in settings and in the log."""
    parts: tuple[str, ...]
    """Places of the parts that learn: `encode.text`, `decode.image@codes`."""
    objectives: tuple[str, ...]
    """Names of the objectives that count."""
    routes: tuple[str, ...]
    """Names of the routes that are run."""
    share: float = 1.0
    """Share of the run's steps, epochs and time that it takes, beside those of the other stages; 0: it is passed over, since
    the model that the run starts from has learned it."""
    steps: int = 0
    """Optimiser steps; 0: its share of the run's. With a time limit: at most so many."""
    metric: str = ""
    """What decides its best model; empty: train.metric."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run. `replace(recipe, ...)` makes variants; `with_setting` is what `--set` does."""

    name: str
    """Name of the function that made it."""
    encode: Mapping[str, Any] = field(default_factory=dict)
    """Field -> encoder Config."""
    space: Mapping[str, Any] = field(default_factory=dict)
    """Field -> space Config; a field without one uses its encoder's output as it is."""
    fuse: Mapping[str, Any] = field(default_factory=dict)
    """Name -> fusion Config; routes name it."""
    decode: Mapping[str, Any] = field(default_factory=dict)
    """Field -> decoder Config."""
    objective: Mapping[str, Any] = field(default_factory=dict)
    """Name -> objective Config."""
    weight: Mapping[str, float] = field(default_factory=dict)
    """Term -> its weight in the sum; 1 where it is not named."""
    routes: Mapping[str, Route] = field(default_factory=dict)
    """Name -> what is made from what."""
    data: Data = field(default_factory=Data)
    train: Train = field(default_factory=Train)
    stages: tuple[Stage, ...] = ()
    """What learns one after the other; empty: everything at once."""
    reached: str = ""
    """Stage that a model directory holds, where others were still to come; empty: all is learned."""

    def at(self, number: int) -> Recipe:
        """The recipe of one stage alone: its routes, objectives and metric, its share of steps, epochs and time."""
        if not self.stages:
            return self
        stage, train = self.stages[number], self.train
        share = stage.share / sum(one.share for one in self.stages)
        own = replace(
            train,
            steps=stage.steps or (max(1, round(train.steps * share)) if train.steps else 0),
            epochs=train.epochs * share,
            time_limit_s=train.time_limit_s * share,
            metric=stage.metric or train.metric,
        )
        routes = {name: self.routes[name] for name in stage.routes}
        return replace(
            self, routes=routes, objective={name: self.objective[name] for name in stage.objectives}, train=own
        )

    def known_routes(self) -> dict[str, Route]:
        """The routes that were learned: those of the stages up to the one that was reached."""
        known = {name for stage in self._known_stages() for name in stage.routes}
        return {name: route for name, route in self.routes.items() if name in known or not self._known_stages()}

    def known_objectives(self) -> dict[str, Any]:
        """The objectives that have counted: those of the stages up to the one that was reached."""
        known = {name for stage in self._known_stages() for name in stage.objectives}
        return {name: one for name, one in self.objective.items() if name in known or not self._known_stages()}

    def _known_stages(self) -> tuple[Stage, ...]:
        """The stages up to the one that was reached; none where all is learned."""
        names = [stage.name for stage in self.stages]
        return self.stages[: names.index(self.reached) + 1] if self.reached in names else ()

    def stages_to_learn(self) -> list[int]:
        """Numbers of the stages that are not passed over; a recipe without stages is one."""
        return [number for number, stage in enumerate(self.stages) if stage.share] or [0]

    def check_stages(self) -> None:
        """Raises ConfigError where a stage names what the recipe does not have, or none names an objective that it has."""
        places = [f"{section}.{name}" for section in _LEARNING for name in getattr(self, section)]
        for number, stage in enumerate(self.stages):
            where = f"stages.{stage.name}"
            if stage.share < 0 or stage.steps < 0 or not any(one.share for one in self.stages):
                raise ConfigError(
                    f"{where}: share is {stage.share}, steps {stage.steps}; share is above 0, or 0 where the stage is passed "
                    "over and another is not; steps are 0 or more."
                )
            if not stage.share and (not self.train.start_from or any(one.share for one in self.stages[:number])):
                raise ConfigError(
                    f"{where}.share is 0, so it is passed over; that can be where no stage before it learns, and the run starts "
                    "from a model that has learned it: --start-from MODEL."
                )
            for what, named, known in (
                ("parts", stage.parts, places),
                ("objectives", stage.objectives, list(self.objective)),
                ("routes", stage.routes, list(self.routes)),
            ):
                for name in named:
                    if name not in known:
                        near = did_you_mean(name, known)
                        raise ConfigError(f"{where}.{what} names {name!r}.{near} The recipe has: {', '.join(known)}.")
        counted = {name for stage in self.stages for name in stage.objectives}
        for name in self.objective:
            if self.stages and name not in counted:
                first = self.stages[0]
                raise ConfigError(
                    f"objective.{name} is of no stage, so that nothing would learn of it; "
                    f"set stages.{first.name}.objectives={','.join((*first.objectives, name))}, or that of another stage."
                )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, read back by `from_dict` as an equal recipe."""
        out: dict[str, Any] = {"format": FORMAT, "name": self.name}
        for section in PART_SECTIONS:
            out[section] = {name: dump_part(config) for name, config in getattr(self, section).items()}
        out["weight"] = dict(self.weight)
        out["routes"] = {name: dataclasses.asdict(route) for name, route in self.routes.items()}
        out |= {"data": dataclasses.asdict(self.data), "train": dataclasses.asdict(self.train)}
        return out | {"stages": [dataclasses.asdict(stage) for stage in self.stages], "reached": self.reached}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Recipe:
        """The recipe behind `to_dict`.

        Raises:
            ConfigError: a section, field or value that cannot be; the nearest name is suggested.
            UnknownNameError: a part that is not registered.
        """
        raw = _upgrade(dict(raw))
        parts = {s: {n: load_part(s, f"{s}.{n}", d) for n, d in raw.pop(s, {}).items()} for s in PART_SECTIONS}
        routes = {n: load_fields(Route, f"routes.{n}", d) for n, d in raw.pop("routes", {}).items()}
        data = load_fields(Data, "data", raw.pop("data", {}))
        train = load_fields(Train, "train", raw.pop("train", {}))
        stages = tuple(load_fields(Stage, "stages", one) for one in raw.pop("stages", ()))
        whole = {**raw, **parts, "routes": routes, "data": data, "train": train, "stages": stages}
        return load_fields(cls, "recipe", whole)

    def with_setting(self, setting: str) -> Recipe:
        """A copy with one `path=value` changed: `train.lr=1e-3`, `encode.image=image_vit`, `stages.codes.steps=500`.

        Raises:
            ConfigError: the path or the value cannot be; says what can.
        """
        path, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set takes path=value, got {setting!r}; for example --set train.lr=1e-3")
        section, *rest = path.strip().split(".")
        if section in ("data", "train") and len(rest) == 1:
            return replace(self, **{section: set_field(getattr(self, section), path, rest[0], text)})
        if section == "weight" and len(rest) == 1:
            return replace(self, weight={**self.weight, rest[0]: parsed(float, text, path)})
        if section == "stages" and len(rest) == 2:
            return replace(self, stages=self._changed_stage(path, rest[0], rest[1], text))
        if section in PART_SECTIONS and rest:
            parts = dict(getattr(self, section))
            parts[rest[0]] = self._changed_part(section, parts, rest, path, text)
            changed: dict[str, Any] = {section: parts}
            return replace(self, **changed)
        known = [*PART_SECTIONS, "weight", "data", "train", *(["stages"] if self.stages else [])]
        raise ConfigError(
            f"{path!r} cannot be set.{did_you_mean(section, known)} Settings begin with: {', '.join(known)}."
        )

    def _changed_stage(self, path: str, name: str, field: str, text: str) -> tuple[Stage, ...]:
        names = [stage.name for stage in self.stages]
        if name not in names:
            has = (
                f"It has: {', '.join(names)}." if names else "It learns everything at once: train.steps, train.lr, ..."
            )
            raise ConfigError(f"recipe {self.name!r} has no stage {name!r}.{did_you_mean(name, names)} {has}")
        return tuple(set_field(one, path, field, text) if one.name == name else one for one in self.stages)

    def _changed_part(self, section: str, parts: dict[str, Any], rest: list[str], path: str, text: str) -> Any:
        name = rest[0]
        if len(rest) == 1:
            return registry.get(section, text).Config()
        if name not in parts:
            raise ConfigError(
                f"{section} of recipe {self.name!r} has no {name!r}.{did_you_mean(name, parts)} It has: {', '.join(parts)}."
            )
        if len(rest) > 2:
            raise ConfigError(f"{path!r} is too deep; a setting is {section}.{name}.FIELD=VALUE")
        return set_field(parts[name], path, rest[1], text)


def name_of(config: Any) -> tuple[str, str]:
    """(kind, name) of the part that a Config belongs to."""
    module = type(config).__module__
    if module.startswith("tuwen."):
        _, kind, name = module.split(".")
        return kind, name
    for kind in registry.KINDS:
        for name in registry.names(kind):
            if registry.get(kind, name).__name__ == module:
                return kind, name
    raise ConfigError(f"{type(config).__qualname__} of {module} belongs to no registered part")


def dump_part(config: Any) -> dict[str, Any]:
    """A part's Config as JSON, with the name of the part under `use`."""
    out: dict[str, Any] = {"use": name_of(config)[1]}
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        inner = dataclasses.is_dataclass(value) and not isinstance(value, type)
        out[f.name] = {**dump_part(value), "use": ".".join(name_of(value))} if inner else value
    return out


def load_part(kind: str, where: str, raw: Mapping[str, Any]) -> Any:
    """The Config behind `dump_part`."""
    raw = dict(raw)
    if "use" not in raw:
        raise ConfigError(
            f"{where} does not say which part it is: it needs 'use'. `tuwen list {kind}` shows the names."
        )
    use = raw.pop("use")
    for name, value in raw.items():
        if isinstance(value, Mapping) and "use" in value:
            inner_kind, _, inner = value["use"].rpartition(".")
            raw[name] = load_part(inner_kind or kind, f"{where}.{name}", {**value, "use": inner})
    return load_fields(registry.get(kind, use).Config, where, raw)


def load_fields(cls: Any, where: str, raw: Mapping[str, Any]) -> Any:
    """A dataclass from a mapping; lists become tuples where the field is one."""
    known = {f.name for f in dataclasses.fields(cls)}
    for name in raw.keys() - known:
        raise ConfigError(no_field(where, name, cls))
    hints = typing.get_type_hints(cls)
    values = {}
    for name, value in raw.items():
        is_tuple = typing.get_origin(hints[name]) is tuple and isinstance(value, list)
        values[name] = tuple(value) if is_tuple else value
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def _upgrade(raw: dict[str, Any]) -> dict[str, Any]:
    version = raw.pop("format", FORMAT)
    if version > FORMAT:
        raise ConfigError(
            f"this recipe has format {version}; this tuwen reads up to {FORMAT}. Upgrade: pip install -U tuwen"
        )
    return raw
