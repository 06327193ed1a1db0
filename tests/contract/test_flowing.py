"""Every way of following a flow keeps this contract, on flows whose end is known."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from tests.contract._parts import latent, made_by, survives_json

from tuwen import registry
from tuwen.decode import image_flow
from tuwen.errors import ConfigError
from tuwen.generate._flowing import Flowing, Kept, Like, _back
from tuwen.types import Latent, Widths

NAMES = made_by("generate", Flowing)


class Known:
    """A flow whose velocity is a formula of the pixels and the moment."""

    shares = image_flow.ImageFlow.shares

    def __init__(self, formula, path="straight"):
        self.formula, self.asked, self.config = formula, [], image_flow.Config(path=path)

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
    replace(config, steps=4, guidance=2.5, guidance_until=1.0).build()(flow, latent(3), noise())
    moments = [t for t, _ in flow.asked]
    assert moments[0] == 0 and moments == sorted(moments) and max(moments) <= 1
    assert {guidance for _, guidance in flow.asked} == {2.5}


def test_guidance_leads_for_the_first_part_of_the_way(config):
    flow = Known(lambda x, t: x)
    replace(config, steps=4, guidance=2.5, guidance_until=0.5).build()(flow, latent(3), noise())
    assert all(guidance == (2.5 if t < 0.5 else 1.0) for t, guidance in flow.asked if t != 0.5)
    assert len({guidance for _, guidance in flow.asked}) == 2


def test_guidance_may_begin_later(config):
    flow = Known(lambda x, t: x)
    asked = replace(config, steps=8, guidance=2.5, guidance_from=0.25, guidance_until=0.75)
    asked.build()(flow, latent(3), noise())
    assert all(guidance == (2.5 if 0.25 <= t < 0.75 else 1.0) for t, guidance in flow.asked if t not in (0.25, 0.75))
    assert len({guidance for _, guidance in flow.asked}) == 2


def test_no_step_goes_on_from_one_that_was_guided_otherwise(config):
    """A velocity that is the guidance itself: half of the way at 4 and half at 1 lead to 2.5, in any number of steps."""

    class Led(Known):
        def velocity(self, x_PCHW, t, latent, guidance=1.0):
            return torch.full_like(x_PCHW, guidance)

    for steps, begin, until in ((4, 0.0, 0.5), (20, 0.25, 0.75)):
        asked = replace(config, steps=steps, guidance=4.0, guidance_from=begin, guidance_until=until)
        torch.testing.assert_close(asked.build()(Led(None), latent(3), noise()), noise() + 2.5)


@pytest.mark.parametrize("begin", [0.0, 0.25])
@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0, 2.5])
def test_looks_at_the_network_are_counted(config, guidance, begin):
    """Guidance but 0 and 1 takes two. The last step of heun is a look short."""
    flow = Known(lambda x, t: x)
    asked = replace(config, steps=20, guidance=guidance, guidance_from=begin, guidance_until=0.5)
    asked.build()(flow, latent(3), noise())
    looks = sum(1 if led in (0, 1) else 2 for _, led in flow.asked)
    assert asked.looks * 20 == pytest.approx(looks, abs=2)


def test_where_nothing_is_said_it_is_so_all_the_way(config):
    flow = Known(lambda x, t: x)
    replace(config, steps=4, guidance=0.0, guidance_until=0.5).build()(flow, latent(3), noise())
    assert {guidance for _, guidance in flow.asked} == {0.0}


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
    with pytest.raises(ConfigError, match="guidance_until is 2.0; it is from 0 to 1"):
        replace(config, guidance_until=2.0).build()
    with pytest.raises(
        ConfigError, match=r"guidance_from is 0.6; it is from 0 to guidance_until, 0.5; set guidance_from=0"
    ):
        replace(config, guidance_from=0.6, guidance_until=0.5).build()


# -- near a picture, and away from a text -------------------------------------------------------------------------


def picture(rows=3):
    return torch.rand(rows, 2, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1


def halves():
    """The left half is kept."""
    return torch.arange(4).expand(1, 1, 4, 4) < 2


@pytest.mark.parametrize(
    ("path", "shares"), [("straight", (0.7, 0.3)), ("cosine", (math.sin(0.35 * math.pi), math.cos(0.35 * math.pi)))]
)
def test_near_a_picture_it_begins_on_the_way_with_steps_as_long(config, path, shares):
    flow = Known(lambda x, t: torch.zeros_like(x), path)
    walk = replace(config, steps=10).build()
    made = walk(flow, latent(3), noise(), like=Like(picture(), 0.3))
    torch.testing.assert_close(made, shares[0] * picture() + shares[1] * noise())
    moments = sorted({round(t, 6) for t, _ in flow.asked})
    assert moments[0] == pytest.approx(0.7) and max(moments) <= 1.001 and walk.steps(0.7) == 3
    assert all(b - a == pytest.approx(0.1) for a, b in pairwise(moments))


def test_all_of_the_way_is_the_way_without_a_picture(config):
    walk, flow = config.build(), Known(lambda x, t: t - x)
    torch.testing.assert_close(
        walk(flow, latent(3), noise(), like=Like(picture(), 1.0)), walk(flow, latent(3), noise())
    )


@pytest.mark.parametrize("path", ["straight", "cosine"])
@pytest.mark.parametrize("strength", [1.0, 0.55])
def test_what_is_kept_ends_as_it_is(config, strength, path):
    again = torch.Generator().manual_seed(2)
    kept = Kept(halves(), lambda: torch.randn(3, 2, 4, 4, generator=again))
    walk = replace(config, steps=9).build()
    made = walk(Known(lambda x, t: t - x, path), latent(3), noise(), like=Like(picture(), strength, kept))
    torch.testing.assert_close(made[..., :2], picture()[..., :2])
    assert (made[..., 2:] - picture()[..., 2:]).abs().max() > 0.1


def test_beside_what_is_kept_each_step_is_made_twice(config):
    """But for the first, which begins with noise alone; the second time with other noise."""
    calls, flow, plain = [], Known(lambda x, t: t - x), Known(lambda x, t: t - x)
    kept = Kept(halves(), lambda: calls.append(0) or torch.zeros(3, 2, 4, 4))
    walk = replace(config, steps=4).build()
    walk(flow, latent(3), noise(), like=Like(picture(), 1.0, kept))
    walk(plain, latent(3), noise())
    first = 2 if type(config).__module__.endswith("heun") else 1
    assert len(calls) == 3 and len(flow.asked) == 2 * len(plain.asked) - first


@pytest.mark.parametrize("path", ["straight", "cosine"])
def test_a_step_back_is_as_wide_as_the_mixture_at_its_moment(path):
    """From moment 0.75 to 0.5 of a picture that is 1 everywhere: as much of it and of noise as at 0.5, however it came there."""
    random, flow = torch.Generator().manual_seed(0), Known(None, path)
    here, there = (tuple(map(float, flow.shares(t))) for t in (0.5, 0.75))
    fresh, ahead = torch.randn(2, 200, 200, generator=random)
    found = _back(there[0] + there[1] * ahead, here, there, fresh)
    assert found.mean().item() == pytest.approx(here[0], abs=0.01)
    assert found.std().item() == pytest.approx(here[1], abs=0.01)


class Said(Known):
    """A flow that goes where the latent says."""

    def velocity(self, x_PCHW, t, latent, guidance=1.0):
        self.asked.append((t, guidance))
        return latent.pooled[:, :1, None, None].expand_as(x_PCHW)


def test_guidance_leads_away_from_another_text(config):
    """One text leads to 2, the other to 1: with guidance 3 to 1 + 3 * (2 - 1) = 4."""
    two, one = (Latent(torch.full((3, 1), value)) for value in (2.0, 1.0))
    flow = Said(None)
    made = replace(config, guidance=3.0, guidance_until=1.0).build()(flow, two, noise(), away=one)
    torch.testing.assert_close(made, noise() + 4)
    assert {guidance for _, guidance in flow.asked} == {1.0}


# -- precision and cores -----------------------------------------------------------------------------------------------


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_in_bfloat16_pictures_are_nearly_the_same(config):
    torch.manual_seed(0)
    flow = image_flow.Config.tiny().build(Widths(12, 10)).eval()
    begin = flow.noise(3, torch.Generator().manual_seed(0))
    one, other = (replace(config, precision=kind).build()(flow, latent(3), begin) for kind in ("float32", "bfloat16"))
    assert 0 < (one - other).abs().max() < 0.1 and other.dtype == torch.float32
    with pytest.raises(ConfigError, match="precision is 'half'; it is one of float32, bfloat16, auto"):
        replace(config, precision="half").build()


def test_pictures_shared_out_among_threads_are_the_same(config, two_threads):
    flow, told = Known(lambda x, t: t - x), []
    made = config.build()(flow, latent(9), noise(9), told=lambda *done: told.append(done))
    assert told == [(step, config.steps) for step in range(1, config.steps + 1)]
    assert len({t for t, _ in flow.asked}) * 2 <= len(flow.asked)  # both threads looked
    torch.set_num_threads(1)
    torch.testing.assert_close(made, config.build()(flow, latent(9), noise(9)))


def test_a_walk_that_is_stopped_ends_in_all_threads(config, two_threads):
    flow = Known(lambda x, t: t - x)

    def stop(step, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(config, steps=10_000).build()(flow, latent(9), noise(9), told=stop)
    assert len(flow.asked) < 20_000
