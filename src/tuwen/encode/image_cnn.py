"""A small residual CNN trained from scratch: for drawn worlds and small pictures, fast on a CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.encode._image import Fit, example_pictures, normalised, squares
from tuwen.errors import ConfigError
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = 64
    """Side of the square picture in pixels; a multiple of 2 for the stem and of 2 more for each stage."""
    stem: int = 32
    """Channels of the first convolution, which halves the picture."""
    widths: tuple[int, ...] = (64, 256)
    """Channels of each stage; a stage halves the grid. The last is the width D of the tokens."""
    blocks: tuple[int, ...] = (1, 2)
    """Residual blocks of each stage; as many numbers as in widths."""
    bottleneck: int = 4
    """A block works in its width divided by this."""
    fit: Fit = "squash"
    """How a picture becomes a square: squash, crop (the centre) or pad (with white)."""

    def build(self) -> ImageCnn:
        return ImageCnn(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(size=16, stem=8, widths=(8, 16), blocks=(1, 1))

    def example(self, batch: int) -> list[np.ndarray]:
        return example_pictures(batch, self.size)


class ImageCnn(nn.Module):
    """Pictures -> a grid of tokens that know their place. For photographs a pretrained encoder is the better choice.

    One group norm a block, before it: it costs about 15 % of a step, a layer norm over channels or a batch norm more
    (and a batch norm makes the rows of a batch see each other).

    Source:
        He et al. 2016, arXiv:1512.03385 (bottleneck blocks); before the block: arXiv:1603.05027.
    Raises:
        ConfigError: the size does not divide, or widths and blocks do not fit each other.
    """

    modality = "image"

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.widths = Widths(config.widths[-1], config.widths[-1])
        stride = 2 ** (1 + len(config.widths))
        if config.size % stride or config.size < stride:
            near = max(1, round(config.size / stride)) * stride
            raise ConfigError(
                f"encode.image_cnn: size is {config.size}; {len(config.widths)} stages take a multiple of {stride}. Set size={near}."
            )
        if len(config.blocks) != len(config.widths):
            raise ConfigError(
                f"encode.image_cnn: widths has {len(config.widths)} stages and blocks {len(config.blocks)}; give both as many numbers."
            )
        side = config.size // stride
        self.grid = (side, side)
        self.stem = nn.Conv2d(3, config.stem, 3, stride=2, padding=1)
        before = (config.stem, *config.widths)
        stages = zip(before, config.widths, config.blocks, strict=False)
        self.stages = nn.Sequential(*(_stage(a, b, n, config.bottleneck) for a, b, n in stages))
        self.norm = nn.LayerNorm(config.widths[-1])
        self.position = nn.Parameter(torch.randn(side * side, config.widths[-1]) * 0.02)

    def prepare(self, values: Sequence[Any]) -> tuple[Tensor, None]:
        """Raw pictures -> (P, 3, size, size) uint8."""
        return squares(values, self.config.size, self.config.fit), None

    def forward(self, data: Tensor, mask: Tensor | None = None) -> Latent:
        """(P, 3, size, size) uint8 -> tokens (P, h * w, D), row by row, and their mean (P, D)."""
        x_PCHW = self.stem(normalised(data, (0.5,) * 3, (0.25,) * 3))
        x_PCHW = self.stages(x_PCHW)
        # in channels_last the tokens already lie one after the other: no copy
        tokens_PTD = self.norm(x_PCHW.permute(0, 2, 3, 1).flatten(1, 2))
        return Latent(tokens_PTD.mean(1), tokens_PTD + self.position, grid=self.grid)


def _stage(before: int, width: int, blocks: int, bottleneck: int) -> nn.Sequential:
    down = nn.Conv2d(before, width, 3, stride=2, padding=1)
    return nn.Sequential(nn.ReLU(), down, *(_Block(width, bottleneck) for _ in range(blocks)))


class _Block(nn.Module):
    """x + what a 1x1, a 3x3 and a 1x1 convolution make of the normalised x."""

    def __init__(self, width: int, bottleneck: int):
        super().__init__()
        inner = max(1, width // bottleneck)
        self.norm = nn.GroupNorm(math.gcd(8, width), width)
        self.reduce = nn.Conv2d(width, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1)
        self.expand = nn.Conv2d(inner, width, 1)

    def forward(self, x_PCHW: Tensor) -> Tensor:
        inner = self.mix(F.relu(self.reduce(self.norm(x_PCHW))))
        return x_PCHW + self.expand(F.relu(inner))
