"""Every way of following a flow keeps this contract, on flows whose end is known."""

import math
from dataclasses import replace

import pytest
import torch
from tests.contract._parts import latent, made_by, survives_json

from tuwen import registry
from tuwen.errors import ConfigError
from tuwen.generate._flowing import Flowing

NAMES = made_by("generate", Flowing)


class Known:
    """A flow whose velocity is a formula of the pixels and the moment."""

    def __init__(self, formula):
        self.formula, self.asked = formula, []

    def velocity(self, x_PCHW, t, latent, guidance=1.0):
        self.asked.append((t, guidance))
        return self.formula(x_PCHW, t)


@pytest.fixture(params=NAMES)
def config(request):
    return registry.get("generate", request.param).Config.tiny()


def noise(rows=3):
    return torch.randn(rows, 2, 4, 4, generator=torch.Generator().manual_seed(0))


def end(config, formula, **settings):
    return replace(config, **settings).build()(Known(formula), latent(3), noise())


def test_a_straight_way_ends_where_it_leads_in_any_number_of_steps(config):
    for steps in (1, 2, 7):
        torch.testing.assert_close(end(config, lambda x, t: torch.ones_like(x) * 2, steps=steps), noise() + 2)


def test_shorter_steps_come_closer(config):
    """x' = t - x ends at (x + 1) / e; the error of euler falls by 2 with twice the steps, of the others by 4."""
    truth = (noise() + 1) / math.e
    errors = [(end(config, lambda x, t: t - x, steps=steps) - truth).abs().max().item() for steps in (16, 32)]
    order = 1 if type(config).__module__.endswith("euler") else 2
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.15)
    assert errors[1] < (0.03 if order == 1 else 0.001)


def test_moments_go_from_0_to_1_and_guidance_is_passed_on(config):
    flow = Known(lambda x, t: x)
    replace(config, steps=4, guidance=2.5).build()(flow, latent(3), noise())
    moments = [t for t, _ in flow.asked]
    assert moments[0] == 0 and moments == sorted(moments) and max(moments) <= 1
    assert {guidance for _, guidance in flow.asked} == {2.5}


def test_steps_are_told(config):
    heard = []
    config.build()(Known(lambda x, t: x), latent(3), noise(), told=lambda done, of: heard.append((done, of)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_a_picture_does_not_depend_on_those_beside_it(config):
    walk, flow = config.build(), Known(lambda x, t: t - x)
    whole = walk(flow, latent(3), noise())
    torch.testing.assert_close(walk(flow, latent(1), noise()[1:2]), whole[1:2])


def test_config_survives_json(config):
    assert survives_json(config, "generate")


def test_what_cannot_be_is_refused(config):
    with pytest.raises(ConfigError, match="steps is 0; it is at least 1, for example steps=20"):
        replace(config, steps=0).build()
    with pytest.raises(ConfigError, match="guidance is -1.0; it is 0 or more"):
        replace(config, guidance=-1.0).build()
