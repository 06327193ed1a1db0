"""A normal distribution for each value instead of a point: the space of a variational autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from tuwen.errors import ConfigError
from tuwen.layers import normal_rows
from tuwen.types import Latent, Widths

LOGVAR = (-12.0, 6.0)
"""Where the logarithm of a variance is held: below, a sample is its mean to float32; above, the loss overflows."""


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 16
    """Numbers of the latent."""

    def build(self, widths: Widths) -> Gaussian:
        return Gaussian(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=6)


class Gaussian(nn.Module):
    """Pooled (P, W) -> mean and logvar (P, D); pooled is a sample in training and the mean in use.

    The same is given as one token (P, 1, D), so that decoders of any kind can read it. Latents that are sampled
    differ from call to call: `Latent.sample` draws others of the same distribution.

    Source:
        Kingma and Welling 2013, arXiv:1312.6114, section 3 and appendix C.2.
    Raises:
        ConfigError: it has no numbers.
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        if config.width < 1:
            raise ConfigError(
                f"space.gaussian: width is {config.width}; it is 1 or more, for example {Config().width}."
            )
        self.config = config
        self.widths = Widths(config.width, config.width)
        self.moments = nn.Linear(widths.pooled, 2 * config.width)

    def forward(self, latent: Latent) -> Latent:
        mean_PD, logvar_PD = self.moments(latent.pooled).float().chunk(2, -1)
        found = replace(latent, mean=mean_PD, logvar=logvar_PD.clamp(*LOGVAR))
        return found.sample() if self.training else found.at(mean_PD)

    def prior(self, rows: int, *, generator: torch.Generator | None = None) -> Latent:
        """Rows drawn from the standard normal distribution that the latents are held to."""
        device = self.moments.weight.device
        drawn_PD = normal_rows(rows, self.config.width, generator).to(device)
        return Latent(drawn_PD, drawn_PD[:, None])
