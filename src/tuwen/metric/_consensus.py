"""CIDEr-D of one caption at a time, with the rarity of n-grams counted before: what a reward in training needs.

`cider` scores a whole set at once and counts rarity in that set; with the same documents both give the same numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tuwen.metric._ngrams import MAX_ORDER
from tuwen.metric._tokens import tokenize

_END = "<end>"
"""A token that stands for the end of a text; no tokenizer gives it."""

Gram = tuple[str, ...]


class _Cooked(NamedTuple):
    """A text as its weighted n-grams."""

    weight: list[dict[Gram, float]]
    """By order."""
    norm: list[float]
    """Length of the vector of each order."""
    bigrams: int
    """How many there are: the length that CIDEr-D compares."""


class Consensus:
    """How well texts agree with references, by n-grams that count the more, the fewer documents hold them.

    Args:
        documents: for each picture its references; none: all n-grams count the same.
        end: whether the end of a text is a token like others. Without, a text that breaks off in mid-sentence is as
            good as a whole one, and training by this reward finds that out.
        sigma: spread of the penalty on a difference of lengths.
    Source:
        Vedantam et al. 2015, arXiv:1411.5726, section 7; the end: Luo 2020, arXiv:2003.09971, as its code has it.
    """

    def __init__(self, documents: Iterable[Sequence[str]] = (), *, end: bool = True, sigma: float = 6.0):
        self.end, self.sigma = end, sigma
        self.holders: Counter[Gram] = Counter()
        count = 0
        for references in documents:
            count += 1
            self.holders.update({gram for text in references for gram in self._grams(text, True)})
        self.log_count = math.log(count) if count else 1.0

    def scores(
        self, texts: Sequence[str], references: Sequence[str], finished: Sequence[bool] | None = None
    ) -> list[float]:
        """CIDEr-D of several texts of one picture, 0 to 10 each; 0 where there is nothing to compare.

        Args:
            finished: whether each text came to its end; all did if None.
        """
        theirs = [self._cooked(text, True) for text in references if text.strip()]
        ended = [True] * len(texts) if finished is None else finished
        own = [self._cooked(text, end) for text, end in zip(texts, ended, strict=True)]
        return [10 * sum(self._like(one, other) for other in theirs) / max(1, len(theirs)) for one in own]

    def _grams(self, text: str, finished: bool) -> Counter[Gram]:
        tokens = [*tokenize(text), *([_END] if self.end and finished else [])]
        return Counter(
            tuple(tokens[i : i + order]) for order in range(1, MAX_ORDER + 1) for i in range(len(tokens) - order + 1)
        )

    def _cooked(self, text: str, finished: bool) -> _Cooked:
        weight: list[dict[Gram, float]] = [{} for _ in range(MAX_ORDER)]
        bigrams = 0
        for gram, count in self._grams(text, finished).items():
            weight[len(gram) - 1][gram] = count * (self.log_count - math.log(max(1, self.holders.get(gram, 0))))
            bigrams += count if len(gram) == 2 else 0
        norm = [math.sqrt(sum(value * value for value in grams.values())) for grams in weight]
        return _Cooked(weight, norm, bigrams)

    def _like(self, own: _Cooked, reference: _Cooked) -> float:
        """Mean over the orders of the clipped cosine, less where the lengths differ."""
        total = 0.0
        for order in range(MAX_ORDER):
            theirs, scale = reference.weight[order], own.norm[order] * reference.norm[order]
            if scale:
                shared = ((value, theirs[gram]) for gram, value in own.weight[order].items() if gram in theirs)
                total += sum(min(value, other) * other for value, other in shared) / scale
        return total / MAX_ORDER * math.exp(-((own.bigrams - reference.bigrams) ** 2) / (2 * self.sigma**2))
