"""Hinge ranking of pictures and texts: what belongs together is nearer, by a margin, than what does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from tuwen.errors import ConfigError, ShapeError
from tuwen.objective.contrastive import matched_pair
from tuwen.types import Batch, Made, Terms

Negatives = Literal["hardest", "all"]
"""Which of the others in the batch count: the nearest one, or the sum over all of them."""


@dataclass(frozen=True, kw_only=True)
class Config:
    first: str = "image"
    """Field on one side; one value a row."""
    second: str = "text"
    """Field on the other side; one or several values a row."""
    margin: float = 0.2
    """How much nearer the right one is to be, as a difference of cosines, above 0."""
    negatives: Negatives = "hardest"
    """hardest: the nearest wrong one (learns best, but may need some steps with all first); all: the sum over all wrong ones."""

    def build(self) -> Ranking:
        return Ranking(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()


class Ranking:
    """`(made, batch) -> Terms(ranking)`; no term where one side is missing. It compares cosines, without scale and bias.

    `contrastive` learns faster from large batches; this one is for comparison with systems of its time.

    Raises:
        ConfigError: the margin is not above 0.
    """

    def __init__(self, config: Config):
        if config.margin <= 0:
            raise ConfigError(f"objective.ranking: margin is {config.margin}; it is above 0. Set margin=0.2.")
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        c = self.config
        bare = {name: replace(latent, scale=None, bias=None) for name, latent in made.latents.items()}
        pair = matched_pair(Made(bare), c.first, c.second)
        return Terms() if pair is None else Terms({"ranking": ranking(*pair, margin=c.margin, negatives=c.negatives)})


def ranking(cosine_BP: Tensor, match_BP: Tensor, *, margin: float = 0.2, negatives: Negatives = "hardest") -> Tensor:
    """Mean over all right pairs of both hinges, [margin - right + wrong]+ over texts and over pictures.

    Args:
        cosine_BP: (B, P) float; row i is a picture, column j a text.
        match_BP: (B, P) bool; True where they belong together. Texts of one picture are not each other's negatives.
        margin: the least difference that costs nothing.
        negatives: the hinge of the nearest wrong one, or the sum of all hinges.
    Returns:
        Scalar, 0 or more; 2 * margin for cosines that are all alike, with the hardest negatives.
    Raises:
        ShapeError: cosines and matches differ in shape.
    Source:
        Faghri et al. 2018, arXiv:1707.05612, eq. 6 (hardest) and eq. 5 (all; Kiros et al. 2014, arXiv:1411.2539).
    Differs:
        a mean over pairs, where the papers' code takes the sum.
    Example:
        >>> import torch
        >>> round(ranking(torch.zeros(2, 2), torch.eye(2, dtype=torch.bool)).item(), 4)
        0.4
    """
    if cosine_BP.shape != match_BP.shape:
        raise ShapeError(
            f"cosines are {tuple(cosine_BP.shape)} and matches {tuple(match_BP.shape)}; they must be alike"
        )
    both = [_one_way(c, m, margin, negatives) for c, m in ((cosine_BP, match_BP), (cosine_BP.T, match_BP.T))]
    return (both[0].sum() + both[1].sum()) / max(1, len(both[0]))


def _one_way(cosine_RC: Tensor, match_RC: Tensor, margin: float, negatives: Negatives) -> Tensor:
    """(N,) what each of the N right pairs costs against the wrong ones of its row; 0 where there are none."""
    row_N, column_N = match_RC.nonzero(as_tuple=True)
    hinge_NC = (margin - cosine_RC[row_N, column_N][:, None] + cosine_RC[row_N]).clamp(min=0)
    hinge_NC = hinge_NC.masked_fill(match_RC[row_N], 0.0)
    return hinge_NC.amax(1) if negatives == "hardest" else hinge_NC.sum(1)
