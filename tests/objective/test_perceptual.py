"""Pictures compared in the eyes of a frozen network: by hand, seen as files are, what it leaves alone, and that it teaches."""

import numpy as np
import pytest
import torch
from tests import autoencoders, drawing, eight
from torch import nn

from tuwen.directory import save
from tuwen.errors import CannotError, ConfigError
from tuwen.judge._eyes import open_eye
from tuwen.objective import perceptual
from tuwen.objective.perceptual import Config, apart
from tuwen.train.guide import guide
from tuwen.types import Batch, Decoded, Made

PIXELS = torch.stack([torch.tensor(one.fields["image"]).permute(2, 0, 1) for one in eight.samples(16)]).float() / 255
BATCH = Batch(list("abcdefgh"), {})


def made(pixels, real=PIXELS):
    return Made(routes={"reconstruct": Decoded(pixels, real)})


@pytest.fixture(scope="module")
def sees(tmp_path_factory):
    path = tmp_path_factory.mktemp("sees") / "model"
    save(eight.classifier(), path)
    return str(path)


@pytest.fixture(scope="module")
def objective(sees):
    built = Config(source=sees).build()
    guide([built], torch.device("cpu"))
    return built


def term(objective, pixels, real=PIXELS):
    return objective(made(pixels, real), BATCH).values["perceptual"]


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_the_distance_of_grids_by_hand():
    """(3, 4) and (1, 0) made of length 1 are (0.6, 0.8) and (1, 0): 0.16 + 0.64; the other token is the same."""
    one, other = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 5.0]]])
    assert apart(one, other).item() == pytest.approx((0.8 + 0) / 2) == apart(other, one).item()
    assert apart(one, -one).item() == pytest.approx(4) and apart(one, 7 * one).item() == pytest.approx(0, abs=1e-6)


def test_it_is_the_distance_of_the_last_grids(objective, sees):
    model = eight.classifier()
    grids = [
        model.encoders["image"]((one * 255).round().to(torch.uint8), None).tokens for one in (PIXELS, PIXELS.roll(1, 0))
    ]
    assert term(objective, PIXELS.roll(1, 0)).item() == pytest.approx(apart(*grids).item(), abs=1e-4)
    assert term(objective, PIXELS).item() == pytest.approx(0, abs=1e-5)


# -- the network that is asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["classifier", "matcher", "autoencoder", "transformers"])
def test_pixels_are_seen_as_files_are_and_get_a_gradient(source, sees):
    if source == "transformers":
        pytest.importorskip("transformers", reason="the extra 'pretrained' is not installed")
        from tuwen.encode.image_pretrained import tiny_source

        path = tiny_source()
    else:
        path = {"classifier": sees, "matcher": eight.directory(), "autoencoder": autoencoders.directory()}[source]
    eye = open_eye(str(path))
    part = eye.model.encoders["image"] if source != "transformers" else eye.model
    noise = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    pixels = (torch.tensor(noise).permute(0, 3, 1, 2).float() / 255).requires_grad_()
    grid_PTD = eye.grid(pixels)
    with torch.no_grad():
        latent = part(*part.prepare(list(noise)))
    torch.testing.assert_close(grid_PTD, latent.tokens, atol=1e-4, rtol=1e-4)
    grid_PTD.square().sum().backward()
    assert pixels.grad.any()


def test_other_sizes_and_grey_are_made_to_fit(objective):
    for shape in ((2, 3, 40, 40), (2, 1, 16, 16), (2, 1, 9, 9)):
        pixels = torch.rand(shape, requires_grad=True)
        term(objective, pixels, torch.rand(shape)).backward()
        assert pixels.grad.any()


def test_the_network_is_frozen_and_no_part_of_the_objective(objective):
    pixels, real = torch.rand(8, 3, 16, 16, requires_grad=True), PIXELS.clone().requires_grad_()
    term(objective, pixels, real).backward()
    assert pixels.grad.any() and real.grad is None
    parts = objective.guide.model
    assert not parts.training and all(not p.requires_grad and p.grad is None for p in parts.parameters())
    assert not isinstance(objective, nn.Module)


def test_a_network_that_is_not_named_or_cannot_look_is_said_and_what_to_type(tmp_path):
    with pytest.raises(ConfigError) as caught:
        guide([Config().build()], torch.device("cpu"))
    assert str(caught.value) == (
        "objective.perceptual needs a model that reads pictures: `tuwen train DATA -o SEES -r classifier` makes one, "
        "--set objective.perceptual.source=SEES names it."
    )
    with pytest.raises(ConfigError, match="objective.perceptual /no/such: .* no folder '/no/such'.* a good one"):
        guide([Config(source="/no/such").build()], torch.device("cpu"))
    save(drawing.model(), tmp_path / "draws")
    with pytest.raises(CannotError, match="^objective.perceptual names a model that reads no pictures; it can: draw"):
        guide([Config(source=str(tmp_path / "draws")).build()], torch.device("cpu"))


# -- learning ----------------------------------------------------------------------------------------------------------


def distance(objective, weight, steps=40):
    """How far the eight are from what comes back of two numbers each, after learning with so much of the term."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(768, 2), nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 768), nn.Sigmoid(),
        nn.Unflatten(1, (3, 16, 16)),
    )  # fmt: skip
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        pixels = model(PIXELS)
        loss = 20 * (pixels - PIXELS).square().mean()
        if weight:
            loss = loss + weight * term(objective, pixels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    with torch.no_grad():
        return model(PIXELS)


def test_features_come_nearer_than_by_pixels_alone(objective, monkeypatch):
    """At equal steps; and not where the network is shown the pictures of others as what they should be."""
    with_it, without = (term(objective, distance(objective, weight)).item() for weight in (3.0, 0.0))
    assert with_it < 0.7 * without
    wrong = lambda one, other: apart(one, other.roll(1, 0))  # noqa: E731
    monkeypatch.setattr(perceptual, "apart", wrong)
    pixels = distance(objective, 3.0)
    monkeypatch.undo()
    assert term(objective, pixels).item() > without


def test_velocities_are_no_pictures(objective):
    flowing = Made(routes={"reconstruct": Decoded(PIXELS, PIXELS, says="velocity")})
    with pytest.raises(ConfigError, match="the route 'reconstruct' says the velocity of noise on its way to a picture"):
        objective(flowing, BATCH)
