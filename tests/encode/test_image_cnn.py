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


def test_pictures_are_moved_in_training_only():
    torch.manual_seed(0)
    part = Config(size=16, stem=8, widths=(8, 16), flip=True, shift=4).build()
    data, _ = part.prepare(part.config.example(1))
    part.eval()
    assert torch.equal(part(data).pooled, part(data).pooled)
    part.train()
    pooled = part(data.expand(6, -1, -1, -1)).pooled
    assert len({tuple(one) for one in pooled.tolist()}) > 1, "copies of one picture differ"


def test_digits_keep_their_size_with_a_stride_of_one():
    part = Config(size=28, channels=1, stride=1).build()
    latent = part(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    assert latent.grid == (7, 7) and part.prepare([])[0].shape == (0, 1, 28, 28)
    with pytest.raises(ConfigError, match=r"stride is 3; it can be 1 or 2\."):
        Config(stride=3).build()
    with pytest.raises(ConfigError, match=r"channels is 4; it can be 3 \(colours\) or 1 \(grey\)\."):
        Config(channels=4).build()


def test_a_flat_pooled_vector_knows_where_things_are():
    """The same spot in two corners: the mean of the tokens is nearly the same, all of them side by side are not."""
    torch.manual_seed(0)
    spots = torch.full((2, 3, 64, 64), 127, dtype=torch.uint8)
    spots[0, :, 20:24, 20:24] = spots[1, :, 36:40, 36:40] = 255
    for pool, apart in (("mean", False), ("flat", True)):
        part = Config(pool=pool).build().eval()
        pooled = part(spots).pooled
        assert pooled.shape[1] == part.widths.pooled
        assert ((pooled[0] - pooled[1]).norm() > 0.1 * pooled[0].norm()) == apart
