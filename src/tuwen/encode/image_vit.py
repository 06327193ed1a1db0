"""A vision transformer trained from scratch: patches of the picture are the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from tuwen.encode._image import Fit, example_pictures, normalised, places, squares
from tuwen.errors import ConfigError
from tuwen.layers import Block, init_transformer
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = 64
    """Side of the square picture in pixels; a multiple of patch."""
    patch: int = 8
    """Side of a patch in pixels."""
    width: int = 192
    """Width D of the tokens; a multiple of heads."""
    layers: int = 6
    """Number of blocks."""
    heads: int = 3
    """Attention heads."""
    dropout: float = 0.0
    """Share of what each block adds that is dropped in training."""
    fit: Fit = "squash"
    """How a picture becomes a square: squash, crop (the centre) or pad (with white)."""

    def build(self) -> ImageVit:
        return ImageVit(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(size=16, patch=8, width=16, layers=2, heads=2)

    def example(self, batch: int) -> list[np.ndarray]:
        return example_pictures(batch, self.size)


class ImageVit(nn.Module):
    """Pictures -> tokens of a pre-norm transformer over patches; the pooled vector is their mean (no class token).

    From few pictures (under some 10,000) `image_cnn` learns faster: it need not learn that neighbours belong together.

    Source:
        Dosovitskiy et al. 2021, arXiv:2010.11929; mean instead of class token: Beyer et al. 2022, arXiv:2205.01580.
    Raises:
        ConfigError: the size is no multiple of the patch, or the width none of the heads.
    """

    modality = "image"

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.size % config.patch or config.size < config.patch:
            near = max(1, round(config.size / config.patch)) * config.patch
            raise ConfigError(
                f"encode.image_vit: size {config.size} is no multiple of patch {config.patch}. Set size={near}."
            )
        if config.width % config.heads:
            raise ConfigError(
                f"encode.image_vit: width {config.width} is no multiple of heads {config.heads}. "
                f"Set width={config.width // config.heads * config.heads or config.heads}."
            )
        self.widths = Widths(config.width, config.width)
        side = config.size // config.patch
        self.grid = (side, side)
        self.embed = nn.Linear(3 * config.patch**2, config.width)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, dropout=config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        init_transformer(self)
        self.position = nn.Parameter(places(side, side, config.width))

    def prepare(self, values: Sequence[Any]) -> tuple[Tensor, None]:
        """Raw pictures -> (P, 3, size, size) uint8."""
        return squares(values, self.config.size, self.config.fit), None

    def forward(self, data: Tensor, mask: Tensor | None = None) -> Latent:
        """(P, 3, size, size) uint8 -> tokens (P, h * w, D), row by row, and their mean (P, D)."""
        x_PCHW = normalised(data, (0.5,) * 3, (0.25,) * 3)
        x_PTD = self.embed(_patches(x_PCHW, self.config.patch)) + self.position
        for block in self.blocks:
            x_PTD = block(x_PTD)
        tokens_PTD = self.norm(x_PTD)
        return Latent(tokens_PTD.mean(1), tokens_PTD, grid=self.grid)


def _patches(x_PCHW: Tensor, patch: int) -> Tensor:
    """(P, C, H, W) -> (P, h * w, patch * patch * C), patches row by row."""
    num, channels, height, width = x_PCHW.shape
    x = x_PCHW.permute(0, 2, 3, 1).reshape(num, height // patch, patch, width // patch, patch * channels)
    return x.transpose(2, 3).reshape(num, -1, patch * patch * channels)
