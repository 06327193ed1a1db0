"""Retrieval between pictures and texts, over all rows at once.

Figures:
    i2t_r1, i2t_r5, i2t_r10, i2t_median_rank, i2t_mean_rank (any of a picture's texts), i2t_map (all of them), the same for
    t2i, and recall, the mean of the six recalls;
    contrastive_chance: what the contrastive loss is for a model that knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.judge._rates import Means, Rates, Weighted
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

    less = ("i2t_median_rank", "i2t_mean_rank", "t2i_median_rank", "t2i_mean_rank")
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.means, self.gallery = Means(), asked.gallery
        self.vectors: dict[str, list[Tensor]] = {name: [] for name in _FIELDS}
        self.owners: dict[str, list[Tensor]] = {name: [] for name in _FIELDS}
        self.seen = 0

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        pair = matched_pair(made, *_FIELDS)
        if pair is not None and len(batch) > 1:
            chance = float(contrastive(torch.zeros_like(pair[0]), pair[1]))
            self.means.add("contrastive_chance", chance, len(batch))
        for name in _FIELDS:  # a picture of a batch without texts is a candidate too
            if latent := made.latents.get(name):
                self.vectors[name].append(F.normalize(latent.pooled.float(), dim=-1).cpu())
                owner = torch.arange(len(latent)) if latent.owner_P is None else latent.owner_P.cpu()
                self.owners[name].append(owner + self.seen)
        self.seen += len(batch)

    def rates(self) -> Iterable[tuple[Rates | Weighted, dict[str, float]]]:
        """Figures of retrieval, with what chance gives."""
        found = self.means.result()
        chance = {"contrastive": found["contrastive_chance"]} if found else {}
        yield Rates(more=found), chance
        if all(self.vectors.values()):
            vectors, owners = ([torch.cat(some[name]) for name in _FIELDS] for some in (self.vectors, self.owners))
            recalled = recall_rates(*vectors, *owners, gallery=self.gallery)
            if recalled is not None:
                yield recalled

    def notes(self) -> list[str]:
        """Which pictures are in no figure."""
        num = sum(map(len, self.owners["image"]))
        left = num % self.gallery if self.gallery else 0
        return [f"{left} of {num} pictures fill no gallery of {self.gallery} and are left out"] if left else []

    def rows(self) -> list[dict[str, Any]]:
        """None: what is found depends on all rows."""
        return []


def recall_rates(
    image_PD: Tensor, text_QD: Tensor, owner_P: Tensor, owner_Q: Tensor, *, gallery: int = 0
) -> tuple[Weighted, dict[str, float]] | None:
    """What `metric.recall` gives, `recall` (the mean of the recalls), and the same by chance.

    Args:
        image_PD, text_QD: of length 1.
        owner_P, owner_Q: rows that they belong to; one picture a row. Texts without a picture are left out.
        gallery: pictures that are looked through at once; 0: all. With it, num_galleries is among the figures.
    Returns:
        None where no text has a picture.
    Raises:
        DataError: there are fewer pictures than fill a gallery.
    """
    from tuwen.metric.recall import Config

    place = {row: i for i, row in enumerate(owner_P.tolist())}
    kept = torch.tensor([row in place for row in owner_Q.tolist()], dtype=torch.bool)
    owner_M = np.array([place[row] for row in owner_Q[kept].tolist()], dtype=np.int64)
    if not len(owner_M):
        return None
    recall = Config(gallery=gallery).build()
    recall.update_vectors(image_PD.numpy(), text_QD[kept].numpy(), owner_M)
    if gallery:  # a rest that fills no gallery was not asked
        owner_M = owner_M[owner_M < len(owner_P) // gallery * gallery]
    asked, row_M = np.unique(owner_M, return_inverse=True)
    columns = recall.per_query()
    if gallery:  # texts came gallery by gallery
        row_M = row_M[np.argsort(owner_M // gallery, kind="stable")]

    def of(times_N: np.ndarray) -> dict[str, float]:
        return _of_queries(columns, {"i2t": times_N, "t2i": times_N[row_M]})

    more = {"num_galleries": float(recall.num_galleries)} if gallery else {}
    found = Weighted(num_rows=len(asked), of=of, more=more)
    result, names = recall.result(), [name for name in found.figures if name not in ("recall", *more)]
    chance = {name: result[f"chance_{name}"] for name in names}
    return found, {**chance, "recall": _mean_recall(chance)}


def _of_queries(columns: Mapping[str, np.ndarray], times: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Figures of queries that count as often as they are drawn."""
    found: dict[str, float] = {}
    for name, value_Q in columns.items():
        way, _, what = name.partition("_")
        times_Q = times[way]
        if what == "rank":
            found[f"{way}_median_rank"] = float(np.median(np.repeat(value_Q, times_Q.astype(np.int64))))
            found[f"{way}_mean_rank"] = float(np.average(value_Q, weights=times_Q))
        else:
            found[name] = float(np.average(value_Q, weights=times_Q))
    return {**found, "recall": _mean_recall(found)}


def _mean_recall(figures: Mapping[str, float]) -> float:
    """Of i2t_r1, t2i_r1, ..."""
    return float(np.mean([value for name, value in figures.items() if name.partition("_")[2].startswith("r")]))


__all__ = ["Judge", "able", "recall_rates"]
