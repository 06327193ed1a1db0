"""What may be written next: the rules that every way of writing puts on the logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tuwen.generate._limits import Limits
from tuwen.generate._words import Forbidden, begins, in_bytes
from tuwen.tokenizer import PAD, UNK

NEVER = float("-inf")


def never(decoder: Any) -> list[int]:
    """Tokens that are never written: padding, begin, unknown, or what the decoder names in `never`."""
    return [token for token in getattr(decoder, "never", (PAD, decoder.bos, UNK)) if token != decoder.eos]


class Rules:
    """Puts minus infinity where a token may not come next; made once for each call of a way of writing."""

    def __init__(self, limits: Limits, decoder: Any, device: torch.device):
        self.limits, self.eos = limits, decoder.eos
        self.never_X = torch.tensor(never(decoder), dtype=torch.int64, device=device)
        self.forbidden = Forbidden(decoder, limits.without) if limits.without else None
        given = getattr(decoder, "given", ())
        self.given_T = torch.tensor(given, dtype=torch.int64, device=device)
        self.within_V = ~begins(decoder, in_bytes(decoder, given)).to(device) if given else None

    def __call__(self, logits_NV: Tensor, said: Tensor) -> Tensor:
        """The logits, changed in place.

        Args:
            said: (..., T) int64 tokens of the N texts so far, begin and prompt not counted.
        """
        step = said.shape[-1]
        logits_NV.index_fill_(1, self.never_X, NEVER)
        if step < self.limits.min_tokens:
            logits_NV[:, self.eos] = NEVER
        if self.within_V is not None and not step:  # the last word of the prompt is whole
            logits_NV[:, self.within_V] = NEVER
        if self.limits.no_repeat_ngram or self.forbidden:
            said_NT = torch.cat((self.given_T.expand(len(logits_NV), -1), said.flatten(0, -2)), 1)
            if self.limits.no_repeat_ngram:
                ban_repeats(logits_NV, said_NT, self.limits.no_repeat_ngram)
            if self.forbidden:
                ban_words(logits_NV, said_NT, self.forbidden)
        return logits_NV


def ban_repeats(logits_NV: Tensor, said_NT: Tensor, size: int) -> None:
    """Minus infinity, in place, for tokens that would write a run of `size` tokens a second time."""
    if said_NT.shape[1] < size:
        return
    runs_NWS = said_NT.unfold(1, size, 1)
    again_NW = (runs_NWS[:, :, :-1] == said_NT[:, None, said_NT.shape[1] - size + 1 :]).all(2)
    row_X, run_X = again_NW.nonzero(as_tuple=True)
    logits_NV[row_X, runs_NWS[row_X, run_X, -1]] = NEVER


def ban_words(logits_NV: Tensor, said_NT: Tensor, forbidden: Forbidden) -> None:
    """Minus infinity, in place, for tokens that would complete a forbidden word."""
    found = [(row, token) for row, tokens in enumerate(said_NT.tolist()) for token in forbidden(tokens)]
    if found:
        row_X, token_X = torch.tensor(found, device=logits_NV.device).unbind(1)
        logits_NV[row_X, token_X] = NEVER
