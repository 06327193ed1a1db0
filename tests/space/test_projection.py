from dataclasses import replace

import pytest
import torch
from tests.contract._parts import latent

from tuwen.errors import ShapeError
from tuwen.layers import masked_max, masked_mean
from tuwen.space.projection import Config, some
from tuwen.types import Latent, Widths


def made(**option):
    torch.manual_seed(0)
    return replace(Config.tiny(), **option).build(Widths(12, 10)).eval()


@pytest.mark.parametrize(("pool", "of"), [("mean", masked_mean), ("max", masked_max)])
def test_the_pooled_vector_is_projected_from_the_real_tokens(pool, of):
    part, given = made(pool=pool), latent(3, masked=True)
    found = part(given)
    torch.testing.assert_close(found.pooled, part.pooled(of(found.tokens, given.mask)))


def test_the_encoders_own_vector_is_dropped_from_as_its_tokens_are():
    part, given = made(dropout=0.5).train(), latent(1)
    zeros = Latent(torch.ones(1, 10), given.tokens)
    kept = {round(part(zeros).pooled.detach().sum().item(), 4) for _ in range(8)}
    assert len(kept) > 1


def test_training_hides_tokens_and_use_does_not():
    part, given = made(hidden=0.5, pool="mean"), latent(2, tokens=200)
    assert torch.equal(part(given).pooled, part(given).pooled) and part(given).mask is None
    found = part.train()(given)
    assert found.mask.float().mean().item() == pytest.approx(0.5, abs=0.1)
    torch.testing.assert_close(found.pooled, part.pooled(masked_mean(found.tokens, found.mask)))


def test_what_is_not_real_stays_so_and_one_token_is_left():
    mask = torch.tensor([[True, True, False], [True, False, False], [False, False, False]])
    for _ in range(20):
        left = some(torch.zeros(3, 3, 2), mask, 0.99)
        assert not (left & ~mask).any() and left.any(1).tolist() == [True, True, False]


def test_without_a_width_tokens_stay_as_they_are():
    part, given = made(width=0), latent(3, masked=True)
    found = part(given)
    assert found.tokens is given.tokens and found.mask is given.mask
    assert {name.partition(".")[0] for name, _ in part.named_parameters()} == {"pooled", "log_scale", "bias"}
    torch.testing.assert_close(found.pooled, made(width=0)(replace(given, tokens=None, mask=None)).pooled)
    torch.testing.assert_close(made(width=0, embed=0)(given).pooled, masked_mean(given.tokens, given.mask))


def test_tokens_that_are_read_have_to_be_there():
    for settings in ({}, {"width": 0, "pool": "max"}, {"width": 0, "embed": 0}):
        with pytest.raises(ShapeError, match=r"reads tokens, and the encoder gave none\. Set width=0 and pool=encoder"):
            made(**settings)(replace(latent(1), tokens=None))


def test_the_scale_of_a_match_has_a_limit_and_can_come_down_again():
    """Above it the factor stays, and a gradient that asks for less is heard."""
    space = made()
    with torch.no_grad():
        space.log_scale.fill_(10.0)
    scale = space(latent(1)).scale
    assert scale.item() == pytest.approx(100**0.5, rel=1e-5)
    scale.backward()
    assert space.log_scale.grad.item() > 0
