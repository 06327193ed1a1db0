"""How much of its codes a quantised space uses, over all rows at once.

Figures, of a space other than the pictures' with the name of its field before them:
    code_use: share of the codes that occur; code_perplexity: the share that would occur if all were used alike,
        exp(entropy) over their number.
Chance: as many codes drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tuwen.judge._rates import Rates
from tuwen.space._codes import Codes
from tuwen.types import Batch, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal


def able(model: CrossModal) -> bool:
    """Whether a space of the model has codes."""
    return bool(_sizes(model))


def _sizes(model: CrossModal) -> dict[str, int]:
    """Field -> codes that there are."""
    return {field: part.size for field, part in model.spaces.items() if isinstance(part, Codes)}


class Judge:
    """Counts the codes of each field."""

    less = ()
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.counts = {field: torch.zeros(size) for field, size in _sizes(model).items()}

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        for field, count_K in self.counts.items():
            latent = made.latents.get(field)
            if latent is not None and latent.codes is not None:
                real_N = latent.codes.flatten() if latent.mask is None else latent.codes[latent.mask]
                count_K += torch.bincount(real_N.cpu(), minlength=len(count_K))

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """Both figures of each field, and those of random codes."""
        for field, count_K in self.counts.items():
            if num := int(count_K.sum()):
                random_N = torch.randint(len(count_K), (num,), generator=torch.Generator().manual_seed(0))
                before = "" if field == "image" else f"{field}_"
                yield Rates(more=_figures(count_K, before)), _figures(random_N.bincount(minlength=len(count_K)), before)

    def rows(self) -> list[dict[str, Any]]:
        """Nothing of single rows."""
        return []


def _figures(count_K: Tensor, before: str) -> dict[str, float]:
    share_K = count_K / count_K.sum()
    perplexity = float(torch.special.entr(share_K).sum().exp())
    return {
        f"{before}code_use": float((count_K > 0).float().mean()),
        f"{before}code_perplexity": perplexity / len(count_K),
    }
