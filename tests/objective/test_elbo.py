"""The bound by hand."""

import math

import pytest
import torch

from tuwen.errors import ConfigError
from tuwen.objective.elbo import Config, kl, nats
from tuwen.types import Batch, Decoded, Latent, Made

BATCH = Batch(["a", "b"], {})


def made(mean=((1.0, 0.0), (0.0, 0.0)), logvar=((0.0, 0.0), (0.0, 0.0))):
    """Two pictures of 3 pixels that are undecided; the latent of the first is one deviation from the middle."""
    logits = torch.zeros(2, 1, 1, 3)
    decoded = Decoded(logits.sigmoid(), torch.tensor([0.0, 1.0, 1.0]).expand(2, 1, 1, 3), logits=logits)
    latent = Latent(torch.tensor(mean), mean=torch.tensor(mean), logvar=torch.tensor(logvar))
    return Made({"image": latent}, {"reconstruct": decoded})


def test_by_hand():
    """3 ln 2 of pixels for each picture; the divergence is 1 / 2 and 0, in the mean 1 / 4."""
    found = Config().build()(made(), BATCH)
    assert found.values["elbo"].item() == pytest.approx(3 * math.log(2) + 0.25)
    assert found.reports["reconstruction"].item() == pytest.approx(3 * math.log(2))
    assert found.reports["kl"].item() == pytest.approx(0.25) and not found.reports["kl"].requires_grad


def test_beta_weighs_the_divergence():
    assert Config(beta=4.0).build()(made(), BATCH).values["elbo"].item() == pytest.approx(3 * math.log(2) + 1)


def test_divergence_is_that_of_torch():
    generator = torch.Generator().manual_seed(0)
    mean, logvar = torch.randn(2, 5, 3, generator=generator)
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(mean, (logvar / 2).exp()), normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl(mean, logvar), wanted)
    assert kl(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0, "nothing is as near as the prior itself"


def test_gaussian_likelihood_is_that_of_torch():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 4, 1, 3, 3, generator=generator)
    wanted = -torch.distributions.Normal(a, 0.2).log_prob(b).sum((1, 2, 3))
    torch.testing.assert_close(nats(Decoded(a, b), "gaussian", 0.2), wanted)


def test_a_point_has_no_bound():
    point = Made({"image": Latent(torch.zeros(2, 2))}, made().routes)
    with pytest.raises(
        ConfigError, match="elbo needs a distribution of 'image', and its space gives points; set space.image=gaussian"
    ):
        Config().build()(point, BATCH)


def test_a_pixel_without_spread():
    with pytest.raises(ConfigError, match="objective.elbo: noise is 0; it is above 0"):
        Config(likelihood="gaussian", noise=0).build()
