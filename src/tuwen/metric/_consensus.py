"""CIDEr-D of single captions, with the rarity of n-grams counted before: what a reward in training needs.

`cider` scores a whole set at once and counts rarity in that set; with the same documents both give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from tuwen.metric._ngrams import Ngrams, find
from tuwen.metric._tokens import tokenize
from tuwen.metric.cider import rarity, similarity

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
        self.number: dict[str, int] = {}
        told = [[text for text in references if text.strip()] for references in documents]
        groups = [[self._numbers(text, self.number) for text in references] for references in told if references]
        self.num_documents = len(groups)
        ngrams = Ngrams([[] for _ in groups], groups, num_tokens=len(self.number))
        self.num_tokens, self.grams_OG = ngrams.num_tokens, ngrams.grams_OG
        self.rarity_OG = [rarity(ngrams, counts) for counts in ngrams.orders] if groups else []

    def scores(
        self, texts: Sequence[str], references: Sequence[Sequence[str]], finished: Sequence[bool] | None = None
    ) -> list[float]:
        """CIDEr-D of each text with its references, 0 to 10; 0 where there is nothing to compare.

        Args:
            references: as many groups as texts.
            finished: whether each text came to its end; all did if None.
        """
        number = dict(self.number)  # words that no document has are not kept
        ended = [True] * len(texts) if finished is None else finished
        own = [self._numbers(text, number, end) for text, end in zip(texts, ended, strict=True)]
        known = {text: self._numbers(text, number) for group in references for text in group if text.strip()}
        theirs = [[known[text] for text in group if text in known] or [[]] for group in references]
        ngrams = Ngrams(own, theirs, num_tokens=len(number))
        found: list[float] = similarity(ngrams, self._weights(ngrams)).tolist()
        return found

    def _numbers(self, text: str, number: dict[str, int], finished: bool = True) -> list[int]:
        tokens = [*tokenize(text), *([_END] if self.end and finished else [])]
        return [number.setdefault(token, len(number)) for token in tokens]

    def _weights(self, ngrams: Ngrams) -> list[np.ndarray]:
        """By order (G,) the rarity of each n-gram of a set in the documents."""
        if not self.num_documents:
            return [np.ones(counts.num_grams) for counts in ngrams.orders]
        unknown, found = math.log(self.num_documents), []
        token_G = np.arange(ngrams.num_tokens)
        place_G = np.where(token_G < self.num_tokens, token_G, -1)
        for order, (grams_G, rarity_G) in enumerate(zip(ngrams.grams_OG, self.rarity_OG, strict=True)):
            if order:  # known if the shorter one and the token after it are, and the two stand together in a document
                shorter_G, last_G = np.divmod(grams_G, ngrams.num_tokens)
                known_G = (place_G[shorter_G] >= 0) & (last_G < self.num_tokens)
                wanted_G = np.where(known_G, place_G[shorter_G] * self.num_tokens + last_G, -1)
                place_G = find(self.grams_OG[order], wanted_G)
            found.append(np.where(place_G >= 0, rarity_G[place_G], unknown))
        return found
