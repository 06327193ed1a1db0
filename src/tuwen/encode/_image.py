"""What the picture encoders share: raw pictures -> squares of uint8, and uint8 -> normalised floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from tuwen.data._picture import square
from tuwen.errors import ConfigError
from tuwen.types import Located

Fit = Literal["squash", "crop", "pad"]
"""How a picture becomes a square: squash changes the aspect ratio, crop keeps the centre, pad adds white."""


_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey picture (ITU-R BT.601, as Pillow has them)."""


def squares(values: Sequence[Any], side: int, fit: Fit, channels: int = 3) -> Tensor:
    """Raw pictures -> (P, C, side, side) uint8.

    Args:
        values: pictures or `Located` ones.
        channels: C; 3: colours, 1: grey.
    Raises:
        DataError: one of them cannot be read.
    """
    if not values:
        return torch.zeros(0, channels, side, side, dtype=torch.uint8)
    data_PCHW = torch.stack([_square(value, side, fit) for value in values])
    return data_PCHW if channels == 3 else grey(data_PCHW)


def grey(data_PCHW: Tensor) -> Tensor:
    """(P, 3, H, W) uint8 -> (P, 1, H, W) uint8; a picture that is grey already stays as it is."""
    return luma(data_PCHW.float()).round().to(torch.uint8)


def luma(pixels_PCHW: Tensor) -> Tensor:
    """(P, 3, H, W) float -> (P, 1, H, W): how bright it looks."""
    return (pixels_PCHW * pixels_PCHW.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def check_channels(where: str, channels: int) -> None:
    """Raises ConfigError for what is neither colours nor grey."""
    if channels not in (1, 3):
        raise ConfigError(f"{where}: channels is {channels}; it can be 3 (colours) or 1 (grey).")


def _square(value: Any, side: int, fit: Fit) -> Tensor:
    if isinstance(value, Located):
        return square(value.raw, side, fit, max_pixels=value.max_pixels, where=value.where)
    return square(value, side, fit)


def normalised(data_PCHW: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(P, C, H, W) uint8 -> float32 in channels_last, (x / 255 - mean) / std for each channel.

    Convolutions in bfloat16 need channels_last to pay, and the cheapest place to change the layout is where a pixel
    is one byte.
    """
    x = data_PCHW.contiguous(memory_format=torch.channels_last).float()
    mean_C, std_C = x.new_tensor(mean), x.new_tensor(std)
    scale, shift = 1 / (255 * std_C), -mean_C / std_C
    return x.mul_(scale[:, None, None]).add_(shift[:, None, None])


def moved(data_PCHW: Tensor, *, flip: bool, shift: int) -> Tensor:
    """Each picture mirrored with a chance of a half and moved by up to `shift` pixels each way, for training.

    Args:
        data_PCHW: (P, C, H, W).
        flip: whether pictures are mirrored, left and right.
        shift: most pixels; what comes in repeats the edge.
    Source:
        Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 4.1.
    """
    num, _, height, width = data_PCHW.shape
    device = data_PCHW.device
    by_2P1 = torch.randint(-shift, shift + 1, (2, num, 1), device=device)
    row_PH, column_PW = (
        (torch.arange(size, device=device) + by_P1).clamp(0, size - 1)
        for size, by_P1 in zip((height, width), by_2P1, strict=True)
    )
    if flip:
        column_PW = torch.where(torch.rand(num, 1, device=device) < 0.5, column_PW, width - 1 - column_PW)
    each_P = torch.arange(num, device=device)[:, None, None]
    # the channels come last: indices of rows and columns together are one step of indexing
    return data_PCHW.permute(0, 2, 3, 1)[each_P, row_PH[:, :, None], column_PW[:, None, :]].permute(0, 3, 1, 2)


def example_pictures(batch: int, side: int) -> list[np.ndarray]:
    """Pictures of noise that are no squares, the same ones each time."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (side + i % 3, side, 3), dtype=np.uint8) for i in range(batch)]


def places(rows: int, columns: int, width: int) -> Tensor:
    """(rows * columns, D) sines and cosines of row and column: where each cell of a grid lies, to begin learning from.

    Args:
        width: D; a fourth each for the sine and cosine of the row and of the column, zeros for what is left over.
    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.5, for two axes; wavelengths from half a cell's step on to twice the grid.
    """
    quarter = width // 4
    longest = 2.0 * max(rows, columns)
    wave_Q = longest ** torch.linspace(1, 0.3, max(1, quarter))[:quarter]
    angle_RQ, angle_CQ = (2 * torch.pi * torch.arange(n)[:, None] / wave_Q for n in (rows, columns))
    row = torch.cat([angle_RQ.sin(), angle_RQ.cos()], 1)[:, None].expand(-1, columns, -1)
    column = torch.cat([angle_CQ.sin(), angle_CQ.cos()], 1)[None].expand(rows, -1, -1)
    found = torch.cat([row, column], 2).reshape(rows * columns, 4 * quarter)
    return torch.nn.functional.pad(found, (0, width - 4 * quarter))
