"""Retrieval between pictures and texts, over all rows at once.

Figures:
    i2t_r1, i2t_r5, i2t_r10, i2t_median_rank (any of a picture's texts), the same for t2i, and recall, the mean of the six;
    contrastive_chance: what the contrastive loss is for a model that knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.judge._rates import Means, Rates
from tuwen.objective.contrastive import contrastive, matched_pair
from tuwen.task import match as matching
from tuwen.types import Batch, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal

_FIELDS = ("image", "text")


def able(model: CrossModal) -> bool:
    """Whether the model has pictures and texts in one space."""
    return matching.able(model)


class Judge:
    """Collects the vectors of pictures and texts."""

    less = ("i2t_median_rank", "t2i_median_rank")
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.means = Means()
        self.vectors: dict[str, list[Tensor]] = {name: [] for name in _FIELDS}
        self.owners: dict[str, list[Tensor]] = {name: [] for name in _FIELDS}
        self.seen = 0

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        pair = matched_pair(made, *_FIELDS)
        if pair is not None:
            if len(batch) > 1:
                chance = float(contrastive(torch.zeros_like(pair[0]), pair[1]))
                self.means.add("contrastive_chance", chance, len(batch))
            for name in _FIELDS:
                latent = made.latents[name]
                self.vectors[name].append(F.normalize(latent.pooled.float(), dim=-1).cpu())
                owner = torch.arange(len(latent)) if latent.owner_P is None else latent.owner_P.cpu()
                self.owners[name].append(owner + self.seen)
        self.seen += len(batch)

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """Figures of retrieval, with what chance gives."""
        found = self.means.result()
        chance = {"contrastive": found["contrastive_chance"]} if found else {}
        yield Rates(more=found), chance
        if self.vectors["image"]:
            vectors, owners = ([torch.cat(some[name]) for name in _FIELDS] for some in (self.vectors, self.owners))
            recalled = recall_rates(*vectors, *owners)
            if recalled is not None:
                yield recalled

    def rows(self) -> list[dict[str, Any]]:
        """None: what is found depends on all rows."""
        return []


def recall_rates(
    image_PD: Tensor, text_QD: Tensor, owner_P: Tensor, owner_Q: Tensor
) -> tuple[Rates, dict[str, float]] | None:
    """What `metric.recall` gives over all pairs, `recall` (the mean of the recalls), and the same by chance.

    Args:
        image_PD, text_QD: of length 1.
        owner_P, owner_Q: rows that they belong to; one picture a row. Texts without a picture are left out.
    Returns:
        None where no text has a picture.
    """
    from tuwen.metric.recall import Recall

    place = {row: i for i, row in enumerate(owner_P.tolist())}
    kept = torch.tensor([row in place for row in owner_Q.tolist()], dtype=torch.bool)
    owner_M = np.array([place[row] for row in owner_Q[kept].tolist()], dtype=np.int64)
    if not len(owner_M):
        return None
    recall = Recall()
    recall.update_vectors(image_PD.numpy(), text_QD[kept].numpy(), owner_M)
    result, hits = recall.result(), recall.per_item()
    asked = np.unique(owner_M)
    rows_NM = np.zeros((len(asked), len(hits) + 2))
    for column, (name, values) in enumerate(hits.items()):
        own = asked if name.startswith("i2t") else owner_M
        rows_NM[:, column] = np.bincount(np.searchsorted(asked, own), values, len(asked))
    rows_NM[:, -2], rows_NM[:, -1] = 1, np.bincount(np.searchsorted(asked, owner_M), minlength=len(asked))
    names = list(hits)

    def of(sums_M: np.ndarray) -> dict[str, float]:
        found = {name: float(sums_M[i] / sums_M[-2 if name.startswith("i2t") else -1]) for i, name in enumerate(names)}
        return {**found, "recall": float(np.mean(list(found.values())))}

    more = {name: result[name] for name in ("i2t_median_rank", "t2i_median_rank")}
    chance = {name: result[f"chance_{name}"] for name in (*names, *more)}
    return Rates(rows_NM=rows_NM, of=of, more=more), {**chance, "recall": float(np.mean([chance[n] for n in names]))}


__all__ = ["Judge", "able", "recall_rates"]
