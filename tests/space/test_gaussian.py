"""A distribution in training, its mean in use."""

import torch

from tuwen.space.gaussian import Config
from tuwen.types import Latent, Widths


def part(**options):
    torch.manual_seed(0)
    return Config(width=4, **options).build(Widths(7, 7))


def test_the_mean_is_used_and_samples_are_learned_from():
    space, given = part().eval(), Latent(torch.randn(3, 7))
    used = space(given)
    assert torch.equal(used.pooled, used.mean) and torch.equal(used.tokens[:, 0], used.pooled)
    space.train()
    first, second = space(given), space(given)
    assert not torch.equal(first.pooled, second.pooled) and torch.equal(first.mean, second.mean)


def test_samples_have_the_mean_and_deviation_that_they_say():
    """Mean 2 and variance e^-2, so a deviation of 0.368."""
    many = Latent(torch.zeros(1, 1), mean=torch.full((20_000, 1), 2.0), logvar=torch.full((20_000, 1), -2.0))
    drawn = many.sample(torch.Generator().manual_seed(1)).pooled
    assert abs(drawn.mean().item() - 2) < 0.01 and abs(drawn.std().item() - 0.3679) < 0.01
    assert torch.equal(drawn, many.sample(torch.Generator().manual_seed(1)).pooled), "same seed, same sample"


def test_a_point_is_its_own_sample():
    point = Latent(torch.ones(2, 3))
    assert point.sample() is point


def test_variances_stay_finite():
    space = part()
    with torch.no_grad():
        space.moments.bias[4:] = 1e6
    assert space(Latent(torch.randn(3, 7))).pooled.isfinite().all()


def test_the_prior_is_a_standard_normal():
    drawn = part().prior(5_000, generator=torch.Generator().manual_seed(0))
    assert drawn.pooled.shape == (5_000, 4) and drawn.tokens.shape == (5_000, 1, 4)
    assert drawn.pooled.mean().abs() < 0.03 and abs(drawn.pooled.std() - 1) < 0.03
