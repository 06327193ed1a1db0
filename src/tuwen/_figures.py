"""Figures that are made of sums over rows, so that a bootstrap over the rows gives their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

DRAWS = 1000
"""Samples of a bootstrap."""
RANKS = (1, 5, 10)
"""Values of k of recall at k."""


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
        bounds = {name: np.percentile(values, (2.5, 97.5)) for name, values in found.items() if not name.startswith("num_")}
        return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def caption_rates(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Rates:
    """bleu_1 .. bleu_4, rouge_l, cider; the rarity of words is that of all rows in every sample of the bootstrap."""
    from tuwen.metric import bleu, cider, rouge
    from tuwen.metric._captions import prepare

    kept = prepare(captions, references)
    scores = bleu.Bleu(kept)
    counts = scores._statistics()
    length_N, closest_N, correct_NK, guess_NK = counts
    means = [rouge.Rouge(kept).per_item(), cider.Cider(kept).per_item(), np.ones(len(captions))]
    rows_NM = np.column_stack([*means, length_N, closest_N, correct_NK, guess_NK]).astype(float)
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


def recall_rates(image_PD: Tensor, text_QD: Tensor, owner_P: Tensor, owner_Q: Tensor) -> tuple[Rates, dict[str, float]]:
    """Recall at 1, 5 and 10 both ways over all pairs, median ranks, and what chance gives.

    Args:
        image_PD, text_QD: of length 1.
        owner_P, owner_Q: rows that they belong to; a picture is found by any of its texts. Those without a partner
            are looked through, but not asked for.
    """
    rank_P, rank_Q = ranks(image_PD, text_QD, owner_P, owner_Q), ranks(text_QD, image_PD, owner_Q, owner_P)
    rows = int(max(owner_P.max(), owner_Q.max())) + 1
    sums, more, chance = [], {}, {}
    ways = (("image_to_text", rank_P, owner_P, owner_Q), ("text_to_image", rank_Q, owner_Q, owner_P))
    for name, rank, owner, others in ways:
        asked = np.isfinite(rank)
        place, rank = owner.numpy()[asked], rank[asked]
        sums += [np.bincount(place, rank <= k, rows) for k in RANKS] + [np.bincount(place, minlength=rows)]
        more[f"{name}_median_rank"] = float(np.median(rank)) if len(rank) else math.nan
        right = np.bincount(others.numpy(), minlength=rows)[place]
        guessed = _chance(name, right, len(others))
        chance |= guessed
    rows_NM = np.column_stack(sums).astype(float)
    rows_NM = rows_NM[rows_NM[:, [len(RANKS), -1]].any(1)]
    recalls = [name for name in chance if "median" not in name]
    return Rates(rows_NM=rows_NM, of=_recalls, more=more), {**chance, "recall": float(np.mean([chance[n] for n in recalls]))}


def _recalls(sums_M: np.ndarray) -> dict[str, float]:
    num = len(RANKS)
    found = {}
    for name, part in zip(("image_to_text", "text_to_image"), (sums_M[: num + 1], sums_M[num + 1 :]), strict=True):
        found |= {f"{name}_r{k}": float(hits / max(1, part[-1])) for k, hits in zip(RANKS, part, strict=False)}
    return {**found, "recall": float(np.mean(list(found.values())))}


def ranks(asked_PD: Tensor, sought_QD: Tensor, owner_P: Tensor, owner_Q: Tensor, chunk: int = 256) -> np.ndarray:
    """(P,) rank, from 1, of the best right one among the sought; infinite where there is none.

    Wrong ones that score the same count half, so that a model that tells nothing apart stands in the middle.
    """
    found = []
    for start in range(0, len(asked_PD), chunk):
        score = asked_PD[start : start + chunk] @ sought_QD.T
        right = owner_P[start : start + chunk, None] == owner_Q[None]
        best = score.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
        above = ((score > best) & ~right).sum(1) + 0.5 * ((score == best) & ~right).sum(1)
        found.append(torch.where(right.any(1), 1.0 + above, torch.inf))
    return torch.cat(found).double().numpy() if found else np.zeros(0)


def _chance(name: str, right_P: np.ndarray, num: int) -> dict[str, float]:
    """What drawing without looking gives: `right_P` of `num` are right."""
    found = {}
    for k in RANKS:
        missed = np.ones(len(right_P))
        for i in range(min(k, num)):
            missed *= np.clip((num - right_P - i) / (num - i), 0, 1)
        found[f"{name}_r{k}"] = float(1 - missed.mean()) if len(missed) else math.nan
    found[f"{name}_median_rank"] = float(np.median((num + 1) / (right_P + 1))) if len(right_P) else math.nan
    return found
