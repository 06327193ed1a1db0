"""All pixels side by side through dense layers: for small pictures such as digits, and to measure others against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from tuwen.encode._image import Fit, check_channels, example_pictures, normalised, squares
from tuwen.errors import ConfigError
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = 28
    """Side of the square picture in pixels."""
    channels: int = 1
    """1: grey; 3: colours."""
    widths: tuple[int, ...] = (128, 64)
    """Width of each layer; the last is that of the latent."""
    fit: Fit = "squash"
    """How a picture becomes a square: squash, crop (the centre) or pad (with white)."""

    def build(self) -> ImageDense:
        return ImageDense(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(size=8, widths=(16, 12))

    def example(self, batch: int) -> list[np.ndarray]:
        return example_pictures(batch, self.size)


class ImageDense(nn.Module):
    """Pixels -> one vector. It learns anew for each place what a shape is: above some 32 pixels `image_cnn` is better.

    Source:
        Hinton and Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks", Science 313, fig. 1.
    Raises:
        ConfigError: no layers, or channels that cannot be.
    """

    modality = "image"

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        check_channels("encode.image_dense", config.channels)
        if not config.widths:
            raise ConfigError("encode.image_dense: widths is empty; give one width or more, as in widths=128,64.")
        self.widths = Widths(config.widths[-1], config.widths[-1])
        layers: list[nn.Module] = []
        for before, width in zip((config.channels * config.size**2, *config.widths), config.widths, strict=False):
            layers += [nn.Linear(before, width), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def prepare(self, values: Sequence[Any]) -> tuple[Tensor, None]:
        """Raw pictures -> (P, C, size, size) uint8."""
        return squares(values, self.config.size, self.config.fit, self.config.channels), None

    def forward(self, data: Tensor, mask: Tensor | None = None) -> Latent:
        """(P, C, size, size) uint8 -> pooled (P, D), and the same as one token (P, 1, D)."""
        channels = self.config.channels
        x_PCHW = normalised(data, (0.5,) * channels, (0.25,) * channels)
        pooled_PD = self.layers(x_PCHW.contiguous().flatten(1))
        return Latent(pooled_PD, pooled_PD[:, None])
