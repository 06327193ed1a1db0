"""What a critic sees: the text, the nearest picture beside, and nothing of the others."""

import pytest
import torch

from tuwen.objective._critic import Critic, PatchCritic

TEXTS = torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.1], [5.0, 0.0, 0.0], [5.0, 0.1, 0.0]])
"""The first two are near each other, and so are the last two."""


@pytest.fixture(params=[False, True], ids=["plain", "spectral"])
def critic(request):
    torch.manual_seed(0)
    return Critic(torch.Size((3, 8, 8)), 3, widths=(4, 8), features=6, spectral=request.param).eval()


def pictures(num=4):
    return torch.randn(num, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_picture_is_seen_beside_that_of_the_nearest_text_only(critic):
    before = critic(pictures(), TEXTS)
    other = pictures()
    other[1] += 1
    moved = (critic(other, TEXTS) - before).abs() > 1e-6
    assert moved.tolist() == [True, True, False, False]


def test_one_alone_can_be_judged(critic):
    assert critic(pictures(1), TEXTS[:1]).shape == (1,)


def test_the_same_picture_again_stands_at_no_distance(critic):
    same = pictures()[:1].expand(4, -1, -1, -1)
    linear = critic.whole[0]
    with torch.no_grad():
        seen = critic.layers(same[:1]).flatten(1)
        wanted = torch.nn.functional.leaky_relu(
            seen @ linear.weight[:, :-8].T + linear.bias, 0.2
        )  # the last 8 numbers, a channel each, are 0
        torch.testing.assert_close(critic.look(same, TEXTS), wanted.expand(4, -1))


def test_the_score_is_how_real_it_is_and_its_product_with_the_text(critic):
    seen = torch.randn(4, 6)
    given = torch.nn.functional.layer_norm(TEXTS, (3,)) @ critic.fits.weight.T
    wanted = seen @ critic.real.weight[0] + critic.real.bias + (seen * given).sum(1) / 6**0.5
    torch.testing.assert_close(critic.score(seen, TEXTS), wanted)


def test_spectral_layers_stretch_nothing():
    torch.manual_seed(0)
    critic = Critic(torch.Size((3, 8, 8)), 3, widths=(4, 8), features=6, spectral=True).train()
    for _ in range(30):
        critic(pictures(), TEXTS)
    for name, weight in (("whole", critic.whole[0].weight), ("real", critic.real.weight), ("fits", critic.fits.weight)):
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1.0, abs=0.02), name


# -- patches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("widths", "patch"), [((4,), 4), ((4, 4), 10), ((4, 4, 4), 22)])
def test_a_patch_is_as_wide_as_is_said(widths, patch):
    """Which pixels move the score in the middle."""
    torch.manual_seed(0)
    critic = PatchCritic(1, widths=widths, spectral=False)
    pixels = torch.randn(1, 1, 64, 64, requires_grad=True)
    score = critic(pixels, torch.zeros(1, 0)).unflatten(1, (64 // 2 ** len(widths),) * 2)
    score[0, score.shape[1] // 2, score.shape[2] // 2].backward()
    seen = pixels.grad[0, 0] != 0
    assert seen.any(0).sum() == seen.any(1).sum() == patch


@pytest.mark.parametrize("spectral", [False, True])
def test_patches_of_a_moved_picture_are_judged_as_before(spectral):
    torch.manual_seed(0)
    critic = PatchCritic(3, widths=(4, 8), spectral=spectral).eval()
    pixels = torch.zeros(1, 3, 32, 32)
    pixels[..., 8:16, 8:16] = torch.randn(3, 8, 8)
    grids = [critic(one, torch.zeros(1, 0)).unflatten(1, (8, 8)) for one in (pixels, pixels.roll((4, 8), (2, 3)))]
    torch.testing.assert_close(grids[0].roll((1, 2), (1, 2))[:, 2:-1, 3:-1], grids[1][:, 2:-1, 3:-1])
