"""The most probable token at every step: the fastest way to write, and one that streams."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tuwen.decode._text import Steps
from tuwen.generate._limits import Limits
from tuwen.generate._lines import Lines
from tuwen.generate._logits import Rules
from tuwen.generate._prompt import ready
from tuwen.generate._shared import shared
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config(Limits):
    """Settings of `Greedy`."""

    @property
    def streams(self) -> bool:
        return True

    def build(self) -> Greedy:
        self.check()
        return Greedy(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(max_tokens=6)


class Greedy:
    """Writes one text a picture. `beam` finds more probable ones, at the cost of its beams."""

    def __init__(self, config: Config):
        self.config = config

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
        return shared(self._write, decoder, latent, emit, cancelled)

    @torch.inference_mode()
    def _write(
        self, decoder: Steps, latent: Latent, emit: Emit | None, cancelled: Cancelled | None
    ) -> list[list[Written]]:
        if not len(latent):
            return []
        decoder, device = ready(decoder, self.config, latent), latent.pooled.device
        rules = Rules(self.config, decoder, device)
        steps = min(self.config.max_tokens, decoder.max_tokens)
        lines = Lines(decoder, len(latent), device, steps=steps, emit=emit)
        state = decoder.start(latent)
        while len(lines) and not (cancelled is not None and cancelled()):
            logits_NV = decoder.step(state, lines.last_RK.flatten())
            whole_N = logits_NV.logsumexp(-1)
            best_N, token_N = rules(logits_NV, lines.said).max(-1)
            keep_L = lines.take(token_N[:, None], (best_N - whole_N)[:, None])
            if keep_L is not None:
                decoder.drop(state, keep_L)
        return lines.written()
