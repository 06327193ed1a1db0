import pytest
import torch

from tuwen.decode.image_transformer import Config
from tuwen.errors import ConfigError, ShapeError
from tuwen.types import Latent, Widths


def test_a_query_draws_its_own_patch():
    """Only the bias of the last layer is left: every patch is the same, and its pixels lie as they are numbered."""
    part = Config(side=4, channels=1, patch=2, width=4, layers=1, heads=1, output="linear").build(Widths(6, 6)).eval()
    with torch.no_grad():
        part.pixels.weight.zero_()
        part.pixels.bias.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4]))
        drawn = part.make(Latent(torch.zeros(1, 6), torch.zeros(1, 3, 6)))[0, 0]
    torch.testing.assert_close(drawn, torch.tensor([[0.1, 0.2], [0.3, 0.4]]).repeat(2, 2))


def test_tokens_that_are_not_real_are_not_read():
    part = Config.tiny().build(Widths(6, 6)).eval()
    tokens, mask = torch.randn(1, 3, 6), torch.tensor([[True, True, False]])
    drawn = []
    for change in (None, 1, 2):
        other = tokens.clone()
        if change is not None:
            other[0, change] += 1
        with torch.no_grad():
            drawn.append(part.make(Latent(torch.zeros(1, 6), other, mask)))
    assert not torch.allclose(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])


def test_it_says_what_does_not_fit():
    with pytest.raises(ConfigError, match=r"side is 20, no multiple of patch=8\. Set side=16\."):
        Config(side=20).build(Widths(6, 6))
    with pytest.raises(ShapeError, match="reads tokens; its latent has none"):
        Config.tiny().build(Widths(6, 6)).make(Latent(torch.zeros(1, 6)))
