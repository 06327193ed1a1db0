"""Symmetric InfoNCE between pictures and their texts, with several texts a picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.errors import ShapeError
from tuwen.types import Batch, Latent, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    first: str = "image"
    """Field on one side; one value a row."""
    second: str = "text"
    """Field on the other side; one or several values a row."""

    def build(self) -> Contrastive:
        return Contrastive(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()


class Contrastive:
    """`(made, batch) -> Terms(contrastive)`; no term where one side is missing."""

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        pair = matched_pair(made, self.config.first, self.config.second)
        if pair is None or not bool(pair[1].any()):
            return Terms()
        logits_BP, match_BP = pair
        return Terms({"contrastive": contrastive(logits_BP, match_BP)})


def matched_pair(made: Made, first: str, second: str) -> tuple[Tensor, Tensor] | None:
    """Logits of all pairs (B, P) and which of them belong together (B, P) bool; None where a side is missing."""
    a, b = made.latents.get(first), made.latents.get(second)
    if a is None or b is None:
        return None
    return pair_logits(a, b), owners(a)[:, None] == owners(b)[None, :]


def owners(latent: Latent) -> Tensor:
    """(P,) the batch row of each value."""
    return latent.owner_P if latent.owner_P is not None else torch.arange(len(latent), device=latent.pooled.device)


def pair_logits(a: Latent, b: Latent) -> Tensor:
    """(P_a, P_b) float32: scale_a * scale_b * cosine + bias_a + bias_b.

    Raises:
        ShapeError: the two spaces have different widths.
    """
    if a.pooled.shape[-1] != b.pooled.shape[-1]:
        raise ShapeError(
            f"two spaces of widths {a.pooled.shape[-1]} and {b.pooled.shape[-1]} cannot be compared; give both the same space.*.embed"
        )
    with torch.autocast(a.pooled.device.type, enabled=False):
        cosine = F.normalize(a.pooled.float(), dim=-1) @ F.normalize(b.pooled.float(), dim=-1).T
        if a.scale is not None and b.scale is not None:
            cosine = cosine * (a.scale * b.scale)
        if a.bias is not None and b.bias is not None:
            cosine = cosine + a.bias + b.bias
    return cosine


def contrastive(logits_BP: Tensor, match_BP: Tensor) -> Tensor:
    """Mean of both cross-entropies, in nats per pair; texts of one picture are not each other's negatives.

    Args:
        logits_BP: (B, P) float; row i is a picture, column j a text.
        match_BP: (B, P) bool; True where they belong together. A row or column without any is left out.
    Returns:
        Scalar; log(B) when features carry no information and each picture has one text, 0 in the limit of perfect pairs.
    Raises:
        ShapeError: logits and matches differ in shape.
    Source:
        van den Oord et al. 2018, arXiv:1807.03748, eq. 4; symmetric form: Radford et al. 2021, fig. 3.
    Differs:
        each of several texts of a picture is its own positive, against the texts of other pictures only.
    Example:
        >>> round(contrastive(torch.eye(2), torch.eye(2, dtype=torch.bool)).item(), 4)
        0.3133
    """
    if logits_BP.shape != match_BP.shape:
        raise ShapeError(f"logits are {tuple(logits_BP.shape)} and matches {tuple(match_BP.shape)}; they must be alike")
    return (_one_way(logits_BP, match_BP) + _one_way(logits_BP.T, match_BP.T)) / 2


def _one_way(logits: Tensor, match: Tensor) -> Tensor:
    """-log(e^positive / (e^positive + sum of negatives)), mean over positives, rows weighing alike."""
    negatives = logits.masked_fill(match, float("-inf")).logsumexp(1, keepdim=True)
    cost = (F.softplus(negatives - logits) * match).sum(1) / match.sum(1).clamp(min=1)
    return cost[match.any(1)].mean()
