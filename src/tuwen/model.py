"""CrossModal: the module that holds encoders, spaces, fusions and decoders, and runs the routes between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from tuwen import registry
from tuwen.confidence import Confidence
from tuwen.data._collate import collate
from tuwen.data._config import Data
from tuwen.errors import CannotError, ConfigError, ShapeError
from tuwen.generate._own import own_texts
from tuwen.recipe import Recipe
from tuwen.types import Batch, Feed, Latent, Made, Route, Sample, base_of

Settle = Callable[[str, nn.Module, "CrossModal"], None]
"""Called with the place, the part right after it is built, and the model as far as it is: fits it, or restores what it
learned."""


class CrossModal(nn.Module):
    """A model: everything that a recipe names, built and settled.

    Make one with `CrossModal.create(recipe, samples)` (parts are fitted to the training samples) or
    `tuwen.load(path)`. Every task is a method: `model.caption([...])`, `model.match(...)`.
    """

    def __init__(self, recipe: Recipe, settle: Settle):
        super().__init__()
        self.recipe = recipe
        self.routes = recipe.known_routes()
        """The routes that it has learned; while a stage of several learns, those of the stage."""
        self._frozen: list[nn.Parameter] = []
        self.confidence: Confidence | None = None
        """How sure its captions may be taken to be, where that was fitted (`tuwen evaluate --calibrate`)."""
        self.encoders, self.spaces = nn.ModuleDict(), nn.ModuleDict()
        self.fusions, self.decoders = nn.ModuleDict(), nn.ModuleDict()
        widths = {}
        for name, config in recipe.encode.items():
            part = self.encoders[name] = self._settled(f"encode.{name}", config.build(), settle)
            widths[name] = part.widths
        for name, config in recipe.space.items():
            if name not in widths:
                raise ConfigError(
                    f"space.{name}: recipe {recipe.name!r} encodes no {name!r}; it encodes {', '.join(widths)}"
                )
            part = self.spaces[name] = self._settled(f"space.{name}", config.build(widths[name]), settle)
            widths[name] = part.widths
        for name, config in recipe.fuse.items():
            given = next((route.given for route in recipe.routes.values() if route.fuse == name), None)
            if given is None:
                raise ConfigError(f"fuse.{name}: no route of recipe {recipe.name!r} fuses by it; {_told(recipe)}")
            part = self.fusions[name] = self._settled(
                f"fuse.{name}", config.build({g: widths[g] for g in given}), settle
            )
            widths[name] = part.widths
        for name, config in recipe.decode.items():
            route = next((route for route in recipe.routes.values() if route.make == name), None)
            if route is None:
                raise ConfigError(f"decode.{name}: no route of recipe {recipe.name!r} makes {name!r}; {_told(recipe)}")
            source = widths[route.fuse or route.given[0]]
            decoder: Any = config.build(source)
            if hasattr(decoder, "turned_back") != (name != base_of(name)):
                raise ConfigError(_misplaced(name, decoder))
            self.decoders[name] = self._settled(f"decode.{name}", decoder, settle)

    def _settled(self, where: str, part: nn.Module, settle: Settle) -> Any:
        settle(where, part, self)
        return part

    @classmethod
    def create(
        cls, recipe: Recipe, samples: Iterable[Sample], *, learned: Mapping[str, Any] | None = None
    ) -> CrossModal:
        """Builds the parts and fits them to the training samples (vocabularies, pretrained weights).

        Args:
            learned: place -> what a part there learned before: it takes that and is not fitted.
        """
        samples, before = list(samples), learned or {}

        def settle(where: str, part: Any, model: CrossModal) -> None:
            field = where.split(".")[1]
            if where in before:
                part.restore(before[where])
            elif hasattr(part, "fit"):
                derived = field != base_of(field)
                values = field_values(samples, field, whole=getattr(part, "whole", False))
                part.fit([model._example(base_of(field))] if derived else values)
            if hasattr(part, "count"):
                part.count(field_values(samples, field, whole=True))

        torch.manual_seed(recipe.train.seed)
        return cls(recipe, settle)

    @classmethod
    def restored(cls, recipe: Recipe, learned: Mapping[str, Any]) -> CrossModal:
        """Builds the parts and gives each what an earlier `fit` learned; the weights are loaded afterwards."""

        def settle(where: str, part: Any, model: CrossModal) -> None:
            if hasattr(part, "restore"):
                part.restore(learned[where])

        return cls(recipe, settle)

    def learned(self) -> dict[str, Any]:
        """What the parts learned in `fit`, by place: the content of data.json."""
        return {place: part.learned() for place, part in self.parts().items() if hasattr(part, "learned")}

    def parts(self) -> dict[str, Any]:
        """Place, such as `decode.text` -> the part that stands there."""
        held = {"encode": self.encoders, "space": self.spaces, "fuse": self.fusions, "decode": self.decoders}
        return {f"{section}.{name}": part for section, parts in held.items() for name, part in parts.items()}

    def let_learn(self, places: Collection[str] | None = None) -> None:
        """Freezes all parts but those at these places: no gradients, no dropout, no running statistics.

        Args:
            places: `encode.text`, `decode.image@codes`; None: every part learns as it was built.
        """
        for weight in self._frozen:
            weight.requires_grad_(True)
        self._frozen = []
        for place, part in self.parts().items():
            part.resting = places is not None and place not in places
            if part.resting:
                self._frozen += [weight for weight in part.parameters() if weight.requires_grad]
        for weight in self._frozen:
            weight.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As of any module, but parts that do not learn stay as they are in use."""
        super().train(mode)
        for part in self.parts().values():
            if getattr(part, "resting", False):
                part.eval()
        return self

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    # -- what flows ------------------------------------------------------------------------------------------------

    def forward(self, batch: Batch, routes: Mapping[str, Route] | None = None) -> Made:
        """Runs routes over a batch; each field is encoded once.

        Args:
            batch: on the model's device.
            routes: those that it has learned if None.
        Returns:
            latents by field (and by route where fused), and what each making route decoded. A route whose fields
            are missing in the whole batch is left out.
        """
        made = Made()
        for name, route in (self.routes if routes is None else routes).items():
            for field in route.given:
                if field not in made.latents and len(batch.inputs.get(field, ())):
                    made.latents[field] = self.latent(field, batch.inputs[field])
            latent = self._given(route, made, len(batch))
            if latent is None:
                continue
            if route.fuse:
                made.latents[name] = latent
            if route.make and route.how == "sample":
                made.routes[name] = own_texts(self.decoders[route.make], latent, route.samples)
            elif route.make and (target := self._target(route.make, made, batch)):
                if route.fuse:
                    target = _of_given(target, [made.latents[f] for f in route.given if f in made.latents], len(batch))
                latent, target = align(latent, target, len(batch))
                if len(target):
                    made.routes[name] = self.decoders[route.make](latent, target)
        return made

    def _target(self, field: str, made: Made, batch: Batch) -> Feed | None:
        """What a decoder is to make: it is in the batch, or what the model makes of a field that is, without gradient."""
        feed, base = batch.targets.get(field), base_of(field)
        if feed is not None or field == base or not len(batch.inputs.get(base, ())):
            return feed
        with torch.no_grad():
            latent = made.latents.get(base) or self.latent(base, batch.inputs[base])
            return self.derived(field, latent)

    @torch.no_grad()
    def derived(self, field: str, latent: Latent) -> Feed:
        """What the decoder of a derived field is to make: its `prepare` takes it from the latent of the other field."""
        part: Any = self.decoders[field]
        data, mask = part.prepare([latent])
        owner_P = torch.arange(len(latent), device=data.device) if latent.owner_P is None else latent.owner_P
        return Feed(data, owner_P, mask)

    @torch.no_grad()
    def _example(self, field: str) -> Latent:
        """The latent of some value of a field, for its shape."""
        encoder: Any = self.encoders[field]
        training = self.training
        self.eval()
        data, mask = encoder.prepare(encoder.config.example(1))
        latent = self.latent(field, Feed(data, torch.zeros(1, dtype=torch.int64), mask))
        self.train(training)
        return latent

    def latent(self, field: str, feed: Feed) -> Latent:
        """Encodes one field and takes it to its space. P rows, as in the feed."""
        return self.placed(field, self.encoded(field, feed))

    def encoded(self, field: str, feed: Feed) -> Latent:
        """What the encoder of a field makes of it, not in its space yet."""
        encoder: Any = self.encoders[field]
        encoded = encoder.finish(feed.data, feed.mask) if feed.encoded else encoder(feed.data, feed.mask)
        return replace(encoded, owner_P=feed.owner_P)

    def placed(self, field: str, encoded: Latent) -> Latent:
        """What was encoded, in the space of its field."""
        owner_P = encoded.owner_P
        return replace(self.spaces[field](encoded), owner_P=owner_P) if field in self.spaces else encoded

    def _given(self, route: Route, made: Made, rows: int) -> Latent | None:
        there = {field: made.latents[field] for field in route.given if field in made.latents}
        if not there:
            return None
        if route.fuse:
            return self.fusions[route.fuse](there, rows)
        return there.get(route.given[0])

    def batch(self, samples: Sequence[Sample], *, targets: bool = False, options: Data | None = None) -> Batch:
        """Samples as tensors on the model's device, by the parts' own `prepare`; with decoders' targets if asked.

        Args:
            options: how they are read; None: as the model's recipe says.
        """
        wanted = {name: part for name, part in self.decoders.items() if targets and name == base_of(name)}
        return collate(samples, dict(self.encoders.items()), wanted, options=options or self.recipe.data).to(
            self.device
        )

    @property
    def matcher(self) -> CrossModal:
        """The model that says how well texts fit pictures: itself, unless several are one."""
        return self

    # -- what it can -----------------------------------------------------------------------------------------------

    def can(self) -> list[str]:
        """Names of the tasks that this model was trained for."""
        return [name for name in registry.names("task") if registry.get("task", name).able(self)]

    def require(self, task: str, *, verb: str = "", instead: str = "") -> None:
        """Raises CannotError if the model was not trained for a task, and says what it can do."""
        if not registry.get("task", task).able(self):
            can = ", ".join(self.can()) or "nothing"
            hint = registry.get("task", task).recipe_hint
            raise CannotError(
                f"this model was not trained to {verb or task}; it can: {can}. `tuwen train DATA -r {instead or hint}` trains one that can."
            )

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or name not in registry.names("task"):
                raise
            return partial(registry.get("task", name).call, self)

    @torch.inference_mode()
    def encode(self, values: Any, *, field: str = "", batch: int = 64) -> Tensor:
        """Vectors of pictures or texts in the shared space.

        Args:
            values: one picture (path, bytes, PIL image, array) or text, or a list of them.
            field: which field they are; guessed: a str that is no existing file is text.
            batch: how many are encoded at once.
        Returns:
            (N, D) float32, each of length 1.
        """
        values = list(values) if isinstance(values, list | tuple) else [values]
        field = field or ("text" if all(isinstance(v, str) and not os.path.isfile(v) for v in values) else "image")
        if field not in self.encoders:
            raise CannotError(f"this model has no encoder of {field!r}; it encodes: {', '.join(self.encoders)}.")
        if not values:
            return self._example(field).pooled.float()[:0]
        part, parts, training = {field: self.encoders[field]}, [], self.training
        self.eval()
        try:
            for start in range(0, len(values), batch):
                samples = [Sample(str(i), {field: v}) for i, v in enumerate(values[start : start + batch], start)]
                feed = collate(samples, part, {}, options=self.recipe.data).to(self.device).inputs[field]
                parts.append(nn.functional.normalize(self.latent(field, feed).pooled.float(), dim=-1))
        finally:
            self.train(training)
        return torch.cat(parts)

    def similarity(self, images: Any, texts: Any) -> Tensor:
        """(N, M) cosines between pictures and texts in the shared space, in [-1, 1]."""
        self.require("match")
        return self.encode(images, field="image") @ self.encode(texts, field="text").T

    def save(self, path: str | Path) -> None:
        """Writes the model directory. See `tuwen.directory`."""
        from tuwen.directory import save

        save(self, Path(path))


def _misplaced(name: str, part: Any) -> str:
    """Why a decoder cannot stand where it does."""
    kind, base = type(part).__module__.removeprefix("tuwen."), base_of(name)
    if name == base:
        return f"decode.{name}: {kind} draws what a space has of a field, such as {name}@codes, and not {name!r} itself"
    return f"decode.{name}: {kind} makes {base!r} itself; what its space has of it is drawn by image_codes or image_latent_flow"


def _told(recipe: Recipe) -> str:
    routes = ", ".join(f"{name} ({route})" for name, route in recipe.routes.items())
    return f"it has the routes: {routes or 'none'}"


def field_values(samples: Iterable[Sample], name: str, *, whole: bool = False) -> list[Any]:
    """All raw values of one field, the several captions of a picture one by one.

    Args:
        whole: a list that is not empty is one value (the labels of a picture).
    """
    found: list[Any] = []
    for sample in samples:
        value = sample.fields.get(name)
        if isinstance(value, list | tuple) and not (whole and value):
            found.extend(value)
        elif value is not None:
            found.append(value)
    return found


def align(latent: Latent, target: Feed, rows: int) -> tuple[Latent, Feed]:
    """Lets a target's owners point at the rows of the latent that it is made from.

    Args:
        latent: values of the fields of each batch row (`owner_P`); rows may be missing.
        target: values that belong to batch rows; those whose batch row has no latent are left out. Where a batch row has
            several latents, it has as many targets, which go with them in their order, or one, made from each of them.
        rows: B.
    Raises:
        ShapeError: a batch row has several latents and another number of targets; with data.captions="one" it has one.
    """
    if latent.owner_P is None:
        return latent, target
    count_B, wanted_B = (torch.bincount(owner_P, minlength=rows) for owner_P in (latent.owner_P, target.owner_P))
    if bool((count_B > 1).any()):
        return latent, _one_each(latent.owner_P, target, count_B, wanted_B)
    place_B = torch.full((rows,), -1, dtype=torch.int64, device=target.owner_P.device)
    place_B[latent.owner_P] = torch.arange(len(latent), device=place_B.device)
    owner_P = place_B[target.owner_P]
    if len(latent) < rows:
        kept = owner_P >= 0
        target, owner_P = _picked(target, kept), owner_P[kept]
    return latent, replace(target, owner_P=owner_P)


def _of_given(target: Feed, given: Sequence[Latent], rows: int) -> Feed:
    """The targets of the batch rows that have a value of some field that is given: a fusion gives zeros to the others."""
    there_B = torch.zeros(rows, dtype=torch.bool, device=target.owner_P.device)
    for latent in given:
        there_B[slice(None) if latent.owner_P is None else latent.owner_P] = True
    if bool(there_B.all()):
        return target
    kept_P = there_B[target.owner_P]
    return replace(_picked(target, kept_P), owner_P=target.owner_P[kept_P])


def _one_each(owner_L: Tensor, target: Feed, count_B: Tensor, wanted_B: Tensor) -> Feed:
    """A target for each latent whose batch row has one: the only one of the row, or that of the same place in it."""
    if bool(((count_B > 0) & (wanted_B > 1) & (count_B != wanted_B)).any()):
        raise ShapeError(
            'a row has several values to make from, and another number to make; set data.captions="one" to take one of them'
        )
    # how many values of its row stand before each latent
    before_L = torch.arange(len(owner_L), device=owner_L.device) - (count_B.cumsum(0) - count_B)[owner_L]
    first_B = wanted_B.cumsum(0) - wanted_B
    made_L = (wanted_B > 0)[owner_L].nonzero()[:, 0]
    place_L = (first_B[owner_L] + torch.where(wanted_B[owner_L] > 1, before_L, 0))[made_L]
    return replace(_picked(target, place_L), owner_P=made_L)


def _picked(target: Feed, index: Tensor) -> Feed:
    """The values at an index or mask; their owners stay as they are."""
    mask = None if target.mask is None else target.mask[index]
    seed_P = None if target.seed_P is None else target.seed_P[index]
    return replace(target, data=target.data[index], mask=mask, seed_P=seed_P)
