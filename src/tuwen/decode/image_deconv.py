"""A latent grows to a picture: each stage doubles the grid and convolves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.decode._picture import Output, PictureDecoder
from tuwen.encode._image import Fit, example_pictures, places
from tuwen.errors import ConfigError, ShapeError
from tuwen.layers import CrossAttention, Mlp, init_transformer, normal_rows
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    side: int = 64
    """Side of the square picture in pixels; a multiple of shuffle, and of 2 more for each stage."""
    channels: int = 3
    """3: colours; 1: grey."""
    widths: tuple[int, ...] = (128, 64, 32)
    """Channels of each stage; a stage doubles the grid. The last cost most."""
    shuffle: int = 1
    """Side of the block of pixels that the last convolution makes of each cell; 2 saves the dearest stage."""
    blocks: int = 1
    """Residual blocks of each stage, 0 or more."""
    read: Literal["pooled", "grid", "tokens"] = "pooled"
    """What the picture grows from: the pooled vector; a grid of tokens that is as many times smaller as the stages say;
    or the pooled vector and what each cell of the first grid reads in the tokens (of a text, say)."""
    readers: int = 2
    """Blocks in which the cells read the tokens, with read=tokens."""
    heads: int = 4
    """Attention heads of these blocks, a divisor of the first width."""
    noise: int = 0
    """Random numbers beside what it reads, for a picture that is another one each time; 0: one picture of a latent."""
    output: Output = "sigmoid"
    """sigmoid: pixels between 0 and 1; linear: any number, cut in use."""
    fit: Fit = "squash"
    """How a picture becomes a square target: squash, crop (the centre) or pad (with white)."""

    def build(self, widths: Widths) -> ImageDeconv:
        return ImageDeconv(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(side=16, widths=(16, 8))

    def example(self, batch: int) -> list[np.ndarray]:
        return example_pictures(batch, self.side)


class ImageDeconv(PictureDecoder):
    """Pooled (P, D), a grid (P, h * w, D), or pooled and tokens (P, T, D) -> pictures.

    Pixels are repeated and then convolved: transposed convolutions draw chequered patterns. Batch norms as in
    `encode/image_cnn`. Noise is drawn anew in each step of training, and is always the same in evaluation.

    Source:
        Odena et al. 2016, "Deconvolution and Checkerboard Artifacts", Distill; residual stages: Miyato et al. 2018,
        arXiv:1802.05957, table 4.
    Raises:
        ConfigError: the side does not divide, or there are no stages.
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__("decode.image_deconv", config.side, config.channels, config.output, config.fit)
        self.config = config
        scale = config.shuffle * 2 ** len(config.widths)
        if not config.widths or config.side % scale or config.side < scale:
            near = max(1, round(config.side / scale)) * scale
            raise ConfigError(
                f"decode.image_deconv: side is {config.side}; {len(config.widths)} stages make a multiple of {scale}, "
                f"and there is at least one. Set side={near}, or give other widths."
            )
        start = config.side // scale
        self.grid = (start, start)
        """Tokens that it reads fold to this."""
        first = config.widths[0]
        if config.read == "tokens":
            self.place = nn.Parameter(places(start, start, first))
            self.readers = nn.ModuleList(_Reader(first, config.heads, widths.tokens) for _ in range(config.readers))
        if config.read != "grid":
            self.begin: nn.Module = nn.Sequential(
                nn.Linear(widths.pooled + config.noise, first * start * start), nn.Unflatten(1, (first, start, start))
            )
        else:
            self.begin = nn.Conv2d(widths.tokens + config.noise, first, 1)
        stages: list[nn.Module] = [nn.BatchNorm2d(first), nn.ReLU()]
        for before, width in zip((first, *config.widths), config.widths, strict=False):
            stages += [nn.Upsample(scale_factor=2), _convolution(before, width), nn.ReLU()]
            stages += [_Block(width) for _ in range(config.blocks)]
        last = nn.Conv2d(config.widths[-1], config.channels * config.shuffle**2, 3, padding=1)
        self.layers = nn.Sequential(*stages, last, nn.PixelShuffle(config.shuffle))

    def draw(self, latent: Latent, generator: torch.Generator | None = None) -> Tensor:
        read = self._folded(latent) if self.config.read == "grid" else latent.pooled
        begun = self.begin(self._with_noise(read, generator) if self.config.noise else read)
        if self.config.read == "tokens":
            begun = self._read(begun, latent)
        # the convolutions are a fourth faster where the channels of a pixel lie together
        return self.layers(begun.contiguous(memory_format=torch.channels_last)).contiguous()

    def _with_noise(self, read: Tensor, generator: torch.Generator | None) -> Tensor:
        """(P, D) or (P, D, h, w) with the same noise at every place -> (P, D + noise, ...)."""
        if generator is None and not self.training:
            generator = torch.Generator().manual_seed(0)
        device = generator.device if generator else read.device
        noise_PD = normal_rows(len(read), self.config.noise, generator, device).to(read)
        return torch.cat([read, noise_PD[(..., *[None] * (read.ndim - 2))].expand(-1, -1, *read.shape[2:])], 1)

    def _read(self, begun_PDhw: Tensor, latent: Latent) -> Tensor:
        """(P, D, h, w) -> (P, D, h, w): the cells have read the tokens."""
        if latent.tokens is None:
            raise ShapeError(
                "decode.image_deconv with read='tokens' got none; set read=pooled, or another space or fusion"
            )
        x_PTD = begun_PDhw.flatten(2).transpose(1, 2) + self.place
        for reader in self.readers:
            x_PTD = reader(x_PTD, latent.tokens, latent.mask)
        return x_PTD.transpose(1, 2).unflatten(2, self.grid)

    def _folded(self, latent: Latent) -> Tensor:
        """(P, h * w, D) -> (P, D, h, w)."""
        if latent.tokens is None or latent.grid != self.grid:
            got = "no tokens" if latent.tokens is None else f"a grid of {latent.grid}"
            scale = self.side // self.grid[0]
            fit = f"set side={scale * latent.grid[0]}, " if latent.grid and len({*latent.grid}) == 1 else ""
            raise ShapeError(
                f"decode.image_deconv with read='grid' makes {self.side} pixels of a grid of {self.grid}; it got {got}. "
                f"Give the encoder as many stages and pixels, {fit}or set read=pooled."
            )
        return latent.tokens.transpose(1, 2).unflatten(2, self.grid)


class _Reader(nn.Module):
    """The cells of a grid read the tokens of a latent, each for itself.

    Source:
        Jaegle et al. 2021, "Perceiver IO", arXiv:2107.14795 (output queries).
    """

    def __init__(self, width: int, heads: int, memory_width: int):
        super().__init__()
        self.norm_cross, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.cross, self.mlp = CrossAttention(width, heads, memory_width), Mlp(width, 2.0)
        init_transformer(self)

    def forward(self, x_PTD: Tensor, tokens_PMD: Tensor, mask_PM: Tensor | None) -> Tensor:
        x_PTD = x_PTD + self.cross(self.norm_cross(x_PTD), self.cross.memory(tokens_PMD), mask_PM)
        return x_PTD + self.mlp(self.norm_mlp(x_PTD))


def _convolution(before: int, width: int) -> nn.Sequential:
    """A 3x3 convolution and its batch norm."""
    return nn.Sequential(nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))


class _Block(nn.Module):
    """x + what two 3x3 convolutions make of it."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, x_PCHW: Tensor) -> Tensor:
        return F.relu(x_PCHW + self.second(F.relu(self.first(x_PCHW))))
