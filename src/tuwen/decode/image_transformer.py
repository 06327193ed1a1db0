"""Queries, one for each patch of the picture, read the tokens of a latent and draw their patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.decode._picture import Output, PictureDecoder
from tuwen.encode._image import Fit, example_pictures, places
from tuwen.errors import ConfigError, ShapeError
from tuwen.layers import CrossAttention, Mlp, init_transformer
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    side: int = 64
    """Side of the square picture in pixels; a multiple of patch."""
    channels: int = 3
    """3: colours; 1: grey."""
    patch: int = 8
    """Side of the patch that a query draws, in pixels."""
    width: int = 128
    """Width of the queries; a multiple of heads, and of 4."""
    layers: int = 3
    """Blocks in which the queries read the tokens."""
    heads: int = 4
    """Attention heads."""
    output: Output = "sigmoid"
    """sigmoid: pixels between 0 and 1; linear: any number, cut in use."""
    fit: Fit = "squash"
    """How a picture becomes a square target: squash, crop (the centre) or pad (with white)."""

    def build(self, widths: Widths) -> ImageTransformer:
        return ImageTransformer(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(side=16, width=16, layers=2, heads=2)

    def example(self, batch: int) -> list[np.ndarray]:
        return example_pictures(batch, self.side)


class ImageTransformer(PictureDecoder):
    """Tokens (P, T, D) -> pictures. The queries do not look at each other: the tokens alone say what stands where.

    Nearly all of it is large matrix products, so that it draws several times faster than convolutions on a CPU. What the
    tokens leave open is drawn as the mean of what it may be.

    Source:
        Jaegle et al. 2021, "Perceiver IO", arXiv:2107.14795 (output queries); patches as Dosovitskiy et al. 2020,
        arXiv:2010.11929.
    Raises:
        ConfigError: the side is no multiple of the patch.
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__("decode.image_transformer", config.side, config.channels, config.output, config.fit)
        self.config = config
        if config.side % config.patch or config.side < config.patch:
            near = max(1, round(config.side / config.patch)) * config.patch
            raise ConfigError(
                f"decode.image_transformer: side is {config.side}, no multiple of patch={config.patch}. Set side={near}."
            )
        self.grid = (config.side // config.patch,) * 2
        self.place = nn.Parameter(places(*self.grid, config.width))
        self.blocks = nn.ModuleList(_Block(config.width, config.heads, widths.tokens) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.pixels = nn.Linear(config.width, config.channels * config.patch**2)
        init_transformer(self)

    def draw(self, latent: Latent) -> Tensor:
        if latent.tokens is None:
            raise ShapeError("decode.image_transformer reads tokens; its latent has none. Give it another space or fusion.")
        x_PQD = self.place.expand(len(latent), -1, -1)
        for block in self.blocks:
            x_PQD = block(x_PQD, latent.tokens, latent.mask)
        patches_PQK = self.pixels(self.norm(x_PQD))
        # a patch is channels, rows, columns: what pixel_shuffle unfolds
        return F.pixel_shuffle(patches_PQK.transpose(1, 2).unflatten(2, self.grid), self.config.patch)


class _Block(nn.Module):
    """Pre-norm: each query reads the tokens, then thinks for itself."""

    def __init__(self, width: int, heads: int, memory_width: int):
        super().__init__()
        self.norm_cross, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.cross, self.mlp = CrossAttention(width, heads, memory_width), Mlp(width)

    def forward(self, x_PQD: Tensor, tokens_PTD: Tensor, mask_PT: Tensor | None) -> Tensor:
        x_PQD = x_PQD + self.cross(self.norm_cross(x_PQD), self.cross.memory(tokens_PTD), mask_PT)
        return x_PQD + self.mlp(self.norm_mlp(x_PQD))
