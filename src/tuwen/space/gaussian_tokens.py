"""A normal distribution for each token: a grid of few channels for pictures to be drawn in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from tuwen.errors import ConfigError, ShapeError
from tuwen.space.gaussian import LOGVAR
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 8
    """Numbers of each token: few, since a flow is to learn them all."""

    def build(self, widths: Widths) -> GaussianTokens:
        return GaussianTokens(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=6)


class GaussianTokens(nn.Module):
    """Tokens (P, T, W) -> mean and logvar (P, T, D); tokens are a sample in training and the mean in use, pooled is their mean.

    Objective `elbo` holds them near the standard normal distribution. What is sampled around each token makes the decoder
    deaf to small errors, such as those of a flow that draws them.

    Source:
        Rombach et al. 2022, arXiv:2112.10752, section 3.1 (KL-reg).
    Raises:
        ConfigError: a token has no numbers.
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        if config.width < 1:
            raise ConfigError(
                f"space.gaussian_tokens: width is {config.width}; it is 1 or more, for example {Config().width}."
            )
        self.config = config
        self.widths = Widths(config.width, config.width)
        self.moments = nn.Linear(widths.tokens, 2 * config.width)

    def forward(self, latent: Latent) -> Latent:
        if latent.tokens is None:
            raise ShapeError("space.gaussian_tokens makes distributions of tokens, and the encoder gave none")
        with torch.autocast(latent.tokens.device.type, enabled=False):
            mean_PTD, logvar_PTD = self.moments(latent.tokens.float()).chunk(2, -1)
        logvar_PTD = logvar_PTD.clamp(*LOGVAR)
        if latent.mask is not None:  # what is no token is as near to the prior as can be
            mean_PTD, logvar_PTD = (x.masked_fill(~latent.mask[:, :, None], 0.0) for x in (mean_PTD, logvar_PTD))
        found = replace(latent, mean=mean_PTD, logvar=logvar_PTD)
        return found.sample() if self.training else found.at(mean_PTD)
