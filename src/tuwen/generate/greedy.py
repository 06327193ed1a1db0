"""The most probable token at every step: the fastest way to write, and the one that streams."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tuwen.decode._text import Steps
from tuwen.generate._written import Cancelled, Emit, Written, ban, check_lengths, fill_holes
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config:
    max_tokens: int = 128
    """Most tokens that are written, the end included; never more than the decoder's own max_tokens."""
    min_tokens: int = 0
    """Tokens before which the text may not end."""

    def build(self) -> Greedy:
        check_lengths("generate.greedy", self.max_tokens, self.min_tokens)
        return Greedy(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(max_tokens=6)


class Greedy:
    """Writes one text a picture. `beam` finds more probable ones, at the cost of its beams."""

    def __init__(self, config: Config):
        self.config = config

    @torch.inference_mode()
    def __call__(
        self, decoder: Steps, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode.
            emit: called with (row, token) at once for every token but the end.
            cancelled: asked before every step; True returns what there is.
        Returns:
            One list a row, each of one text. A row's text does not depend on the rows beside it.
        """
        if not (rows := len(latent)):
            return []
        said: list[list[int]] = [[] for _ in range(rows)]
        total, finished = [0.0] * rows, [False] * rows
        row_N = torch.arange(rows, device=latent.pooled.device)
        token_N = torch.full_like(row_N, decoder.bos)
        state = decoder.start(latent)
        for step in range(min(self.config.max_tokens, decoder.max_tokens)):
            if not len(row_N) or (cancelled is not None and cancelled()):
                break
            logits_NV = decoder.step(state, token_N)
            whole_N = logits_NV.logsumexp(-1)
            best_N, token_N = ban(logits_NV, decoder, ending=step >= self.config.min_tokens).max(-1)
            done_N = token_N == decoder.eos
            for row, token, logprob in zip(row_N.tolist(), token_N.tolist(), (best_N - whole_N).tolist(), strict=True):
                total[row] += logprob
                finished[row] = token == decoder.eos
                if not finished[row]:
                    said[row].append(token)
                    if emit is not None:
                        emit(row, token)
            if done_N.any():
                keep_R = fill_holes(done_N)
                decoder.drop(state, keep_R)
                row_N, token_N = row_N[keep_R], token_N[keep_R]
        return [[Written(*one)] for one in zip(said, total, finished, strict=True)]
