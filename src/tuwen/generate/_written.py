"""What a way of making gives back, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Emit = Callable[[int, int], None]
"""Called with (row of the latent, token) as soon as a token is certain."""

Cancelled = Callable[[], bool]
"""Asked before every step; True ends the loop with what there is."""


@dataclass(frozen=True, slots=True)
class Written:
    """One text that was written for a picture."""

    tokens: list[int]
    """Without begin and end; those of a prompt are not among them."""
    logprob: float
    """Sum over the tokens, end included, in nats: what the model gives them, whatever was forbidden or favoured."""
    finished: bool
    """Whether the end was written; False: cut by max_tokens or cancelled."""

    def score(self, length_penalty: float = 1.0) -> float:
        """logprob / length ** length_penalty, the end counted: by default the mean over the tokens."""
        return self.logprob / max(len(self.tokens) + self.finished, 1) ** length_penalty


def fill_holes(done_B: Tensor) -> Tensor:
    """Numbers of the pictures that go on, (R,) int64: where one is done the last one takes its place.

    So a decoder that drops pictures moves as few of them as there are done, not all that stand after the first.
    """
    count = int((~done_B).sum())
    keep_R = (~done_B).new_ones(count).cumsum(0) - 1
    keep_R[done_B[:count]] = (~done_B[count:]).nonzero()[:, 0] + count
    return keep_R
