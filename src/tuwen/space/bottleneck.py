"""A few numbers: one linear map of the pooled vector, the narrow place of an autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 32
    """Numbers that are kept of each value."""

    def build(self, widths: Widths) -> Bottleneck:
        return Bottleneck(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=6)


class Bottleneck(nn.Module):
    """Pooled (P, W) -> pooled (P, D), and the same as one token (P, 1, D): decoders of any kind can read it."""

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        self.config = config
        self.widths = Widths(config.width, config.width)
        self.linear = nn.Linear(widths.pooled, config.width)

    def forward(self, latent: Latent) -> Latent:
        return latent.at(self.linear(latent.pooled))
