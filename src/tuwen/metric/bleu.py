"""BLEU-1 to BLEU-4 of captions: clipped n-gram precision with a penalty for short ones.

Source:
    Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL, sections 2.1 to 2.3;
    constants against division by zero and the closest reference length (of two as close, the shorter) as coco-caption.
Differs:
    from sacreBLEU: tokens are those of coco-caption (lower-cased, no punctuation). Per item, BLEU-4 is not smoothed by
    more than those constants: a caption without a common 4-gram scores near 0. An empty caption scores 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tuwen.metric._captions import CaptionMetric, Captions, Sums
from tuwen.metric._ngrams import MAX_ORDER, Ngrams

_TINY = 1e-15
"""Added to what is divided, so that nothing guessed gives a score of nothing."""
_SMALL = 1e-9
"""Added to what divides."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """BLEU of captions; nothing to set, so that numbers stay comparable."""

    def build(self) -> Bleu:
        return Bleu()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[list[str], list[list[str]]]:
        return ["a red circle"] * batch, [["a red circle", "one circle"]] * batch


class Bleu(CaptionMetric):
    """`result`: bleu_1 .. bleu_4 of the whole set; `per_item`: BLEU-4 of each caption, as coco-caption reports it."""

    def result(self) -> dict[str, float]:
        """bleu_1 .. bleu_4: counts are summed over the set before they are divided."""
        rows_NM, of = self.sums()
        return of(rows_NM.sum(0))

    def sums(self) -> Sums:
        """Lengths, closest lengths, matched n-grams and n-grams said, of each item."""
        rows_NM = np.column_stack(_statistics(self._filled().ngrams())).astype(float)

        def of(sums_M: np.ndarray) -> dict[str, float]:
            correct_1K, guess_1K = sums_M[None, 2 : 2 + MAX_ORDER], sums_M[None, 2 + MAX_ORDER :]
            return _named(_bleu(sums_M[:1], sums_M[1:2], correct_1K, guess_1K))

        return Sums(rows_NM, of)

    def _score(self, captions: Captions) -> list[float]:
        scores: list[float] = _bleu(*_statistics(captions.ngrams()))[:, -1].tolist()
        return scores


def _named(score_1K: np.ndarray) -> dict[str, float]:
    return {f"bleu_{order}": float(score) for order, score in enumerate(score_1K[0], 1)}


def _statistics(ngrams: Ngrams) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(N,) lengths, (N,) closest reference lengths, (N, 4) matched n-grams, (N, 4) n-grams said."""
    num_items = ngrams.num_items
    length_N = ngrams.length_S[:num_items]
    correct_NK = np.zeros((num_items, MAX_ORDER))
    for k, (counts, (own_J, _, entry_J)) in enumerate(zip(ngrams.orders, ngrams.all_pairs, strict=True)):
        most_E = np.zeros(len(counts.count_E), np.int64)
        hit_J = entry_J >= 0
        np.maximum.at(most_E, own_J[hit_J], counts.count_E[entry_J[hit_J]])
        num_own = int(np.searchsorted(counts.sentence_E, num_items))
        clipped_E = np.minimum(most_E, counts.count_E)[:num_own]
        correct_NK[:, k] = np.bincount(counts.sentence_E[:num_own], clipped_E, num_items)
    guess_NK = np.maximum(length_N[:, None] - np.arange(MAX_ORDER), 0)
    return (
        length_N,
        _closest(length_N, ngrams.length_S[num_items:], ngrams.first_N - num_items),
        correct_NK,
        guess_NK,
    )


def _closest(length_N: np.ndarray, length_R: np.ndarray, first_N: np.ndarray) -> np.ndarray:
    """(N,) length of the reference nearest to each caption's; of two as near, the shorter."""
    bound = int(length_R.max()) + 1
    own_R = np.repeat(length_N, np.diff(first_N, append=len(length_R)))
    return np.minimum.reduceat(abs(length_R - own_R) * bound + length_R, first_N) % bound


def _bleu(length_N: np.ndarray, closest_N: np.ndarray, correct_NK: np.ndarray, guess_NK: np.ndarray) -> np.ndarray:
    """(N, 4) geometric means of the precisions up to each order, times the penalty for brevity."""
    precision_NK = (correct_NK + _TINY) / (guess_NK + _SMALL)
    mean_NK = np.cumprod(precision_NK, axis=1) ** (1.0 / np.arange(1, MAX_ORDER + 1))
    ratio_N = (length_N + _TINY) / (closest_N + _SMALL)
    penalty = [math.exp(1 - 1 / ratio) if ratio < 1 else 1.0 for ratio in ratio_N.tolist()]
    score_NK: np.ndarray = mean_NK * np.array(penalty)[:, None]
    return score_NK
