"""Pictures compared: by hand, and with the formula of structural similarity written out place by place."""

import math

import numpy as np
import pytest
import torch

from tuwen.errors import DataError, ShapeError
from tuwen.metric.reconstruction import Config, errors, ssim


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_by_hand():
    """Half of the pixels differ by 0.2: mse 0.02, mae 0.1, psnr 10 log10(1 / 0.02) = 16.99 dB."""
    target = torch.full((1, 1, 16, 16), 0.5)
    made = target.clone()
    made[..., :8] += 0.2
    found = Config().build()
    found.update(made, target)
    result = found.result()
    assert result["mse"] == pytest.approx(0.02) and result["mae"] == pytest.approx(0.1)
    assert result["psnr"] == pytest.approx(-10 * math.log10(0.02), rel=1e-5)


def test_equal_pictures():
    picture = random(2, 3, 16, 16)
    found = errors(picture, picture)
    assert (found["psnr"] == 100).all() and torch.allclose(found["ssim"], torch.ones(2))


def reference(a, b):
    """Wang et al. 2004, eq. 13, in a window of 11 x 11 normal weights at every place where it fits, in float64."""
    place = np.arange(11) - 5.0
    weight = np.exp(-(place**2) / (2 * 1.5**2))
    weight = np.outer(weight, weight) / weight.sum() ** 2
    values = []
    for top in range(a.shape[0] - 10):
        for left in range(a.shape[1] - 10):
            x, y = (one[top : top + 11, left : left + 11] for one in (a, b))
            mx, my = (weight * x).sum(), (weight * y).sum()
            vx, vy, both = (
                (weight * (x - mx) ** 2).sum(),
                (weight * (y - my) ** 2).sum(),
                (weight * (x - mx) * (y - my)).sum(),
            )
            c1, c2 = 0.01**2, 0.03**2
            values.append((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return np.mean(values)


@pytest.mark.parametrize("mix", [0.0, 0.5, 0.9])
def test_similarity_is_the_formula(mix):
    a = random(1, 1, 20, 17)
    b = mix * a + (1 - mix) * random(1, 1, 20, 17, seed=1)
    wanted = reference(a[0, 0].double().numpy(), b[0, 0].double().numpy())
    assert ssim(a, b).item() == pytest.approx(wanted, abs=2e-5)


def test_of_two_plain_pictures_only_their_brightness_counts():
    """(2 * 0.5 * 0.25 + C1) / (0.5^2 + 0.25^2 + C1) with C1 = 0.0001: 0.8001."""
    plain = torch.full((1, 1, 12, 12), 0.5)
    assert ssim(plain, plain / 2).item() == pytest.approx((0.25 + 1e-4) / (0.3125 + 1e-4), rel=1e-3)


def test_similarity_is_symmetric_and_falls_with_noise():
    a, noise = random(4, 3, 16, 16), random(4, 3, 16, 16, seed=2)
    torch.testing.assert_close(ssim(a, noise), ssim(noise, a))
    assert (ssim(a, 0.9 * a + 0.1 * noise) > ssim(a, 0.5 * a + 0.5 * noise)).all()


def test_small_pictures_have_a_small_window():
    assert ssim(random(1, 1, 6, 5), random(1, 1, 6, 5)).item() == pytest.approx(1, abs=1e-5)


def test_pictures_are_counted_one_by_one():
    a, b = random(3, 1, 12, 12), random(3, 1, 12, 12, seed=1)
    whole, parts = Config().build(), Config().build()
    whole.update(a, b)
    for row in range(3):
        parts.update(a[row : row + 1], b[row : row + 1])
    assert parts.per_item()["ssim"] == pytest.approx(whole.per_item()["ssim"], abs=1e-5)
    assert len(whole.per_item()["mse"]) == 3


def test_two_sizes_are_refused():
    with pytest.raises(
        ShapeError, match=r"pictures of \(1, 1, 8, 8\) and \(1, 3, 8, 8\) are compared; give two of the same"
    ):
        errors(random(1, 1, 8, 8), random(1, 3, 8, 8))


def test_pictures_of_0_to_255_are_refused():
    whole = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    for pair in ((whole, whole), (random(1, 3, 8, 8), whole)):
        with pytest.raises(
            DataError, match=r"pictures of torch.uint8 are compared; give 0 to 1: pictures.float\(\) / 255"
        ):
            errors(*pair)


def test_nothing_to_compare():
    with pytest.raises(DataError, match="no pictures to compare; call update"):
        Config().build().result()


def test_in_a_run_of_bfloat16_the_errors_are_those_of_float32():
    a, b = torch.rand(2, 3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    wanted = errors(a, b)
    with torch.autocast("cpu", torch.bfloat16):
        found = errors(a, b)
    assert all(found[name].dtype == torch.float32 and torch.equal(found[name], wanted[name]) for name in wanted)
