"""Several models that write captions together: each token by the mean of their log-probabilities.

One that matches pictures and texts, and writes nothing, may be among them: it says how well what they write fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuwen.data._collate import collate
from tuwen.data._config import Data
from tuwen.decode._text import TextDecoder
from tuwen.directory import load
from tuwen.errors import CannotError, ConfigError
from tuwen.model import CrossModal
from tuwen.task.caption import route_of
from tuwen.types import Batch, Decoded, Feed, Latent, Sample


class Ensemble(CrossModal):
    """Models as one model that captions. Each reads the pictures in its own way, those with equal encoders once for all;
    their vocabularies are the same.

    Args:
        models: two or more, on one device.
        names: what they are called in messages.
    Raises:
        ConfigError: two of them have different vocabularies, two only match, or none captions.
        CannotError: one of them does neither caption nor match, or captions not from a picture alone.
    """

    def __init__(self, models: Sequence[CrossModal], names: Sequence[str] = ()):
        nn.Module.__init__(self)
        names = list(names) or [f"model {i}" for i in range(1, len(models) + 1)]
        models, matcher = _parted(models, names)
        first, route = models[0], route_of(models[0])
        self.routes = {name: one for name, one in first.routes.items() if one is route}
        self.recipe = replace(first.recipe, routes=self.routes)
        self.confidence = None
        self.models = nn.ModuleList(models)
        self.matchers = nn.ModuleList([] if matcher is None else [matcher])
        self.encoders = nn.ModuleDict({"image": first.encoders["image"]})
        self.twins = _twins(self._each)
        self.spaces, self.fusions = nn.ModuleDict(), nn.ModuleDict()
        self.decoders = nn.ModuleDict({"text": _Decoder([model.decoders["text"] for model in models])})

    @classmethod
    def load(cls, paths: Sequence[str | Path], device: str | torch.device = "cpu") -> Ensemble:
        """The models of several directories, in eval mode; raises as `tuwen.load` does."""
        return cls([load(path, device) for path in paths], [str(path) for path in paths]).eval()

    def batch(self, samples: Sequence[Sample], *, targets: bool = False, options: Data | None = None) -> Batch:
        """As of one model, with what each model reads of the pictures."""
        first = super().batch(samples, targets=targets, options=options)
        if "image" not in first.inputs:
            return first
        feeds = [first.inputs["image"]]
        for place, model in enumerate(self._each[1:], 1):
            if (twin := self.twins[place]) < place:
                feeds.append(feeds[twin])
                continue
            read = collate(samples, {"image": model.encoders["image"]}, {}, options=options or self.recipe.data)
            feeds.append(read.inputs["image"].to(self.device))
        feed = _Feeds(**_values(feeds[0]), others=tuple(feeds[1:]))
        return replace(first, inputs={**first.inputs, "image": feed})

    def encode(self, values: Any, *, field: str = "", batch: int = 64) -> Tensor:
        """Vectors of all models side by side, of length 1; as of one model."""
        models: list[Any] = list(self.models)
        vectors = [model.encode(values, field=field, batch=batch) for model in models]
        return torch.cat(vectors, 1) / len(models) ** 0.5

    def latent(self, field: str, feed: Feed) -> Latent:
        """The latents of all models, beside that of the first."""
        assert isinstance(feed, _Feeds), "made by `batch`"
        feeds: tuple[Feed, ...] = (feed, *feed.others)
        encoded = {twin: self._each[twin].encoded(field, feeds[twin]) for twin in dict.fromkeys(self.twins)}
        found = [model.placed(field, encoded[twin]) for model, twin in zip(self._each, self.twins, strict=True)]
        matched = found.pop() if len(self.matchers) else None
        return _Latents(**_values(found[0]), others=tuple(found[1:]), matched=matched)

    @property
    def matcher(self) -> CrossModal:
        """The model among them that only matches; itself where there is none."""
        return self.matchers[0] if len(self.matchers) else self  # type: ignore[return-value]

    @property
    def _each(self) -> list[Any]:
        """Those that write, and the one that only matches."""
        return [*self.models, *self.matchers]


def _twins(models: Sequence[CrossModal]) -> list[int]:
    """For each model the first that reads pictures with the same encoder, weights and all: it is asked once for both."""

    def same(one: CrossModal, other: CrossModal) -> bool:
        if one.recipe.encode["image"] != other.recipe.encode["image"]:
            return False
        mine, theirs = (model.encoders["image"].state_dict() for model in (one, other))
        return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())

    return [next(i for i, other in enumerate(models) if same(model, other)) for model in models]


def _parted(models: Sequence[CrossModal], names: Sequence[str]) -> tuple[list[CrossModal], CrossModal | None]:
    """Those that write, and the one that only matches."""
    matching = [i for i, model in enumerate(models) if "match" in model.can() and "caption" not in model.can()]
    if len(matching) > 1:
        raise ConfigError(
            f"{' and '.join(names[i] for i in matching)} match and do not caption; one such model may stand beside those "
            "that write. Leave the others out."
        )
    writing = [i for i in range(len(models)) if i not in matching]
    if not writing:
        raise ConfigError(
            f"{names[0]} does not caption; name a model that writes beside it: tuwen caption WRITER,{names[0]} photo.jpg"
        )
    _check([models[i] for i in writing], [names[i] for i in writing])
    return [models[i] for i in writing], models[matching[0]] if matching else None


def _check(models: Sequence[CrossModal], names: Sequence[str]) -> None:
    for model, name in zip(models, names, strict=True):
        model.require("caption")
        route = route_of(model)
        if route is None or route.fuse:
            raise CannotError(
                f"{name} captions by {route}; models that write together do it from a picture alone. Ask it by itself."
            )
    decoders: list[Any] = [model.decoders["text"] for model in models]
    tokenizers = [decoder.tokenizer for decoder in decoders]
    for tokenizer, name in zip(tokenizers, names, strict=True):
        if tokenizer.to_json() != tokenizers[0].to_json():
            raise ConfigError(
                f"{names[0]} and {name} have different vocabularies ({tokenizers[0].size} and {tokenizer.size} tokens), "
                "so that they cannot write together. Train both on the same captions with the same decode.text.tokenizer "
                f"and vocabulary, or the second with --start-from {names[0]}."
            )


def _values(one: Any) -> dict[str, Any]:
    return {f.name: getattr(one, f.name) for f in fields(one)}


@dataclass(frozen=True, slots=True)
class _Feeds(Feed):
    """What the first model reads of a field, and what the others read."""

    others: tuple[Feed, ...] = ()

    def to(self, device: torch.device | str) -> _Feeds:
        moved = Feed(**{name: value for name, value in _values(self).items() if name != "others"}).to(device)
        return _Feeds(**_values(moved), others=tuple(one.to(device) for one in self.others))


@dataclass(frozen=True, slots=True)
class _Latents(Latent):
    """The latent of the first model, and those of the others, with the same rows."""

    others: tuple[Latent, ...] = ()
    matched: Latent | None = None
    """Of the model that only matches."""

    def rows(self, index: Tensor) -> _Latents:
        picked, matched = Latent.rows(self, index), None if self.matched is None else self.matched.rows(index)
        others = tuple(one.rows(index) for one in self.others)
        return replace(picked, others=others, matched=matched)  # type: ignore[call-arg, return-value]

    @property
    def each(self) -> tuple[Latent, ...]:
        return (self, *self.others)


class _Decoder(TextDecoder):
    """Decoders of one vocabulary as one. What it gives as logits are means of log-probabilities.

    The distribution is that of the geometric mean, made whole again: a token that one of them excludes is excluded.
    """

    def __init__(self, decoders: Sequence[Any]):
        tokenizer, shortest = decoders[0].tokenizer, min(one.max_tokens for one in decoders)
        super().__init__(tokenizer=tokenizer.kind, vocabulary=tokenizer.size, max_tokens=shortest)
        self.tokenizer = tokenizer
        self.consensus = next((one.consensus for one in decoders if one.consensus is not None), None)
        self.decoders = nn.ModuleList(decoders)

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        made: list[Decoded] = [one(own, target) for one, own in self._pairs(latent)]
        return replace(made[0], prediction=_mean([one.prediction for one in made]), attention=None)

    def start(self, latent: Latent, beams: int = 1) -> list[Any]:
        return [one.start(own, beams) for one, own in self._pairs(latent)]

    def rounded(self) -> _Decoder:
        decoders: list[Any] = list(self.decoders)
        other = _Decoder([one.rounded() for one in decoders])
        other.consensus = self.consensus
        return other.eval()

    def step(self, state: list[Any], token_N: Tensor) -> Tensor:
        return _mean([one.step(own, token_N) for one, own in self._beside(state)])

    def top(self, state: list[Any]) -> Tensor:
        return torch.cat([one.top(own) for one, own in self._beside(state)], 1)

    def reorder(self, state: list[Any], index_N: Tensor) -> None:
        for one, own in self._beside(state):
            one.reorder(own, index_N)

    def drop(self, state: list[Any], keep_B: Tensor) -> None:
        for one, own in self._beside(state):
            one.drop(own, keep_B)

    def _pairs(self, latent: Latent) -> list[tuple[Any, Latent]]:
        assert isinstance(latent, _Latents), "made by the ensemble"
        return self._beside(latent.each)

    def _beside(self, things: Sequence[Any]) -> list[tuple[Any, Any]]:
        return list(zip(self.decoders, things, strict=True))


def _mean(logits: Sequence[Tensor]) -> Tensor:
    """(N, V) mean of the log-probabilities of several (N, V) logits."""
    return torch.stack([one.float().log_softmax(-1) for one in logits]).mean(0)
