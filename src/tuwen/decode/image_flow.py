"""Noise becomes a picture along a flow: a network says at every moment which way its pixels go, given a text or a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from tuwen.decode._flow import Flow, FlowConfig
from tuwen.decode._picture import as_pixels
from tuwen.encode._image import Fit, check_channels, example_pictures, squares
from tuwen.types import Widths


@dataclass(frozen=True, kw_only=True)
class Config(FlowConfig):
    side: int = 64
    """Side of the square picture in pixels; a multiple of patch, and of 2 more for each width but the first."""
    channels: int = 3
    """3: colours; 1: grey."""
    patch: int = 4
    """Side of the block of pixels that is one cell of the finest grid."""
    fit: Fit = "squash"
    """How a picture becomes a square target: squash, crop (the centre) or pad (with white)."""

    def build(self, widths: Widths) -> ImageFlow:
        return ImageFlow(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(side=8, patch=1, widths=(8, 16), layers=1, look=4, heads=2)

    def example(self, batch: int) -> list[np.ndarray]:
        return example_pictures(batch, self.side)


class ImageFlow(Flow):
    """A flow of pixels, from -1 to 1.

    Raises:
        ConfigError: side, widths or heads do not divide; blocks is 0 with several widths.
    """

    modality = "image"
    most, stored = 1.0, np.uint8

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        check_channels("decode.image_flow", config.channels)
        self.config = config
        self.make_network("decode.image_flow", config.channels, config.side, config.patch, widths)

    def prepare(self, values: Sequence[Any]) -> tuple[Tensor, None]:
        """Raw pictures -> (P, C, side, side) uint8."""
        return squares(values, self.side, self.config.fit, self.channels), None

    def end(self, data_PCHW: Tensor) -> Tensor:
        """What `prepare` gives as pixels from -1 to 1, where the flow ends."""
        return data_PCHW.float() / 127.5 - 1

    def data(self, x_PCHW: Tensor) -> np.ndarray:
        """Pixels from -1 to 1 as `prepare` gives them."""
        return np.stack(self.pictures(x_PCHW)).transpose(0, 3, 1, 2)

    def pictures(self, made_PCHW: Tensor) -> list[np.ndarray]:
        """Pixels from -1 to 1, each picture as (side, side, C) uint8."""
        return as_pixels((made_PCHW + 1) / 2)
