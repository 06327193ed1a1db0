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
