"""Counts of n-grams of many sentences at once, as sorted numpy arrays.

Legend: S sentences (the N predictions, then all references), E entries (one for each different n-gram of a sentence),
G different n-grams of the set, O orders, J pairs of an entry of a prediction with one of its item's references.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

MAX_ORDER = 4
"""Longest n-gram that BLEU and CIDEr count."""


@dataclass(frozen=True)
class Counts:
    """The n-grams of one order; entries ascend by sentence, then by n-gram."""

    sentence_E: np.ndarray
    gram_E: np.ndarray
    count_E: np.ndarray
    num_grams: int

    @cached_property
    def key_E(self) -> np.ndarray:
        key_E: np.ndarray = self.sentence_E * self.num_grams + self.gram_E
        return key_E

    def find(self, sentence_J: np.ndarray, gram_J: np.ndarray) -> np.ndarray:
        """(J,) entry of each n-gram in each sentence, or -1 where the sentence lacks it."""
        return find(self.key_E, sentence_J * self.num_grams + gram_J)


def find(sorted_E: np.ndarray, wanted_J: np.ndarray) -> np.ndarray:
    """(J,) place of each wanted number among sorted ones, or -1."""
    if not len(sorted_E):
        return np.full(len(wanted_J), -1)
    place_J = np.minimum(np.searchsorted(sorted_E, wanted_J), len(sorted_E) - 1)
    return np.where(sorted_E[place_J] == wanted_J, place_J, -1)


class Ngrams:
    """N-grams of orders 1 to `MAX_ORDER` of N predictions and their references.

    Args:
        predictions: N lists of token numbers.
        references: N lists of one or more such lists.
        num_tokens: token numbers are below this.
    """

    def __init__(self, predictions: list[list[int]], references: list[list[list[int]]], *, num_tokens: int) -> None:
        sentences = [*predictions, *chain.from_iterable(references)]
        self.num_items = len(predictions)
        self.length_S = np.fromiter(map(len, sentences), np.int64, len(sentences))
        self.references_N = np.fromiter(map(len, references), np.int64, self.num_items)
        self.first_N = self.num_items + np.cumsum(self.references_N) - self.references_N
        """First reference of each item, as the number of its sentence."""
        every = np.arange(self.num_items)
        self.item_S = np.concatenate([every, np.repeat(every, self.references_N)])
        token_T = np.fromiter(chain.from_iterable(sentences), np.int64, int(self.length_S.sum()))
        self.num_tokens = max(num_tokens, 1)
        self.grams_OG = [np.arange(self.num_tokens)]
        """By order the n-grams: the number of the shorter one times `num_tokens`, and the token after it."""
        self.orders = self._count(token_T)

    def _count(self, token_T: np.ndarray) -> list[Counts]:
        sentence_T = np.repeat(np.arange(len(self.length_S)), self.length_S)
        end_T = np.cumsum(self.length_S)[sentence_T]
        start_T = np.arange(len(token_T))
        gram_T, num_grams, found = token_T, self.num_tokens, []
        for order in range(1, MAX_ORDER + 1):
            if order > 1:  # an n-gram is a shorter one and the token after it, where the sentence goes that far
                fits_T = start_T + order <= end_T
                start_T, end_T, sentence_T = start_T[fits_T], end_T[fits_T], sentence_T[fits_T]
                longer_T = gram_T[fits_T] * self.num_tokens + token_T[start_T + order - 1]
                grams_G, gram_T = np.unique(longer_T, return_inverse=True)
                self.grams_OG.append(grams_G)
                num_grams = max(len(grams_G), 1)
            key_E, count_E = np.unique(sentence_T * num_grams + gram_T, return_counts=True)
            sentence_E, gram_E = np.divmod(key_E, num_grams)
            found.append(Counts(sentence_E, gram_E, count_E, num_grams))
        return found

    def pairs(self, counts: Counts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every n-gram of a prediction beside every reference of its item.

        Returns:
            (J,) entry of the prediction, (J,) sentence of the reference, (J,) entry of the reference or -1.
        """
        num_own = int(np.searchsorted(counts.sentence_E, self.num_items))
        item_E = counts.sentence_E[:num_own]
        repeats_E = self.references_N[item_E]
        own_J = np.repeat(np.arange(num_own), repeats_E)
        step_J = np.arange(len(own_J)) - np.repeat(np.cumsum(repeats_E) - repeats_E, repeats_E)
        sentence_J = self.first_N[item_E[own_J]] + step_J
        return own_J, sentence_J, counts.find(sentence_J, counts.gram_E[own_J])

    @cached_property
    def all_pairs(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """`pairs` of each order; BLEU and CIDEr both read them."""
        return [self.pairs(counts) for counts in self.orders]
