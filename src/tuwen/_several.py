"""Several models that are asked as one: each reads a field in its own way, those with equal encoders once for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from tuwen.data._collate import collate
from tuwen.data._config import Data
from tuwen.model import CrossModal
from tuwen.types import Batch, Feed, Latent, Sample


class Several(CrossModal):
    """Base of `Ensemble` and `Matchers`.

    Args:
        models: those that answer.
        readers: all that read, of which `models` are the first.
        read: the fields that they read.
    """

    def __init__(self, models: Sequence[CrossModal], readers: Sequence[CrossModal], read: Sequence[str]):
        nn.Module.__init__(self)
        first = models[0]
        self.models, self.readers = nn.ModuleList(models), nn.ModuleList(readers)
        self.encoders = nn.ModuleDict({field: first.encoders[field] for field in read})
        self.spaces, self.fusions, self.decoders = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.confidence = None
        self.twins = {field: _twins(readers, field) for field in read}

    def batch(self, samples: Sequence[Sample], *, targets: bool = False, options: Data | None = None) -> Batch:
        """As of one model, with what each model reads."""
        first = super().batch(samples, targets=targets, options=options)
        options = options or self.recipe.data
        return replace(
            first, inputs={field: self._read(field, feed, samples, options) for field, feed in first.inputs.items()}
        )

    def _read(self, field: str, first: Feed, samples: Sequence[Sample], options: Data) -> Feeds:
        """What each reader makes of a field, beside what the first made of it."""
        feeds, readers = [first], list[Any](self.readers)
        for twin, reader in zip(self.twins[field][1:], readers[1:], strict=True):
            if twin < len(feeds):
                feeds.append(feeds[twin])
                continue
            read = collate(samples, {field: reader.encoders[field]}, {}, options=options)
            feeds.append(read.inputs[field].to(self.device))
        return Feeds(**values(first), others=tuple(feeds[1:]))

    def encode(self, values: Any, *, field: str = "", batch: int = 64) -> Tensor:
        """Vectors of all models side by side, of length 1; as of one model."""
        models: list[Any] = list(self.models)
        vectors = [model.encode(values, field=field, batch=batch) for model in models]
        return torch.cat(vectors, 1) / len(models) ** 0.5

    def latents(self, field: str, feed: Feed) -> list[Latent]:
        """Where each reader puts it."""
        assert isinstance(feed, Feeds), "made by `batch`"
        feeds, readers, twins = (feed, *feed.others), list[Any](self.readers), self.twins[field]
        encoded = {twin: readers[twin].encoded(field, feeds[twin]) for twin in dict.fromkeys(twins)}
        return [reader.placed(field, encoded[twin]) for reader, twin in zip(readers, twins, strict=True)]


def _twins(models: Sequence[CrossModal], field: str) -> list[int]:
    """For each model the first that reads a field with the same encoder, weights and all: it is asked once for both."""

    def same(one: CrossModal, other: CrossModal) -> bool:
        if one.recipe.encode[field] != other.recipe.encode[field]:
            return False
        parts: list[Any] = [one.encoders[field], other.encoders[field]]
        if hasattr(parts[0], "learned") and parts[0].learned() != parts[1].learned():
            return False
        mine, theirs = (part.state_dict() for part in parts)
        return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())

    return [next(i for i, other in enumerate(models) if same(model, other)) for model in models]


def values(one: Any) -> dict[str, Any]:
    """Name -> value of the fields of a dataclass, as they are."""
    return {f.name: getattr(one, f.name) for f in fields(one)}


@dataclass(frozen=True, slots=True)
class Feeds(Feed):
    """What the first model reads of a field, and what the others read."""

    others: tuple[Feed, ...] = ()

    def to(self, device: torch.device | str) -> Feeds:
        moved = Feed(**{name: value for name, value in values(self).items() if name != "others"}).to(device)
        return Feeds(**values(moved), others=tuple(one.to(device) for one in self.others))
