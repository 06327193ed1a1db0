"""What a way of making gives back, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.tokenizer import PAD, UNK

Emit = Callable[[int, int], None]
"""Called with (row of the latent, token) as soon as a token is certain."""

Cancelled = Callable[[], bool]
"""Asked before every step; True ends the loop with what there is."""


@dataclass(frozen=True, slots=True)
class Written:
    """One text that was written for a picture."""

    tokens: list[int]
    """Without begin and end."""
    logprob: float
    """Sum over the tokens, end included, in nats."""
    finished: bool
    """Whether the end was written; False: cut by max_tokens or cancelled."""


def never(decoder: Any) -> list[int]:
    """Tokens that are never written: padding, begin, unknown, or what the decoder names in `never`."""
    return [token for token in getattr(decoder, "never", (PAD, decoder.bos, UNK)) if token != decoder.eos]


def ban(score_NV: Tensor, decoder: Any, *, ending: bool) -> Tensor:
    """Minus infinity, in place, for what may not be written: `never`, and the end unless `ending`."""
    for token in never(decoder):
        score_NV[:, token] = float("-inf")
    if not ending:
        score_NV[:, decoder.eos] = float("-inf")
    return score_NV


def check_lengths(part: str, max_tokens: int, min_tokens: int) -> None:
    """Raises ConfigError unless 0 <= min_tokens <= max_tokens and 1 <= max_tokens."""
    if max_tokens < 1:
        raise ConfigError(f"{part}.max_tokens is {max_tokens}; it is at least 1, for example max_tokens=30")
    if not 0 <= min_tokens <= max_tokens:
        raise ConfigError(
            f"{part}.min_tokens is {min_tokens}; it is from 0 to max_tokens, {max_tokens}. Set min_tokens=0 or a larger max_tokens."
        )


def fill_holes(done_B: Tensor) -> Tensor:
    """Numbers of the pictures that go on, (R,) int64: where one is done the last one takes its place.

    So a decoder that drops pictures moves as few of them as there are done, not all that stand after the first.
    """
    count = int((~done_B).sum())
    keep_R = (~done_B).new_ones(count).cumsum(0) - 1
    keep_R[done_B[:count]] = (~done_B[count:]).nonzero()[:, 0] + count
    return keep_R
