"""Random texts, each as often as the model finds it probable: varied, streams, and may leave out what is unlikely."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.generate._limits import Limits
from tuwen.generate._lines import Lines
from tuwen.generate._logits import NEVER, Rules
from tuwen.generate._prompt import begun
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config(Limits):
    """Settings of `Sampling`; those that leave tokens out work one after the other, in this order."""

    temperature: float = 1.0
    """Divides the logits, above 0: below 1 prefers what is probable, above 1 is bolder."""
    top_k: int = 0
    """Only the k most probable tokens; 0: all."""
    top_p: float = 1.0
    """Only the fewest tokens that together have this probability, above 0 to 1; 1: all."""
    min_p: float = 0.0
    """Only tokens that are at least this share as probable as the most probable one, 0 to 1; 0: all."""
    typical: float = 1.0
    """Only the tokens nearest to the expected surprise that together have this probability, above 0 to 1; 1: all."""
    seed: int = 0
    """Another number gives other texts, the same one the same texts again."""
    samples: int = 0
    """Texts that are drawn for each picture; 0: as many as are given back."""
    best: int = 1
    """Texts that are given back for each picture: the most probable per token of those drawn."""

    def check(self) -> None:
        super().check()
        self.require(
            self.temperature > 0, "temperature", "it is above 0, for example temperature=0.7; greedy is the limit at 0"
        )
        self.require(self.top_k >= 0, "top_k", "it is 0 (all) or more, for example top_k=50")
        self.require(0 < self.top_p <= 1, "top_p", "it is above 0 and at most 1 (all), for example top_p=0.9")
        self.require(0 <= self.min_p <= 1, "min_p", "it is from 0 (all) to 1, for example min_p=0.1")
        self.require(0 < self.typical <= 1, "typical", "it is above 0 and at most 1 (all), for example typical=0.9")
        self.require(self.seed >= 0, "seed", "it is 0 or more")
        self.require(self.best >= 1, "best", "it is at least 1")
        fewest = f"it is 0 or at least best, {self.best}. Set samples={self.best}."
        self.require(self.samples == 0 or self.samples >= self.best, "samples", fewest)

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
        top-k: Fan et al. 2018, arXiv:1805.04833; top-p: Holtzman et al. 2020, arXiv:1904.09751; min-p: Nguyen et al.
        2024, arXiv:2407.01082; typical: Meister et al. 2023, arXiv:2202.00666. The draw is the largest of logits plus
        Gumbel noise: Maddison et al. 2014, arXiv:1411.0030.
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
        decoder = begun(decoder, c.prompt)
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


def gumbel(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random numbers of the standard Gumbel distribution, made on the CPU so that a seed means the same everywhere."""
    return -torch.empty(shape).exponential_(generator=generator).clamp_(min=1e-30).log()


def narrowed(logits: Tensor, config: Config) -> Tensor:
    """(..., V) logits with minus infinity for the tokens that the settings leave out; at least one stays."""
    if 0 < config.top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(config.top_k).values[..., -1:], NEVER)
    if config.top_p < 1:
        logits = _nearest(logits, -logits, config.top_p)
    if config.min_p > 0:
        probability = logits.softmax(-1)
        logits = logits.masked_fill(probability < config.min_p * probability.amax(-1, keepdim=True), NEVER)
    if config.typical < 1:
        surprise = -logits.log_softmax(-1)
        expected = (surprise.exp().reciprocal() * surprise.masked_fill(surprise.isinf(), 0)).sum(-1, keepdim=True)
        logits = _nearest(logits, (surprise - expected).abs(), config.typical)
    return logits


def _nearest(logits: Tensor, distance: Tensor, mass: float) -> Tensor:
    """Keeps the tokens of least distance, the fewest that together have the probability `mass`."""
    order = distance.argsort(-1, stable=True)
    probability = logits.softmax(-1).gather(-1, order)
    enough = probability.cumsum(-1) - probability >= mass  # of those before it
    return logits.masked_fill(torch.zeros_like(enough).scatter(-1, order, enough), NEVER)
