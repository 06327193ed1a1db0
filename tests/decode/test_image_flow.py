"""A flow learns to draw what a text says, tells it from other texts, and is steered by guidance."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import eight
from tests.contract._parts import latent
from tests.drawing import flow, flow_recipe

from tuwen import registry
from tuwen.decode.image_flow import Config, ImageFlow
from tuwen.errors import ConfigError
from tuwen.model import CrossModal
from tuwen.objective import diffusion
from tuwen.types import Feed, Widths

COLOURS = list(eight.COLOURS)


@pytest.fixture(scope="module")
def model():
    return flow()


def drawn_right(model, guidance=2.0) -> float:
    """The share of colours of which a picture is drawn that is nearer to it than to the others."""
    texts = [f"a {colour} picture" for colour in COLOURS]
    answers = model.draw(texts, guidance=guidance, steps=10)
    mean_K3 = torch.tensor([list(answer.pictures[0].reshape(-1, 3).mean(0)) for answer in answers])
    truth_K3 = torch.tensor([list(sample.fields["image"].reshape(-1, 3).mean(0)) for sample in eight.samples()])
    return float((torch.cdist(mean_K3, truth_K3).argmin(1) == torch.arange(len(COLOURS))).float().mean())


def test_it_draws_what_is_said(model):
    """Chance is 1 in 8."""
    assert drawn_right(model) >= 0.75
    assert drawn_right(model, guidance=0.0) <= 0.4  # as if nothing were said


def test_it_learns_nothing_from_texts_of_other_pictures():
    rows = eight.samples()
    moving = [
        type(row)(row.key, {**row.fields, "text": other.fields["text"]})
        for shift in (1, 2, 3, 5)
        for row, other in zip(rows, rows[shift:] + rows[:shift], strict=True)
    ]
    torch.manual_seed(0)
    assert drawn_right(eight.learn(CrossModal.create(flow_recipe(), rows), 60, moving)) <= 0.4


def test_seeds_decide(model):
    first, again, other = (model.draw("a red picture", steps=3, seed=seed).pictures[0] for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    four = model.draw("a red picture", num=4, steps=3, seed=1).pictures
    assert len(four) == 4 and abs(four[0].astype(int) - first.astype(int)).max() <= 1


def test_a_text_alone_is_drawn_as_beside_others(model):
    texts = ["a red picture", "this is blue", "a green picture"]
    together = model.draw(texts, steps=3)
    alone = [model.draw(text, steps=3) for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert abs(one.pictures[0].astype(int) - other.pictures[0].astype(int)).max() <= 1


def test_guidance_leads_away_from_saying_nothing():
    torch.manual_seed(0)
    part = Config.tiny().build(Widths(12, 10)).eval()
    given, x = latent(2, tokens=5), torch.randn(2, 3, 8, 8)
    with_text, without = (part.velocity(x, 0.3, given, guidance) for guidance in (1.0, 0.0))
    torch.testing.assert_close(
        part.velocity(x, 0.3, given, 2.5), without + 2.5 * (with_text - without), atol=1e-5, rtol=1e-4
    )
    other = latent(2, tokens=5, seed=9)
    torch.testing.assert_close(part.velocity(x, 0.3, other, 0.0), without)  # nothing is said either way


def test_the_loss_is_the_same_each_time_outside_training():
    torch.manual_seed(0)
    part = Config.tiny().build(Widths(12, 10)).eval()
    pixels, mask = part.prepare(Config.tiny().example(3))
    target = Feed(pixels, torch.arange(3), mask)
    first, again = (part(latent(3), target) for _ in range(2))
    assert torch.equal(first.prediction, again.prediction) and torch.equal(first.target, again.target)
    part.train()
    assert not torch.equal(part(latent(3), target).target, first.target)


def test_moments_are_spread_over_a_batch():
    part = replace(Config.tiny(), early=0.5).build(Widths(12, 10))
    t_P = part._moments(1000, torch.Generator().manual_seed(0), torch.device("cpu"), ends=False)
    assert t_P.min() > 0 and t_P.max() < 1
    logit_P = t_P.logit()
    assert logit_P.median().item() == pytest.approx(-0.5, abs=0.01)
    assert ((logit_P > -1.5) & (logit_P < 0.5)).float().mean().item() == pytest.approx(0.683, abs=0.01)  # one deviation


def test_a_side_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match=r"side is 30; patch 4 and 2 widths make a multiple of 8\. Set a side of 32"):
        Config(side=30).build(Widths(8, 8))
    with pytest.raises(ConfigError, match="no multiples of heads, 4"):
        Config(side=64, widths=(10,), patch=1).build(Widths(8, 8))


def test_settings_of_a_flow_are_refused_elsewhere(model):
    with pytest.raises(ConfigError, match=r"method is 'eular'\. Did you mean 'euler'"):
        model.draw("a red picture", method="eular")
    with pytest.raises(ConfigError, match="steps is 0; it is at least 1"):
        model.draw("a red picture", steps=0)


def test_a_line_between_two_texts_begins_with_one_noise(model):
    made = model.draw("a red picture", to="a red picture", num=3).pictures
    assert all(abs(one.astype(int) - made[0].astype(int)).max() <= 1 for one in made)
    other = model.draw("a red picture", num=3).pictures
    assert abs(other[2].astype(int) - other[0].astype(int)).max() > 1


def test_the_end_of_the_flow_is_the_picture():
    part = Config.tiny().build(Widths(12, 10))
    data, _ = part.prepare([np.arange(192, dtype=np.uint8).reshape(8, 8, 3), np.full((8, 8, 3), 255, np.uint8)])
    found = part.pictures(part.end(data))
    assert (np.stack(found).transpose(0, 3, 1, 2) == data.numpy()).all()


# -- along the cosine path, of noise ------------------------------------------------------------------------------


def noisy(says=None) -> ImageFlow:
    """A decoder on the cosine path; with `says`, the noise that a network that knows all would find, of pixels and shares."""
    torch.manual_seed(0)
    part = replace(Config.tiny(), path="cosine").build(Widths(12, 10)).eval()
    if says:
        part._asked = lambda x, t_P, latent, said_P: says(x, *part.shares(t_P[:, None, None, None]))
    return part


def begin(rows=4):
    return torch.randn(rows, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def walked(part, way, steps=40, guidance=1.0):
    walk = registry.get("generate", way).Config(steps=steps, guidance=guidance, guidance_until=1.0).build()
    return walk(part, latent(4, tokens=5), begin())


@pytest.mark.parametrize("path", ["straight", "cosine"])
def test_a_path_goes_from_noise_alone_to_pixels_alone(path):
    part = replace(Config.tiny(), path=path).build(Widths(12, 10))
    assert [float(share) for t in (0.0, 1.0) for share in part.shares(t)] == pytest.approx([0, 1, 1, 0], abs=1e-6)
    of_pixels, of_noise = part.shares(torch.linspace(0, 1, 11))
    assert (of_pixels.diff() > 0).all() and (of_noise.diff() < 0).all()
    variance = of_pixels**2 + of_noise**2
    assert torch.allclose(variance, torch.ones(11)) == (path == "cosine")


def test_what_is_learned_is_the_noise_of_the_mixture():
    """The mixture that the network sees, less the noise that it should say, is what there is of the pixels."""
    part, seen = noisy(), []
    part._asked = lambda x, t_P, latent, said_P: seen.append((x, t_P)) or x
    pixels, mask = part.prepare(Config.tiny().example(3))
    made = part(latent(3), Feed(pixels, torch.arange(3), mask))
    [(x, t_P)] = seen
    of_pixels, of_noise = part.shares(t_P[:, None, None, None])
    assert made.says == "noise" and made.target.std().item() == pytest.approx(1, abs=0.1)
    torch.testing.assert_close(x - of_noise * made.target, of_pixels * part.end(pixels))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("way", ImageFlow.ways)
def test_data_that_is_one_picture_is_what_comes_out(way, guidance):
    """All that is not that picture is noise."""
    point = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1
    part = noisy(lambda x, of_pixels, of_noise: (x - of_pixels * point) / of_noise)
    assert (walked(part, way, guidance=guidance) - point).abs().max() < 0.02


@pytest.mark.parametrize("way", ImageFlow.ways)
def test_normal_data_comes_out_as_wide_as_it_is(way):
    """Of pixels 0.2 wide, a share of_noise / (0.04 of_pixels^2 + of_noise^2) of all that is seen is noise; x ends at 0.2 x."""
    part = noisy(lambda x, of_pixels, of_noise: x * of_noise / (0.04 * of_pixels**2 + of_noise**2))
    errors = [(walked(part, way, steps) - 0.2 * begin()).abs().max().item() for steps in (20, 80)]
    assert errors[1] < errors[0] / 2 and errors[1] < (0.05 if way == "euler" else 0.02)


def test_there_is_a_velocity_at_both_ends():
    """Whatever the network says where there is nothing of the pixels, they are none that cannot be."""
    part = noisy(lambda x, of_pixels, of_noise: x - 5)
    for t in (0.0, 1.0):
        assert part.velocity(begin(), t, latent(4, tokens=5), 3.0).isfinite().all()
    torch.testing.assert_close(part.velocity(begin(), 0.0, latent(4, tokens=5)), torch.full((4, 3, 8, 8), math.pi / 2))


def test_a_diffusion_draws_what_is_said(monkeypatch):
    """Chance is 1 in 8; and it no longer does where the noise is taken for the velocity."""
    recipe, rows = flow_recipe(), eight.samples() * 6
    part = replace(recipe.decode["image"], side=4, widths=(32,), blocks=0, layers=2, path="cosine", times="uniform")
    recipe = replace(recipe, decode={"image": part}, objective={"flow": diffusion.Config()})
    model = eight.learn(CrossModal.create(recipe, eight.samples()), 100, rows)
    assert drawn_right(model) >= 0.75
    assert drawn_right(model, guidance=0.0) <= 0.4  # as if nothing were said
    monkeypatch.setattr(ImageFlow, "says", "velocity")
    assert drawn_right(model) <= 0.4


@pytest.mark.parametrize("settings", [{"blocks": 0}, {"blocks": -1, "widths": (32,)}])
def test_without_residual_blocks_there_is_one_grid(settings):
    with pytest.raises(ConfigError, match="blocks is 1 or more, or 0 with one width, as in widths=128 blocks=0"):
        Config(side=16, **settings).build(Widths(8, 8))
    part = Config(side=16, widths=(32,), blocks=0).build(Widths(8, 8))
    assert not any(len(stage) for stage in (*part.network.down, *part.network.up))
