import pytest
import torch

from tuwen.encode.image_vit import Config, _patches
from tuwen.errors import ConfigError


def test_patches_are_cut_row_by_row():
    # the pixel (y, x) has the value 10 y + x, so a patch of 2 begins at 0, 2, 20, 22
    pixel = 10 * torch.arange(4.0)[:, None] + torch.arange(4.0)
    patches = _patches(pixel.expand(1, 3, 4, 4), 2)
    assert patches.shape == (1, 4, 12)
    assert patches[0, :, 0].tolist() == [0, 2, 20, 22]
    assert patches[0, 0].unique().tolist() == [0, 1, 10, 11]


def test_the_grid_is_that_of_the_patches():
    latent = Config.tiny().build()(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    assert latent.grid == (2, 2) and latent.tokens.shape == (1, 4, 16)
    torch.testing.assert_close(latent.pooled, latent.tokens.mean(1))


def test_a_size_that_does_not_divide_names_the_nearest():
    with pytest.raises(ConfigError, match=r"size 60 is no multiple of patch 8\. Set size=64\."):
        Config(size=60).build()


def test_a_width_that_does_not_divide_names_the_nearest():
    with pytest.raises(ConfigError, match=r"width 100 is no multiple of heads 3\. Set width=99\."):
        Config(width=100).build()
