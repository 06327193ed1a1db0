"""Pictures changed at random in ways that gradients pass: what a critic sees, so that it cannot learn few pictures by heart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Change = Literal["colour", "translation", "cutout"]
"""colour: another light, saturation and contrast; translation: moved by up to an eighth; cutout: a square of half the side
goes."""


def changed(pixels_PCHW: Tensor, changes: Sequence[Change]) -> Tensor:
    """(P, C, H, W) from -1 to 1, each picture changed in its own way; what is moved in or cut out is 0, a middle grey.

    Source:
        Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", arXiv:2006.10738, appendix.
    """
    for change in changes:
        pixels_PCHW = _CHANGES[change](pixels_PCHW)
    return pixels_PCHW


def _colour(x: Tensor) -> Tensor:
    light, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
    x = x + light - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + 2 * saturation * (x - grey)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (x - mean)


def _translation(x: Tensor) -> Tensor:
    num, _, height, width = x.shape
    most = (height // 8, width // 8)
    row_PH, column_PW = (
        torch.randint(-by, by + 1, (num, 1), device=x.device) + torch.arange(size, device=x.device) + by
        for by, size in zip(most, (height, width), strict=True)
    )
    padded = F.pad(x, (most[1], most[1], most[0], most[0])).permute(0, 2, 3, 1)
    each_P = torch.arange(num, device=x.device)[:, None, None]
    return padded[each_P, row_PH[:, :, None], column_PW[:, None, :]].permute(0, 3, 1, 2)


def _cutout(x: Tensor) -> Tensor:
    gone = []
    for size in x.shape[2:]:
        middle_P1 = torch.randint(0, size + 1, (len(x), 1), device=x.device)
        place_PS = torch.arange(size, device=x.device) - middle_P1 + size // 4
        gone.append((place_PS >= 0) & (place_PS < size // 2))
    return x * ~(gone[0][:, None, :, None] & gone[1][:, None, None, :])


_CHANGES = {"colour": _colour, "translation": _translation, "cutout": _cutout}
