"""Figures that are made of sums over rows, so that a bootstrap over the rows gives their intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

DRAWS = 1000
"""Samples of a bootstrap."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Sums over rows, and what they give."""

    rows_NM: np.ndarray
    """(N, M): what each row adds to each of M sums."""
    of: Callable[[np.ndarray], dict[str, float]]
    """(M,) sums -> figures."""
    more: Mapping[str, float]
    """Figures without an interval."""

    @property
    def figures(self) -> dict[str, float]:
        """Name -> value over all rows."""
        return {**self.of(self.rows_NM.sum(0)), **self.more}

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Name -> 2.5 % and 97.5 % points over `DRAWS` samples of the rows, with replacement."""
        generator, num_rows = np.random.default_rng(seed), len(self.rows_NM)
        found: dict[str, list[float]] = {}
        for _ in range(DRAWS):
            times_N = np.bincount(generator.integers(0, num_rows, num_rows), minlength=num_rows)
            for name, value in self.of(times_N @ self.rows_NM).items():
                found.setdefault(name, []).append(value)
        bounds = {
            name: np.percentile(values, (2.5, 97.5)) for name, values in found.items() if not name.startswith("num_")
        }
        return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def caption_rates(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Rates:
    """bleu_1 .. bleu_4, rouge_l, cider; the rarity of words is that of all rows in every sample of the bootstrap."""
    from tuwen.metric import bleu, cider, rouge
    from tuwen.metric._captions import prepare

    kept = prepare(captions, references)
    length_N, closest_N, correct_NK, guess_NK = bleu._statistics(kept.ngrams())
    rouge_N, cider_N = np.array(rouge.Rouge(kept).per_item()), np.array(cider.Cider(kept).per_item())
    num_N = np.ones(len(captions))
    rows_NM = np.column_stack([rouge_N, cider_N, num_N, length_N, closest_N, correct_NK, guess_NK]).astype(float)
    order = correct_NK.shape[1]

    def of(sums_M: np.ndarray) -> dict[str, float]:
        rouge_l, cider_d, num = sums_M[:3]
        parts = (sums_M[3:4], sums_M[4:5], sums_M[None, 5 : 5 + order], sums_M[None, 5 + order :])
        values = bleu._bleu(*parts)[0]
        named = {f"bleu_{k}": float(value) for k, value in enumerate(values, 1)}
        return {**named, "rouge_l": float(rouge_l / num), "cider": float(cider_d / num)}

    return Rates(rows_NM=rows_NM, of=of, more={})


def truth_rates(captions: Sequence[str], scenes: Sequence[Any]) -> Rates:
    """What `metric.statement_truth` counts, of captions of the drawn world."""
    from tuwen.metric import statement_truth

    counts = []
    for caption, scene in zip(captions, scenes, strict=True):
        one = statement_truth.Config().build()
        one.update([caption], [scene])
        counts.append(one.count)
    names = sorted({name for count in counts for name in count})
    rows_NM = np.array([[count[name] for name in names] for count in counts], float)

    def of(sums_M: np.ndarray) -> dict[str, float]:
        whole = statement_truth.Config().build()
        whole.count.update({name: int(value) for name, value in zip(names, sums_M, strict=True)})
        found = whole.result()
        if not whole.count["unseen"]:
            found = {name: value for name, value in found.items() if "unseen" not in name}
        return {name: value for name, value in found.items() if name != "num_captions"}

    return Rates(rows_NM=rows_NM, of=of, more={})


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
