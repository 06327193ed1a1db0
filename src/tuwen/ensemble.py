"""Several models that write captions together: each token by the mean of their log-probabilities.

Some that match pictures and texts, and write nothing, may be among them: they say how well what is written fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tuwen._several import Several, values
from tuwen.decode._text import TextDecoder
from tuwen.errors import CannotError, ConfigError
from tuwen.matchers import Matchers, side_by_side
from tuwen.model import CrossModal
from tuwen.task.caption import route_of
from tuwen.types import Decoded, Feed, Latent


class Ensemble(Several):
    """Models as one model that captions. Each reads the pictures in its own way, those with equal encoders once for all;
    their vocabularies are the same.

    Args:
        models: two or more, on one device.
        names: what they are called in messages.
    Raises:
        ConfigError: two of them have different vocabularies, or none captions.
        CannotError: one of them does neither caption nor match, or captions not from a picture alone.
    """

    def __init__(self, models: Sequence[CrossModal], names: Sequence[str] = ()):
        called = list(names) or [f"model {i}" for i in range(1, len(models) + 1)]
        writing, matching = _parted(models, called)
        writers, others = ([models[i] for i in some] for some in (writing, matching))
        super().__init__(writers, [*writers, *others], ["image"])
        self.matchers = Matchers(others, [names[i] for i in matching] if names else ()) if others else None
        own, route = writers[0].recipe, route_of(writers[0])
        self.routes = {name: one for name, one in own.routes.items() if one is route}
        self.recipe = replace(own, routes=self.routes)
        self.decoders["text"] = _Decoder([model.decoders["text"] for model in writers])

    def latent(self, field: str, feed: Feed) -> Latent:
        """The latents of all models, beside that of the first."""
        found, writers = self.latents(field, feed), len(self.models)
        matched = side_by_side(found[writers:]) if self.matchers else None
        return _Latents(**values(found[0]), others=tuple(found[1:writers]), matched=matched)

    @property
    def matcher(self) -> CrossModal:
        """Those among them that only match, as one; itself where there are none."""
        return self.matchers or self


def _parted(models: Sequence[CrossModal], names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Numbers of those that write, and of those that only match."""
    matching = [i for i, model in enumerate(models) if "match" in model.can() and "caption" not in model.can()]
    writing = [i for i in range(len(models)) if i not in matching]
    if not writing:
        raise ConfigError(
            f"{' and '.join(names)} {'does' if len(names) == 1 else 'do'} not caption; name a model that writes beside: tuwen "
            f"caption WRITER,{','.join(names)} photo.jpg"
        )
    _check([models[i] for i in writing], [names[i] for i in writing])
    return writing, matching


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


@dataclass(frozen=True, slots=True)
class _Latents(Latent):
    """The latent of the first model, and those of the others, with the same rows."""

    others: tuple[Latent, ...] = ()
    matched: Latent | None = None
    """Of those that only match, side by side."""

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
