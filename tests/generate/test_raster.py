"""Codes one after the other: drawn as often as they are probable, each picture by its own noise."""

from dataclasses import replace

import pytest
import torch
from tests.contract._parts import latent, survives_json

from tuwen.decode import image_codes
from tuwen.errors import ConfigError
from tuwen.generate.raster import Config, chosen
from tuwen.types import Widths


class Known:
    """Three codes; after a 2 comes a 0, else each is as probable as it says."""

    bos, share_K = 3, torch.tensor([0.2, 0.3, 0.5])

    def __init__(self):
        self.heard, self.guidance = [], None

    def start(self, latent, guidance=1.0, away=None):
        self.guidance, self.away = guidance, away
        return self

    def step(self, drawing, code_P):
        self.heard.append(code_P.tolist())
        only_0 = torch.tensor([0.0, float("-inf"), float("-inf")])
        return torch.where(code_P[:, None] == 2, only_0, self.share_K.log())


def draw(noise_PT, **settings):
    known = Known()
    return replace(Config(), **settings).build()(known, latent(len(noise_PT)), noise_PT), known


def test_by_hand():
    """Probabilities add up to 0.2, 0.5, 1."""
    drawn, known = draw(torch.tensor([[0.1, 0.9, 0.99], [0.2, 0.49, 0.0]]))
    assert drawn.tolist() == [[0, 2, 0], [1, 1, 0]]
    assert known.heard == [[3, 3], [0, 1], [2, 1]] and known.guidance == 3.0


def test_codes_come_as_often_as_they_are_probable():
    noise = torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    drawn, _ = draw(noise)
    torch.testing.assert_close(drawn.flatten().bincount() / 20_000, Known.share_K, atol=0.01, rtol=0)


def test_a_temperature_sharpens():
    noise = torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    drawn, _ = draw(noise, temperature=0.5)
    share_K = Known.share_K**2 / (Known.share_K**2).sum()
    torch.testing.assert_close(drawn.flatten().bincount() / 20_000, share_K, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("settings", "left"),
    [({"top_k": 1}, {2}), ({"top_k": 2}, {1, 2}), ({"top_p": 0.6}, {1, 2}), ({"min_p": 0.5}, {1, 2}), ({}, {0, 1, 2})],
)
def test_what_is_unlikely_may_be_left_out(settings, left):
    drawn, _ = draw(torch.linspace(0, 1 - 1e-6, 50)[:, None], **settings)
    assert set(drawn.flatten().tolist()) == left


def test_a_picture_does_not_depend_on_those_beside_it():
    noise = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    whole, _ = draw(noise)
    assert torch.equal(draw(noise[3:4])[0], whole[3:4])


def test_rounding_never_leads_to_what_may_not_come():
    logits_PK = torch.tensor([[0.0, float("-inf"), float("-inf")], [float("-inf"), 0.0, float("-inf")]])
    for noise in (0.0, 1.0):
        assert chosen(logits_PK, torch.full((2,), noise)).tolist() == [0, 1]


def test_codes_are_told():
    heard = []
    Config().build()(Known(), latent(2), torch.rand(2, 3), told=lambda done, of: heard.append((done, of)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_in_bfloat16_codes_are_nearly_as_probable():
    torch.manual_seed(0)
    decoder = image_codes.Config.tiny().build(Widths(12, 10)).eval()
    decoder.settle(8, (2, 3))
    noise = decoder.noise(64, torch.Generator().manual_seed(0))
    one, other = (Config(precision=kind).build()(decoder, latent(64), noise) for kind in ("float32", "bfloat16"))
    assert decoder.rounded().head is not None and (one == other).float().mean() > 0.9
    with pytest.raises(ConfigError, match="precision is 'half'; it is one of float32, bfloat16, auto"):
        Config(precision="half").build()


def test_config_survives_json():
    assert survives_json(Config(top_k=3, guidance=2.0), "generate")


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="generate.raster.temperature is 0; it is from 0.000001"):
        Config(temperature=0).build()
    with pytest.raises(ConfigError, match="generate.raster.guidance is -2; it is 0 or more"):
        Config(guidance=-2).build()
