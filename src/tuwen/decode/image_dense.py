"""The pooled vector through dense layers to all pixels at once: the other half of `encode/image_dense`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tuwen.decode._picture import Output, PictureDecoder
from tuwen.encode._image import Fit, example_pictures
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    side: int = 28
    """Side of the square picture in pixels."""
    channels: int = 1
    """1: grey; 3: colours."""
    hidden: tuple[int, ...] = (64, 128)
    """Width of each layer between the latent and the pixels; may be empty."""
    output: Output = "sigmoid"
    """sigmoid: pixels between 0 and 1; linear: any number, cut in use."""
    fit: Fit = "squash"
    """How a picture becomes a square target: squash, crop (the centre) or pad (with white)."""

    def build(self, widths: Widths) -> ImageDense:
        return ImageDense(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(side=8, hidden=(12, 16))

    def example(self, batch: int) -> list[np.ndarray]:
        return example_pictures(batch, self.side)


class ImageDense(PictureDecoder):
    """Pooled (P, D) -> pictures. Above some 32 pixels `image_deconv` is better.

    Source:
        Hinton and Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks", Science 313, fig. 1.
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__("decode.image_dense", config.side, config.channels, config.output, config.fit)
        self.config = config
        layers: list[nn.Module] = []
        for before, width in zip((widths.pooled, *config.hidden), config.hidden, strict=False):
            layers += [nn.Linear(before, width), nn.ReLU()]
        last = config.hidden[-1] if config.hidden else widths.pooled
        self.layers = nn.Sequential(*layers, nn.Linear(last, config.channels * config.side**2))

    def draw(self, latent: Latent, generator: torch.Generator | None = None) -> Tensor:
        return self.layers(latent.pooled).unflatten(1, (self.channels, self.side, self.side))
