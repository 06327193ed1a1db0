"""A distribution for each token: sampled in training, its mean in use, held to the standard normal one."""

import pytest
import torch
from tests.contract._parts import latent

from tuwen.errors import ConfigError, ShapeError
from tuwen.objective.elbo import kl
from tuwen.space import gaussian, gaussian_tokens
from tuwen.space.gaussian_tokens import Config
from tuwen.types import Latent, Widths


def part():
    torch.manual_seed(0)
    return Config.tiny().build(Widths(12, 10))


def test_in_use_it_is_the_mean_and_in_training_a_sample_around_it():
    made, given = part().eval(), latent(3, tokens=7)
    still = made(given)
    assert torch.equal(still.tokens, still.mean) and still.tokens.shape == (3, 7, 6)
    made.train()
    drawn = torch.stack([made(given).tokens for _ in range(2000)])
    torch.testing.assert_close(drawn.mean(0), still.mean, atol=0.15, rtol=0)
    torch.testing.assert_close(drawn.std(0), (still.logvar / 2).exp(), atol=0.1, rtol=0.1)


def test_the_grid_stays_and_pooled_is_the_mean_of_real_tokens():
    given = latent(3, tokens=7, masked=True)
    found = part().eval()(given)
    assert torch.equal(found.mask, given.mask)
    for row, real in enumerate(given.mask):
        torch.testing.assert_close(found.pooled[row], found.tokens[row, real].mean(0))
    assert part().eval()(Latent(torch.zeros(1, 10), torch.zeros(1, 4, 12), grid=(2, 2))).grid == (2, 2)


def test_what_is_no_token_costs_nothing():
    given = latent(2, tokens=7, masked=True)
    found = part().eval()(given)
    alone = [
        kl(found.mean[row : row + 1, real], found.logvar[row : row + 1, real]) for row, real in enumerate(given.mask)
    ]
    torch.testing.assert_close(kl(found.mean, found.logvar), torch.cat(alone))


def test_an_encoder_without_tokens_is_refused():
    with pytest.raises(ShapeError, match=r"space.gaussian_tokens makes distributions of tokens"):
        part()(Latent(torch.zeros(1, 10)))


@pytest.mark.parametrize("part", [gaussian, gaussian_tokens])
def test_a_space_without_numbers_is_refused(part):
    with pytest.raises(ConfigError, match=r"space\.gaussian\w*: width is 0; it is 1 or more"):
        part.Config(width=0).build(Widths(12, 10))
