"""CIDEr-D of single captions, with the rarity of n-grams counted before: what a reward in training needs, and a vote.

`cider` scores a whole set at once and counts rarity in that set; with the same documents both give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tuwen.metric._ngrams import Ngrams
from tuwen.metric._tokens import tokenize
from tuwen.metric.cider import holders, similarity

_END = "<end>"
"""A token that stands for the end of a text; no tokenizer gives it."""


class Consensus:
    """How well texts agree with references, by n-grams that count the more, the fewer documents hold them.

    Args:
        documents: for each picture its references; one without any is no document. None at all: all n-grams count the
            same.
        end: whether the end of a text is a token like others. Without, a text that breaks off in mid-sentence is as
            good as a whole one, and training by this reward finds that out.
    Source:
        Vedantam et al. 2015, arXiv:1411.5726, section 7; the end: Luo 2020, arXiv:2003.09971, as its code has it.
    """

    def __init__(self, documents: Iterable[Sequence[str]] = (), *, end: bool = True):
        self.end = end
        number: dict[str, int] = {}
        told = [[text for text in references if text.strip()] for references in documents]
        groups = [[self._numbers(text, number) for text in references] for references in told if references]
        ngrams = Ngrams([[] for _ in groups], groups, num_tokens=len(number))
        self.num_documents = len(groups)
        self.holders: dict[str, int] = {}
        """N-gram -> how many documents hold it; those of one document count as those of none, and are not kept."""
        for counts, names in zip(ngrams.orders, _names(ngrams, list(number)), strict=True):
            held = zip(names, holders(ngrams, counts).tolist(), strict=False)  # an order without n-grams has a count
            self.holders.update((name, number) for name, number in held if number > 1)

    def to_dict(self, most: int = 20_000) -> dict[str, Any]:
        """As JSON, with the commonest n-grams alone; the others count as never seen."""
        commonest = sorted(self.holders.items(), key=lambda one: -one[1])[:most]
        return {"documents": self.num_documents, "holders": dict(commonest)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Consensus:
        """What `to_dict` kept."""
        made = cls()
        made.num_documents, made.holders = raw["documents"], dict(raw["holders"])
        return made

    def agreed(
        self,
        texts: Sequence[str],
        voices: Sequence[float],
        finished: Sequence[bool] | None = None,
        others: Mapping[str, float] | None = None,
    ) -> list[float]:
        """CIDEr-D of each text with all of them, itself included: the mean, in which each counts by its voice.

        Args:
            voices: one for each text.
            finished: whether each text came to its end; all did if None.
            others: texts that have a voice too and are not judged -> their voices.
        """
        number: dict[str, int] = {}
        ended = [True] * len(texts) if finished is None else finished
        said = [self._numbers(text, number, end) for text, end in zip(texts, ended, strict=True)]
        heard = [*said, *(self._numbers(text, number) for text in others or ())]
        ngrams = Ngrams(said, [heard] * len(said), num_tokens=len(number))
        voice_S = np.array([*voices, *[*voices, *(others or {}).values()] * len(said)])
        found: list[float] = similarity(ngrams, self._weights(ngrams, list(number)), voice_S=voice_S).tolist()
        return found

    def scores(
        self, texts: Sequence[str], references: Sequence[Sequence[str]], finished: Sequence[bool] | None = None
    ) -> list[float]:
        """CIDEr-D of each text with its references, 0 to 10; 0 where there is nothing to compare.

        Args:
            references: as many groups as texts.
            finished: whether each text came to its end; all did if None.
        """
        number: dict[str, int] = {}
        ended = [True] * len(texts) if finished is None else finished
        own = [self._numbers(text, number, end) for text, end in zip(texts, ended, strict=True)]
        known = {text: self._numbers(text, number) for group in references for text in group if text.strip()}
        theirs = [[known[text] for text in group if text in known] or [[]] for group in references]
        ngrams = Ngrams(own, theirs, num_tokens=len(number))
        found: list[float] = similarity(ngrams, self._weights(ngrams, list(number))).tolist()
        return found

    def _numbers(self, text: str, number: dict[str, int], finished: bool = True) -> list[int]:
        tokens = [*tokenize(text), *([_END] if self.end and finished else [])]
        return [number.setdefault(token, len(number)) for token in tokens]

    def _weights(self, ngrams: Ngrams, words: Sequence[str]) -> list[np.ndarray]:
        """By order (G,) the rarity of each n-gram of a set in the documents."""
        if not self.num_documents:
            return [np.ones(counts.num_grams) for counts in ngrams.orders]
        held = ([self.holders.get(name, 1) for name in names] or [1] for names in _names(ngrams, words))
        return [math.log(self.num_documents) - np.log(np.array(held_G)) for held_G in held]


def _names(ngrams: Ngrams, words: Sequence[str]) -> Iterator[list[str]]:
    """By order the n-grams of a set as they are written."""
    names = list(words)
    yield names
    for grams_G in ngrams.grams_OG[1:]:
        shorter_G, last_G = np.divmod(grams_G, ngrams.num_tokens)
        names = [f"{names[shorter]} {words[last]}" for shorter, last in zip(shorter_G, last_G, strict=True)]
        yield names
