"""What comes back should be what went in: errors of pixels, structural similarity, or the likelihood of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.metric.reconstruction import ssim
from tuwen.types import Batch, Decoded, Made, Terms

Kind = Literal["squared", "absolute", "bernoulli", "ssim", "words"]


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "reconstruct"
    """Route whose prediction is compared with its target."""
    kind: Kind = "squared"
    """Pictures: squared or absolute error of a pixel, bernoulli (cross-entropy of a pixel), ssim (1 - similarity); text:
    words (cross-entropy of a token)."""
    term: str = "reconstruction"
    """Name of the term; another for each where a recipe has several."""
    level: float = 1.0
    """Share of the difference in a picture's mean colour that counts in squared and absolute errors. Below 1 where what is
    given does not tell the light or the ground: what no model can know then hides less of what it can."""

    def build(self) -> Reconstruction:
        return Reconstruction(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        return Made(routes={self.route: example_decoded(words=self.kind == "words")}), Batch(["a", "b"], {})


class Reconstruction:
    """`(made, batch) -> Terms(reconstruction)`; no term where the batch has nothing to compare."""

    def __init__(self, config: Config):
        self.config, self.error = config, _ERRORS[config.kind]

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded = made.routes.get(self.config.route)
        return Terms() if decoded is None else Terms({self.config.term: self.error(decoded, self.config.level)})


def squared(prediction: Tensor, target: Tensor, level: float = 1.0) -> Tensor:
    """Mean of the squared differences over everything.

    Args:
        prediction, target: (P, C, H, W), or with level 1 any one shape.
        level: share of the mean difference of each channel of a picture that counts.
    Example:
        >>> squared(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 1.0])).item()
        0.125
    """
    return _apart(prediction, target, level).square().mean()


def absolute(prediction: Tensor, target: Tensor, level: float = 1.0) -> Tensor:
    """Mean of the absolute differences over everything: sharper edges than squares, since few large errors may stay."""
    return _apart(prediction, target, level).abs().mean()


def _apart(prediction: Tensor, target: Tensor, level: float) -> Tensor:
    apart = prediction.float() - target
    return apart if level == 1.0 else apart - (1 - level) * apart.mean((-2, -1), keepdim=True)


def pixel_nats(decoded: Decoded) -> Tensor:
    """(P, C, H, W) cross-entropy of each pixel: the target is how probable it is that the pixel is bright.

    Raises:
        ConfigError: the decoder gives no logits.
    Example:
        >>> pixel_nats(Decoded(torch.tensor([[0.5]]), torch.tensor([[1.0]]), logits=torch.tensor([[0.0]])))
        tensor([[0.6931]])
    """
    if decoded.logits is None:
        raise ConfigError(
            "the likelihood of a pixel needs logits, which this decoder does not give; set decode.image.output=sigmoid, "
            "or the objective to squared (in elbo: gaussian)"
        )
    return F.binary_cross_entropy_with_logits(decoded.logits.float(), decoded.target, reduction="none")


_ERRORS: dict[str, Any] = {
    "squared": lambda decoded, level: squared(decoded.prediction, decoded.target, level),
    "absolute": lambda decoded, level: absolute(decoded.prediction, decoded.target, level),
    "bernoulli": lambda decoded, _: pixel_nats(decoded).mean(),
    "ssim": lambda decoded, _: 1 - ssim(decoded.prediction, decoded.target).mean(),
    "words": lambda decoded, _: F.cross_entropy(decoded.prediction.float(), decoded.target),
}


def example_decoded(*, words: bool = False) -> Decoded:
    """Two grey pictures as a decoder makes them; or two texts of two words and one."""
    random = torch.Generator().manual_seed(0)
    if words:
        mask = torch.tensor([[True, True], [True, False]])
        return Decoded(torch.randn(3, 7, generator=random), torch.tensor([1, 2, 3]), mask)
    logits = torch.randn(2, 1, 12, 12, generator=random)
    return Decoded(logits.sigmoid(), torch.rand(2, 1, 12, 12, generator=random), logits=logits)
