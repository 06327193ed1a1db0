"""Pictures changed at random: each change by what it must leave as it is, and gradients that pass."""

import pytest
import torch

from tuwen.objective._augment import changed

PICTURES = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_nothing_is_changed_where_nothing_is_asked():
    assert torch.equal(changed(PICTURES, ()), PICTURES)


@pytest.mark.parametrize("change", ["colour", "translation", "cutout"])
def test_each_picture_is_changed_in_its_own_way_and_gradients_pass(change):
    pixels = PICTURES[:1].expand(64, -1, -1, -1).clone().requires_grad_()
    made = changed(pixels, (change,))
    assert made.shape == pixels.shape and len(made.detach().flatten(1).unique(dim=0)) > 20
    made.sum().backward()
    assert pixels.grad.any()


def test_moved_pictures_keep_what_stays_in_sight():
    """By up to an eighth of 16, two pixels each way: the middle of each is found again somewhere near."""
    shifts = set()
    for before, after in zip(PICTURES, changed(PICTURES, ("translation",)), strict=True):
        found = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if torch.equal(after[:, 4 + y : 12 + y, 4 + x : 12 + x], before[:, 4:12, 4:12])
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert {y for y, _ in shifts} == {x for _, x in shifts} == {-2, -1, 0, 1, 2}


def test_a_cut_is_at_most_half_a_side_wide():
    gone = (changed(PICTURES + 2, ("cutout",)) == 0).all(1)
    sides = torch.stack([gone.any(2).sum(1), gone.any(1).sum(1)])
    assert sides.max() == 8 and sides.min() == 4, "cut off where it hangs over the edge"


def test_light_saturation_and_contrast():
    """What is grey stays grey; the light moves by up to a half."""
    grey = torch.full((200, 3, 4, 4), 0.2)
    made = changed(grey, ("colour",))
    assert torch.allclose(made, made[:, :1, :1, :1].expand_as(made), atol=1e-6)
    moved = made[:, 0, 0, 0] - 0.2
    assert -0.5 <= moved.min() < -0.4 and 0.4 < moved.max() <= 0.5


def test_the_same_seed_changes_alike():
    first = changed(PICTURES, ("colour", "translation", "cutout"))
    torch.manual_seed(0)
    assert torch.equal(first, changed(PICTURES, ("colour", "translation", "cutout")))
