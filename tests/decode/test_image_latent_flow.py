"""A flow of latents: it learns what a text says, its numbers are as far spread as the noise, and the way back is exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import codes, eight, latents
from tests.contract._parts import latent

import tuwen
from tuwen.decode.image_latent_flow import Config
from tuwen.directory import save
from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.model import CrossModal
from tuwen.types import Feed, Latent, Widths

TEXTS = [f"a {colour} picture" for colour in eight.COLOURS]
RIGHT = np.zeros((16, 16), np.uint8)
RIGHT[:, 10:] = 255
"""A hole that begins inside a cell of four pixels."""


def share_right(pictures) -> float:
    """The share of colours whose picture is nearer to it than to the others."""
    mean_K3 = torch.tensor([list(one.reshape(-1, 3).mean(0)) for one in pictures]).float()
    truth_K3 = torch.tensor([list(map(float, rgb)) for rgb in eight.COLOURS.values()])
    return float((torch.cdist(mean_K3, truth_K3).argmin(1) == torch.arange(len(truth_K3))).float().mean())


def drawn(model, **options):
    return [answer.pictures[0] for answer in model.draw(TEXTS, **options)]


def part(**changes):
    torch.manual_seed(0)
    made = replace(Config.tiny(), **changes).build(Widths(12, 10))
    made.fit(Config.example(1))
    return made


def feed(made, rows, scale=1.0, shift=0.0):
    data, mask = made.prepare([replace(one, tokens=one.tokens * scale + shift) for one in Config.example(rows)])
    return Feed(data, torch.arange(rows), mask)


# -- learning ----------------------------------------------------------------------------------------------------------


def test_it_draws_what_is_said(tmp_path):
    """Chance is 1 in 8. As if nothing were said all are alike; a loaded model draws the same."""
    model = latents.model()
    assert share_right(drawn(model)) >= 0.75
    assert share_right(drawn(model, guidance=0.0)) <= 0.25
    save(model, tmp_path / "model")
    for one, other in zip(drawn(model), drawn(tuwen.load(tmp_path / "model")), strict=True):
        assert (one == other).all()


def test_without_what_pictures_are_it_learns_nothing():
    """Latents of other pictures than those that the texts are of."""
    rows = eight.samples(16)
    wrong = [
        replace(row, fields={**row.fields, "image": rows[(place * 3 + 1) % 8].fields["image"]})
        for place, row in enumerate(rows)
    ]
    made = CrossModal.create(latents.recipe(), rows)
    made.load_state_dict(latents.model().state_dict())
    codes.learn_stage(made, 1, 200, wrong)
    assert share_right(drawn(made)) <= 0.25


def test_it_makes_again_what_it_is_given():
    model = latents.model()
    assert share_right([model.reconstruct(one.fields["image"]).made for one in eight.samples(16)]) >= 0.9


# -- near a picture ----------------------------------------------------------------------------------------------------


def test_near_a_picture_it_stays_the_same_or_becomes_another():
    model, pictures = latents.model(), [one.fields["image"] for one in eight.samples(16)]
    weak = [model.draw(like=one, strength=0.1).pictures[0] for one in pictures]
    assert share_right(weak) >= 0.75
    strong = [model.draw("a red picture", like=one, strength=1.0).pictures[0] for one in pictures]
    assert share_right(strong) <= 0.25


def test_what_stays_beside_a_hole_is_the_same_to_the_bit():
    like = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    [made] = latents.model().draw("a red picture", like=like, mask=RIGHT).pictures
    assert (made[:, :10] == like[:, :10]).all()
    assert (made[:, 10:] != like[:, 10:]).any()


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(DataError, match="the mask is 8 x 16 pixels and the picture 16 x 16; they are of one shape"):
        latents.model().draw("a red picture", like=np.zeros((16, 16, 3), np.uint8), mask=RIGHT[:, 8:])


# -- the numbers -------------------------------------------------------------------------------------------------------


def test_each_channel_is_as_far_spread_as_the_noise():
    made, target = part().train(), None
    target = feed(made, 64, scale=5.0, shift=3.0)
    made(latent(64), target)
    end = made.end(target.data)
    torch.testing.assert_close(end.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(end.std((0, 2, 3), correction=0), torch.ones(3))


def test_the_first_batch_of_training_decides_and_no_other():
    made = part()
    made.eval()(latent(4), feed(made, 4, scale=5.0))
    assert not made.begun and (made.deviation_C11 == 1).all()
    made.train()(latent(4), feed(made, 4, scale=5.0))
    found = made.deviation_C11.clone()
    assert (found > 3).all()
    made(latent(4), feed(made, 4))
    assert torch.equal(made.deviation_C11, found)


def test_channels_that_are_always_the_same_are_no_division_by_zero():
    made = part().train()
    decoded = made(latent(4), feed(made, 4, scale=0.0))
    assert decoded.prediction.isfinite().all() and decoded.target.isfinite().all()


def test_the_way_back_is_what_was_prepared():
    made = part().train()
    target = feed(made, 4, scale=5.0, shift=3.0)
    made(latent(4), target)
    end = made.end(target.data)
    torch.testing.assert_close(torch.from_numpy(made.data(end)).float(), target.data, atol=0.02, rtol=1e-3)
    back = made.turned_back(end, None)
    torch.testing.assert_close(made.prepare([back])[0], target.data)
    assert back.grid == (4, 4) and back.pooled.shape == (4, 3)


@pytest.mark.parametrize("grid", [None, (2, 8), (16,)])
def test_latents_that_are_no_square_grid_are_refused(grid):
    one = Latent(torch.zeros(1, 3), torch.zeros(1, 16, 3), grid=grid)
    with pytest.raises(ConfigError, match=r"draws latents that are a square grid.*set space.image=gaussian_tokens"):
        Config.tiny().build(Widths(12, 10)).fit([one])


def test_a_grid_that_does_not_halve_is_refused():
    with pytest.raises(ConfigError, match=r"side is 4; patch 1 and 4 widths make a multiple of 8\."):
        part(widths=(8, 8, 8, 8))


def test_along_the_path_of_diffusion():
    made = part(path="cosine").train()
    assert made(latent(4), feed(made, 4)).says == "noise"
    velocity = made.velocity(made.noise(2, torch.Generator().manual_seed(0)), 0.0, latent(2))
    assert velocity.isfinite().all()


def test_decoders_at_the_wrong_place_are_refused():
    for setting, said in (
        (
            "decode.image@latent=image_flow",
            "decode.image_flow makes 'image' itself; what its space has of it is drawn by",
        ),
        (
            "decode.image=image_latent_flow",
            "draws what a space has of a field, such as image@codes, and not 'image' itself",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            CrossModal.create(latents.recipe().with_setting(setting), eight.samples(16))


def test_an_encoder_of_another_size_is_told_what_fits():
    """8 x 8 cells where the decoder makes 16 pixels of 4 x 4."""
    model = CrossModal.create(latents.recipe().with_setting("encode.image.size=32"), eight.samples(16))
    with pytest.raises(
        ShapeError, match=r"it got a grid of \(8, 8\)\. Give .* as many stages and pixels, set side=32, or"
    ):
        model(model.batch(eight.samples(16), targets=True))
