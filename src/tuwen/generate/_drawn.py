"""Random texts and codes: their settings, the random numbers, and which tokens are left out.

Source:
    top-k: Fan et al. 2018, arXiv:1805.04833; top-p: Holtzman et al. 2020, arXiv:1904.09751; min-p: Nguyen et al. 2024,
    arXiv:2407.01082; typical: Meister et al. 2023, arXiv:2202.00666.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.generate._checked import Checked
from tuwen.generate._limits import Limits
from tuwen.generate._logits import NEVER


@dataclass(frozen=True, kw_only=True)
class Narrowed(Checked):
    """Base of the Configs that draw tokens at random. What leaves tokens out works one after the other, in this order."""

    temperature: float = 1.0
    """Divides the logits, from 0.000001 to 1000: below 1 prefers what is probable, above 1 is bolder."""
    top_k: int = 0
    """Only the k most probable tokens; 0: all."""
    top_p: float = 1.0
    """Only the fewest tokens that together have this probability, above 0 to 1; 1: all."""
    min_p: float = 0.0
    """Only tokens that are at least this share as probable as the most probable one, 0 to 1; 0: all."""
    typical: float = 1.0
    """Only the tokens nearest to the expected surprise that together have this probability, above 0 to 1; 1: all."""

    def check(self) -> None:
        super().check()
        what = "it is from 0.000001 to 1000, for example temperature=0.7; greedy is the limit at 0"
        self.require(0.000001 <= self.temperature <= 1000, "temperature", what)
        self.require(self.top_k >= 0, "top_k", "it is 0 (all) or more, for example top_k=50")
        self.require(0 < self.top_p <= 1, "top_p", "it is above 0 and at most 1 (all), for example top_p=0.9")
        self.require(0 <= self.min_p <= 1, "min_p", "it is from 0 (all) to 1, for example min_p=0.1")
        self.require(0 < self.typical <= 1, "typical", "it is above 0 and at most 1 (all), for example typical=0.9")


@dataclass(frozen=True, kw_only=True)
class Drawn(Narrowed, Limits):
    """Base of the Configs of random texts."""

    seed: int = 0
    """Another number gives other texts, the same one the same texts again."""
    samples: int = 0
    """Texts that are drawn for each picture; 0: as many as are given back."""
    best: int = 1
    """Texts that are given back for each picture: the most probable per token of those drawn."""

    def check(self) -> None:
        super().check()
        self.require(0 <= self.seed < 2**63, "seed", "it is 0 or more, below 2 ** 63")
        self.require(self.best >= 1, "best", "it is at least 1")
        least = self.best - (self.room - self.samples)
        fewest = f"it is at least {least}, for best={self.best}. Set samples={least}."
        self.require(self.samples == 0 or self.room >= self.best, "samples", fewest)

    @property
    def room(self) -> int:
        """Texts that there are to give back, where samples is not 0."""
        return self.samples


def gumbel(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random numbers of the standard Gumbel distribution, made on the CPU so that a seed means the same everywhere."""
    return -torch.empty(shape).exponential_(generator=generator).clamp_(min=1e-30).log()


def narrowed(logits: Tensor, config: Narrowed) -> Tensor:
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
    order = distance.argsort(stable=True, dim=-1)
    probability = logits.softmax(-1).gather(-1, order)
    enough = probability.cumsum(-1) - probability >= mass  # of those before it
    return logits.masked_fill(torch.zeros_like(enough).scatter(-1, order, enough), NEVER)
