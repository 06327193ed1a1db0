import pytest
import torch

from tuwen.encode.image_dense import Config
from tuwen.errors import ConfigError


def test_the_default_is_784_128_64():
    part = Config().build()
    assert [tuple(p.shape) for n, p in part.named_parameters() if "weight" in n] == [(128, 784), (64, 128)]
    latent = part(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    assert latent.pooled.shape == (2, 64) and torch.equal(latent.tokens[:, 0], latent.pooled)


def test_colours_are_kept_apart():
    part = Config(size=4, channels=3, widths=(5,)).build()
    assert part.layers[0].in_features == 48


def test_no_layers_are_refused():
    with pytest.raises(
        ConfigError, match=r"encode.image_dense: widths is empty; give one width or more, as in widths=128,64\."
    ):
        Config(widths=()).build()


def test_channels_are_one_or_three():
    with pytest.raises(
        ConfigError, match=r"encode.image_dense: channels is 2; it can be 3 \(colours\) or 1 \(grey\)\."
    ):
        Config(channels=2).build()
