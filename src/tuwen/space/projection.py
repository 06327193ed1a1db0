"""A learned linear map of tokens and of their pooled vector into the shared space."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tuwen.errors import ConfigError, ShapeError
from tuwen.layers import AttentionPool, Dropout, masked_max, masked_mean
from tuwen.types import Latent, Widths

_MOST = math.log(100) / 2
"""Logarithm of the largest factor of one side: 100 of both."""


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 384
    """Width D of the tokens that decoders read; 0: as the encoder gives them."""
    embed: int = 256
    """Width D of the pooled vector that is compared; 0: none, the pooled vector is the mean of the tokens."""
    pool: Literal["encoder", "attention", "mean", "max"] = "encoder"
    """What is projected to the pooled vector: the encoder's own, what a learned query reads of the tokens, or their mean or
    largest values."""
    heads: int = 6
    """Heads of the learned query, a divisor of width."""
    dropout: float = 0.0
    """Share of the encoder's features that is dropped in training."""
    hidden: float = 0.0
    """Share of the tokens that training hides, another part of the picture each time; 0 to below 1."""
    scale: float = 14.3
    """Initial factor on cosines when two fields are matched: 1 / temperature."""
    bias: float = 0.0
    """Initial bias of a match; -10 suits the sigmoid objective."""

    def build(self, widths: Widths) -> Projection:
        return Projection(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=16, embed=8, heads=2)


class Projection(nn.Module):
    """Tokens (P, T, W) -> tokens (P, T, D) and pooled (P, E); holds its half of the scale and bias of a match."""

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        if not config.scale > 0:
            raise ConfigError(f"space.projection: scale is {config.scale}; it is above 0, for example 14.3")
        self.config = config
        self.widths = Widths(config.width or widths.tokens, config.embed or config.width or widths.tokens)
        self.dropout = Dropout(config.dropout)
        width = self.widths.tokens
        if config.width:
            self.norm = nn.LayerNorm(widths.tokens)
            self.tokens = nn.Linear(widths.tokens, width)
            self.norm_out = nn.LayerNorm(width)
        if config.embed:
            pools: dict[str, Any] = {
                "attention": AttentionPool,
                "mean": lambda *_: masked_mean,
                "max": lambda *_: masked_max,
            }
            if config.pool != "encoder":
                self.pool = pools[config.pool](width, config.heads)
            self.pooled = nn.Linear(widths.pooled if config.pool == "encoder" else width, config.embed)
            self.log_scale = nn.Parameter(torch.tensor(math.log(config.scale) / 2))
            self.bias = nn.Parameter(torch.tensor(config.bias / 2))

    def forward(self, latent: Latent) -> Latent:
        placed = self._tokens(latent)
        if not self.config.embed:
            return replace(placed, pooled=masked_mean(*self._read(placed)))
        above = (self.log_scale - _MOST).clamp(min=0).detach()  # so that a scale above the limit can come down again
        scale = (self.log_scale - above).exp()
        return replace(placed, pooled=self.pooled(self._source(placed)), scale=scale, bias=self.bias)

    def _tokens(self, latent: Latent) -> Latent:
        """The same with its tokens projected; in training without those that are hidden."""
        if latent.tokens is None and not self.config.width:
            return latent
        tokens, mask = self._read(latent)
        if self.config.width:
            tokens = self.norm_out(self.tokens(self.dropout(self.norm(tokens))))
        if self.training and self.config.hidden:
            mask = some(tokens, mask, self.config.hidden)
        return replace(latent, tokens=tokens, mask=mask)

    def _source(self, latent: Latent) -> Tensor:
        """(P, ...) what is projected to the pooled vector."""
        if self.config.pool == "encoder":
            return self.dropout(latent.pooled)
        return self.pool(*self._read(latent))

    def _read(self, latent: Latent) -> tuple[Tensor, Tensor | None]:
        """Tokens and mask, which have to be there."""
        if latent.tokens is None:
            raise ShapeError(
                f"space.projection with width={self.config.width}, pool={self.config.pool} and embed={self.config.embed} "
                "reads tokens, and the encoder gave none. Set width=0 and pool=encoder, with an embed above 0."
            )
        return latent.tokens, latent.mask


def some(tokens_PTD: Tensor, mask_PT: Tensor | None, hidden: float) -> Tensor:
    """(P, T) bool: the real tokens without a share of them, drawn anew each time; at least one a row stays."""
    real_PT = (
        torch.ones(tokens_PTD.shape[:2], dtype=torch.bool, device=tokens_PTD.device) if mask_PT is None else mask_PT
    )
    draw_PT = torch.rand(real_PT.shape, device=real_PT.device).masked_fill(~real_PT, -1.0)
    return ((draw_PT >= hidden) | (draw_PT == draw_PT.amax(1, keepdim=True))) & real_PT
