"""Vectors of what belongs together lie in one place: squared distance, against the distance of what does not."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tuwen.errors import ShapeError
from tuwen.objective.contrastive import owners
from tuwen.types import Batch, Made, Terms

_LEAST = 1e-12
"""Spread below which all vectors count as one point."""


@dataclass(frozen=True, kw_only=True)
class Config:
    first: str = "image"
    """Field on one side; one value a row."""
    second: str = "text"
    """Field on the other side; one or several values a row."""

    def build(self) -> Alignment:
        return Alignment(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()


class Alignment:
    """`(made, batch) -> Terms(alignment)`; no term where fewer than two values are in pairs.

    For spaces whose vectors are read by decoders, which care where a vector lies; for search by angle `contrastive` is the
    better choice.
    """

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        first, second = made.latents.get(self.config.first), made.latents.get(self.config.second)
        if first is None or second is None:
            return Terms()
        i_N, j_N = (owners(first)[:, None] == owners(second)[None, :]).nonzero(as_tuple=True)
        if len(i_N) < 2:
            return Terms()
        return Terms({"alignment": alignment(first.pooled[i_N], second.pooled[j_N])})


def alignment(a_ND: Tensor, b_ND: Tensor) -> Tensor:
    """Mean squared distance of row i of one and row i of the other, as a share of that of any row and any other.

    A share, since a distance alone is made small by shrinking the space.

    Args:
        a_ND, b_ND: (N, D) float; row i of one belongs to row i of the other.
    Returns:
        Scalar; 1 for vectors that have nothing in common, 0 for pairs that are equal.
    Raises:
        ShapeError: they differ in shape.
    Source:
        Chandar et al. 2016, "Correlational Neural Networks", arXiv:1504.07225, section 2.2.
    Differs:
        whole vectors are correlated, not each of their numbers: where both sides are centred and spread alike, this is
        1 - correlation.
    Example:
        >>> import torch
        >>> alignment(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [1.0]])).item()
        0.3333333432674408
    """
    if a_ND.shape != b_ND.shape:
        raise ShapeError(
            f"vectors are {tuple(a_ND.shape)} and {tuple(b_ND.shape)}; they must be alike: give both fields spaces of one width"
        )
    a, b = a_ND.float(), b_ND.float()
    paired = (a - b).square().sum(1).mean()
    any_two = a.square().sum(1).mean() + b.square().sum(1).mean() - 2 * (a.mean(0) * b.mean(0)).sum()
    return paired / any_two.clamp(min=_LEAST)
