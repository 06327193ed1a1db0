"""A picture should look to a frozen network as what it should be does, not only be near to it pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.objective._drawn import pictures
from tuwen.types import Batch, Decoded, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    source: str = ""
    """Network that looks: a directory of tuwen that reads pictures (a classifier, an autoencoder, one that matches), a
    folder or hub name of a vision model of transformers, or a file as of `tuwen evaluate --features`; only `train` reads
    it."""
    route: str = "reconstruct"
    """Route whose pictures are compared with what they should be."""

    def build(self) -> Perceptual:
        return Perceptual(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        made, real = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        return Made(routes={self.route: Decoded(made, real)}), Batch(["a", "b"], {})


class Eye(Protocol):
    """A frozen network that reads pictures."""

    def grid(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, T, D) its last grid for pictures of 0 to 1; gradients flow to the pixels."""


class Perceptual:
    """`(made, batch) -> Terms(perceptual)`: how far what is made is from what it should be, in the eyes of a network.

    The network is opened by the training loop and is not kept with the model: without it, as in `tuwen evaluate`, there
    is no term. Beside an error of pixels, which says where things are and blurs what is unsure, it asks for what the
    network has learned to see: edges, textures, parts. Alone it leaves colours and fine grain open.

    Source:
        Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", arXiv:1801.03924,
        eq. 1; as a term of training: Johnson et al. 2016, arXiv:1603.08155.
    Differs:
        one grid, the last, and no learned weights of its channels, so that any network will do.
    """

    asks = "look"

    def __init__(self, config: Config):
        self.config = config
        self.guide: Eye | None = None
        """Set by `train/guide.py`."""

    def __call__(self, made: Made, batch: Batch) -> Terms:
        decoded = pictures(made, self.config.route)
        if self.guide is None or decoded is None:
            return Terms()
        with torch.no_grad():
            real_PTD = self.guide.grid(decoded.target)
        return Terms({"perceptual": apart(self.guide.grid(decoded.prediction), real_PTD)})


def apart(one_PTD: Tensor, other_PTD: Tensor) -> Tensor:
    """Squared distance of two grids, each token made of length 1; the mean over places and pictures.

    Args:
        one_PTD, other_PTD: (P, T, D) features of the same places.
    Returns:
        Scalar: 0 where all point the same way, 2 where they have nothing in common, at most 4.
    Source:
        Zhang et al. 2018, arXiv:1801.03924, eq. 1, with every weight 1.
    Example:
        >>> apart(torch.tensor([[[3.0, 0.0], [0.0, 1.0]]]), torch.tensor([[[1.0, 0.0], [2.0, 0.0]]])).item()  # (0 + 2) / 2
        1.0
    """
    one_PTD, other_PTD = (F.normalize(grid.float(), dim=-1) for grid in (one_PTD, other_PTD))
    return (one_PTD - other_PTD).square().sum(-1).mean()
