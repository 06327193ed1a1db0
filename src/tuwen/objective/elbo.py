"""The bound of a variational autoencoder: how well values come back, and how far their latents are from the prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.objective.reconstruction import example_decoded, pixel_nats
from tuwen.types import Batch, Decoded, Latent, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "reconstruct"
    """Route that makes the value again from its latent."""
    latent: str = "image"
    """Field whose latent is a distribution; the name of the route where it is a fused one."""
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Of a pixel: bernoulli for pictures that are nearly black and white, gaussian for any."""
    noise: float = 0.1
    """Standard deviation of a pixel, of 0 to 1, with the gaussian likelihood; smaller: sharper, and less like the prior."""
    beta: float = 1.0
    """Weight of the divergence; 1: the bound; above: latents nearer to the prior."""

    def build(self) -> Elbo:
        return Elbo(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        random = torch.Generator().manual_seed(1)
        mean, logvar = torch.randn(2, 2, 3, generator=random)
        latent = Latent(mean, mean=mean, logvar=logvar)
        return Made({self.latent: latent}, {self.route: example_decoded()}), Batch(["a", "b"], {})


class Elbo:
    """`(made, batch) -> Terms(elbo)`, in nats per picture: the negative bound, so less is better.

    Reports reconstruction and kl, its halves. In evaluation latents are their means, not samples, so that elbo then
    lies a little below the bound; `benchmarks/autoencoders.py` shows how to draw samples.

    Source:
        Kingma and Welling 2013, arXiv:1312.6114, eq. 10; beta: Higgins et al. 2017, "beta-VAE", ICLR, eq. 4.
    Raises:
        ConfigError: the space of the latent is no distribution.
    """

    less = ("reconstruction", "kl")
    """Reports of which the smallest is the best."""

    def __init__(self, config: Config):
        if config.likelihood == "gaussian" and not config.noise > 0:
            raise ConfigError(f"objective.elbo: noise is {config.noise}; it is above 0, for example 0.1")
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded, latent = made.routes.get(self.config.route), made.latents.get(self.config.latent)
        if decoded is None or latent is None:
            return Terms()
        if latent.mean is None or latent.logvar is None:
            where = self.config.latent
            raise ConfigError(
                f"elbo needs a distribution of {where!r}, and its space gives points; set space.{where}=gaussian, or gaussian_tokens"
            )
        back = nats(decoded, self.config.likelihood, self.config.noise).mean()
        apart = kl(latent.mean, latent.logvar).mean()
        reports = {"reconstruction": back.detach(), "kl": apart.detach()}
        return Terms({"elbo": back + self.config.beta * apart}, reports)


def nats(decoded: Decoded, likelihood: str, noise: float) -> Tensor:
    """(P,) negative log-likelihood of each picture, summed over its pixels.

    Args:
        likelihood: bernoulli or gaussian.
        noise: standard deviation of a pixel with the gaussian one.
    """
    if likelihood == "bernoulli":
        return pixel_nats(decoded).flatten(1).sum(1)
    error = (decoded.prediction.float() - decoded.target) / noise
    return (error.square() / 2 + math.log(noise) + math.log(2 * math.pi) / 2).flatten(1).sum(1)


def kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """(P,) divergence of N(mean, exp(logvar)) from N(0, 1), in nats, summed over all numbers of a row.

    Args:
        mean, logvar: (P, D), or (P, T, D) of tokens.

    Source:
        Kingma and Welling 2013, arXiv:1312.6114, appendix B.
    Example:
        >>> kl(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).item()
        0.5
    """
    return (mean.square() + logvar.exp() - 1 - logvar).flatten(1).sum(1) / 2
