import pytest
import torch

from tuwen.encode.image_cnn import Config
from tuwen.errors import ConfigError


def test_the_default_gives_an_8_by_8_grid():
    part = Config().build()
    latent = part(torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    assert latent.grid == (8, 8)
    assert latent.tokens.shape == (2, 64, 128)


def test_a_spot_moves_the_token_of_its_place_most():
    torch.manual_seed(0)
    part = Config().build().eval()
    grey = torch.full((1, 3, 64, 64), 127, dtype=torch.uint8)
    spot = grey.clone()
    spot[:, :, 4:8, 52:56] = 255  # row 0, column 6 of the grid
    moved = (part(spot).tokens - part(grey).tokens).norm(dim=-1).view(8, 8)
    row, column = divmod(int(moved.argmax()), 8)
    assert row <= 1 and 5 <= column <= 7


def test_equal_patches_have_different_tokens_because_they_know_their_place():
    # so far from the border that its zeros do not reach: only the place can tell the two apart
    part = Config(size=192).build().eval()
    tokens = part(torch.full((1, 3, 192, 192), 127, dtype=torch.uint8)).tokens[0].view(24, 24, -1)
    with torch.no_grad():
        part.position.zero_()
    bare = part(torch.full((1, 3, 192, 192), 127, dtype=torch.uint8)).tokens[0].view(24, 24, -1)
    assert (bare[11, 11] - bare[12, 12]).norm() < 1e-4
    assert (tokens[11, 11] - tokens[12, 12]).norm() > 0.1


def test_pictures_stay_bytes_until_the_model_has_them():
    data, mask = Config.tiny().build().prepare(Config.tiny().example(2))
    assert data.dtype == torch.uint8 and data.shape == (2, 3, 16, 16) and mask is None


def test_the_convolutions_see_channels_last():
    part = Config.tiny().build()
    seen = []
    for module in part.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    part(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))
    assert seen and all(x.is_contiguous(memory_format=torch.channels_last) for x in seen)


def test_a_size_that_does_not_divide_names_the_nearest():
    with pytest.raises(ConfigError, match=r"size is 62; 2 stages take a multiple of 8\. Set size=64\."):
        Config(size=62).build()


def test_widths_and_blocks_have_one_number_a_stage():
    with pytest.raises(ConfigError, match=r"widths has 3 stages and blocks 2; give both as many numbers\."):
        Config(widths=(8, 16, 32)).build()
