"""Random texts, each as often as the model finds it probable: varied, streams, and may leave out what is unlikely."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tuwen.decode._text import Steps
from tuwen.generate._drawn import Drawn, gumbel, narrowed
from tuwen.generate._lines import Lines
from tuwen.generate._logits import Rules
from tuwen.generate._prompt import ready
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config(Drawn):
    """Settings of `Sampling`."""

    @property
    def streams(self) -> bool:
        return (self.samples or self.best) == 1

    def build(self) -> Sampling:
        self.check()
        return Sampling(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(max_tokens=6)


class Sampling:
    """Draws texts from the model's distribution, or from what is left of it.

    All pictures see the same random numbers, so that what is written for one does not depend on those beside it.

    Source:
        the draw is the largest of logits plus Gumbel noise: Maddison et al. 2014, arXiv:1411.0030; what leaves tokens
        out: see `_drawn`.
    """

    def __init__(self, config: Config):
        self.config = config

    @torch.inference_mode()
    def __call__(
        self, decoder: Steps, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode.
            emit: called with (row, token) at once for every token but the end; with several samples for the best of a
                row, once that row is done.
            cancelled: asked before every step; True returns what there is.
        Returns:
            One list a row, the most probable text per token first; its logprob is the model's own, before temperature
            and whatever left tokens out.
        """
        if not len(latent):
            return []
        c, device, pictures = self.config, latent.pooled.device, len(latent)
        decoder = ready(decoder, c, latent)
        rules, each = Rules(c, decoder, device), c.samples or c.best
        lines = Lines(decoder, pictures, device, steps=min(c.max_tokens, decoder.max_tokens), each=each, emit=emit)
        generator = torch.Generator().manual_seed(c.seed)
        state = decoder.start(latent, beams=each)
        while len(lines) and not (cancelled is not None and cancelled()):
            logits_NV = decoder.step(state, lines.last_RK.flatten())
            whole_RK = logits_NV.logsumexp(-1).view(-1, each)
            logits_RKV = rules(logits_NV, lines.said).view(-1, each, logits_NV.shape[1])
            noise_KV = gumbel((each, logits_NV.shape[1]), generator).to(device)
            token_RK = (narrowed(logits_RKV / c.temperature, c) + noise_KV).argmax(-1)
            logprob_RK = logits_RKV.gather(2, token_RK[:, :, None])[:, :, 0] - whole_RK
            keep_L = lines.take(token_RK, logprob_RK)
            if keep_L is not None:
                decoder.drop(state, keep_L)
        return [texts[: c.best] for texts in lines.written()]
