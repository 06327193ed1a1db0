"""What the picture encoders share: raw pictures -> squares of uint8, and uint8 -> normalised floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from tuwen.data._picture import square
from tuwen.types import Located

Fit = Literal["squash", "crop", "pad"]
"""How a picture becomes a square: squash changes the aspect ratio, crop keeps the centre, pad adds white."""


def squares(values: Sequence[Any], side: int, fit: Fit) -> Tensor:
    """Raw pictures -> (P, 3, side, side) uint8.

    Args:
        values: pictures or `Located` ones.
    Raises:
        DataError: one of them cannot be read.
    """
    if not values:
        return torch.zeros(0, 3, side, side, dtype=torch.uint8)
    return torch.stack([_square(value, side, fit) for value in values])


def _square(value: Any, side: int, fit: Fit) -> Tensor:
    if isinstance(value, Located):
        return square(value.raw, side, fit, max_pixels=value.max_pixels, where=value.where)
    return square(value, side, fit)


def normalised(data_PCHW: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(P, 3, H, W) uint8 -> float32 in channels_last, (x / 255 - mean) / std for each channel.

    Convolutions in bfloat16 need channels_last to pay, and the cheapest place to change the layout is where a pixel
    is one byte.
    """
    x = data_PCHW.contiguous(memory_format=torch.channels_last).float()
    mean_C, std_C = x.new_tensor(mean), x.new_tensor(std)
    scale, shift = 1 / (255 * std_C), -mean_C / std_C
    return x.mul_(scale[:, None, None]).add_(shift[:, None, None])


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
