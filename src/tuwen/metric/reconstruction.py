"""How near pictures are to what they should be: pixel errors, signal to noise, and structural similarity.

Source:
    structural similarity: Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity",
    IEEE Transactions on Image Processing 13(4), eq. 13, with its Gaussian window of 11 pixels and deviation 1.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.errors import DataError, ShapeError

_WINDOW, _DEVIATION = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_LEAST = 1e-10
"""Squared error below which the signal to noise ratio no longer grows: 100 dB."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Errors of reconstructed pictures; nothing to set."""

    def build(self) -> Reconstruction:
        return Reconstruction()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(0)
        return torch.rand(batch, 3, 16, 16, generator=random), torch.rand(batch, 3, 16, 16, generator=random)


class Reconstruction:
    """Collects pictures by `update`; `result` has the means over them."""

    direction = "higher"
    """Of psnr and ssim; mse and mae are better when lower."""
    range: tuple[float, float] = (-1.0, 100.0)
    """mse and mae lie in 0..1, ssim in -1..1, psnr in 0..100 dB."""
    needs: tuple[str, ...] = ("predictions", "references")

    def __init__(self) -> None:
        self._items: list[dict[str, Tensor]] = []

    def update(self, predictions: Tensor, references: Tensor) -> None:
        """Adds P pictures.

        Args:
            predictions, references: (P, C, H, W), 0 to 1.
        Raises:
            ShapeError: they differ, or are no (P, C, H, W).
        """
        self._items.append(errors(predictions, references))

    def per_item(self) -> dict[str, list[float]]:
        """mse, mae, psnr and ssim of each picture, in the order of the updates.

        Raises:
            DataError: no picture was added.
        """
        if not self._items:
            raise DataError("no pictures to compare; call update(predictions, references) before result()")
        return {name: torch.cat([one[name] for one in self._items]).tolist() for name in self._items[0]}

    def result(self) -> dict[str, float]:
        """The mean of each over all pictures."""
        return {name: sum(values) / len(values) for name, values in self.per_item().items()}


def errors(prediction_PCHW: Tensor, target_PCHW: Tensor) -> dict[str, Tensor]:
    """mse, mae, psnr and ssim of each picture, (P,) float32 on the CPU.

    Args:
        prediction_PCHW, target_PCHW: 0 to 1; what lies outside is cut, as it is when it is looked at.
    Raises:
        ShapeError: they differ, or are no (P, C, H, W).
        DataError: one of them is of whole numbers, as pictures of 0 to 255 are.
    """
    if prediction_PCHW.shape != target_PCHW.shape or prediction_PCHW.ndim != 4:
        raise ShapeError(
            f"pictures of {tuple(prediction_PCHW.shape)} and {tuple(target_PCHW.shape)} are compared; "
            "give two of the same (P, C, H, W)"
        )
    for pictures in (prediction_PCHW, target_PCHW):
        if not pictures.is_floating_point():
            raise DataError(f"pictures of {pictures.dtype} are compared; give 0 to 1: pictures.float() / 255")
    prediction, target = (x.float().clamp(0, 1) for x in (prediction_PCHW, target_PCHW))
    difference = prediction - target
    mse_P = difference.square().mean((1, 2, 3))
    found = {
        "mse": mse_P,
        "mae": difference.abs().mean((1, 2, 3)),
        "psnr": -10 * mse_P.clamp(min=_LEAST).log10(),
        "ssim": ssim(prediction, target),
    }
    return {name: value.cpu() for name, value in found.items()}


def ssim(a_PCHW: Tensor, b_PCHW: Tensor) -> Tensor:
    """Structural similarity of each pair of pictures: the mean over channels and all places of the window.

    Args:
        a_PCHW, b_PCHW: 0 to 1. Pictures smaller than the window are compared in the largest odd window that fits.
    Returns:
        (P,) float32, 1 for equal pictures, differentiable.
    Source:
        Wang et al. 2004, eq. 13, constants of section III-B. As `skimage.metrics.structural_similarity` with
        gaussian_weights=True, use_sample_covariance=False, data_range=1, without its padded border.
    Example:
        >>> ssim(torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)).item() < 0.001
        True
    """
    with torch.autocast(a_PCHW.device.type, enabled=False):  # variances are small differences of large numbers
        return _similarity(a_PCHW.float(), b_PCHW.float())


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    channels, side = a.shape[1], min(a.shape[2:])
    window = _window(min(_WINDOW, side - 1 + side % 2), a)

    def mean(x: Tensor) -> Tensor:
        x = F.conv2d(x, window.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
        return F.conv2d(x, window.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, both = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    similar = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    return (similar / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2))).mean((1, 2, 3))


def _window(length: int, like: Tensor) -> Tensor:
    """(length,) normal weights that sum to 1."""
    place = torch.arange(length, device=like.device, dtype=like.dtype) - (length - 1) / 2
    weight = (-(place**2) / (2 * _DEVIATION**2)).exp()
    return weight / weight.sum()


__all__ = ["Config", "Reconstruction", "errors", "ssim"]
