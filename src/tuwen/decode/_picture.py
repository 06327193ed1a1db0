"""What every decoder that makes pictures shares: the making of targets, and pixels as people look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tuwen.encode._image import Fit, check_channels, squares
from tuwen.types import Decoded, Feed, Latent

Output = Literal["sigmoid", "linear"]
"""sigmoid: between 0 and 1, with logits for the likelihood of a pixel; linear: any number, cut to 0..1 in use."""


class PictureDecoder(nn.Module):
    """Base of decoders that make whole pictures at once.

    A subclass has `draw(latent, generator) -> (P, C, side, side)` before `output`, and calls `super().__init__` first.
    """

    modality = "image"
    pixelwise = True
    """Its predictions are pictures of values 0 to 1, comparable with the targets pixel by pixel."""

    def __init__(self, where: str, side: int, channels: int, output: Output, fit: Fit):
        super().__init__()
        check_channels(where, channels)
        self.side, self.channels, self.output, self.fit_to = side, channels, output, fit

    def prepare(self, values: Sequence[Any]) -> tuple[Tensor, None]:
        """Raw pictures -> (P, C, side, side) uint8."""
        return squares(values, self.side, self.fit_to, self.channels), None

    def draw(self, latent: Latent, generator: torch.Generator | None = None) -> Tensor:
        """(P, C, side, side): what `output` makes pixels of."""
        raise NotImplementedError

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        """Pictures and what they should be, both (P, C, side, side) float32, 0 to 1; one for each target.

        Args:
            latent: B rows; target.owner_P points at them.
        """
        drawn = self.draw(latent).float()[target.owner_P]
        pixels = target.data.float() / 255
        if self.output == "linear":
            return Decoded(drawn, pixels, owner_P=target.owner_P)
        return Decoded(drawn.sigmoid(), pixels, owner_P=target.owner_P, logits=drawn)

    def make(self, latent: Latent, *, generator: torch.Generator | None = None) -> Tensor:
        """(P, C, side, side) float32, 0 to 1.

        Args:
            generator: of the noise, for decoders that have some; seed 0 without one.
        """
        drawn = self.draw(latent, generator).float()
        return drawn.sigmoid() if self.output == "sigmoid" else drawn.clamp(0, 1)

    def pictures(self, made_PCHW: Tensor) -> list[np.ndarray]:
        """What `make` gives, each as (side, side, C) uint8."""
        return as_pixels(made_PCHW)


def as_pixels(made_PCHW: Tensor) -> list[np.ndarray]:
    """(P, C, H, W) from 0 to 1, what lies outside cut -> each picture as (H, W, C) uint8."""
    pixels = made_PCHW.float().mul(255).round().clamp(0, 255).to(torch.uint8)
    return list(pixels.permute(0, 2, 3, 1).cpu().numpy())
