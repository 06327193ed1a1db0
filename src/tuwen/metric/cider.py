"""CIDEr-D of captions: cosine of TF-IDF weighted n-grams with each reference; what the field reports as CIDEr.

Source:
    Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation", arXiv:1411.5726, eq. 1 to 4 and, for
    the clipping and the Gaussian penalty of lengths (sigma 6), section 7. Times 10, document frequencies from the
    references of the set that is scored, lengths counted in bigrams: as coco-caption has it.
Differs:
    no stemming (nor in coco-caption). Numbers of two sets do not compare: the weights come from the references,
    and a set of one picture gives 0, as every n-gram occurs in all documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuwen.metric._captions import CaptionMetric, Captions
from tuwen.metric._ngrams import MAX_ORDER, Counts, Ngrams

_SIGMA = 6.0
"""Spread of the penalty on a difference of lengths in published numbers."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """CIDEr-D of captions."""

    sigma: float = _SIGMA
    """Spread of the penalty on a difference of lengths, in words; above 0. Published numbers use 6."""
    rarity: bool = True
    """Whether rare n-grams count more, as in published numbers; without, items do not depend on each other."""

    def build(self) -> Cider:
        return Cider(sigma=self.sigma, rarity=self.rarity)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[list[str], list[list[str]]]:
        return ["a red circle"] * batch, [[f"a red circle and {item}", "one circle"] for item in range(batch)]


class Cider(CaptionMetric):
    """`result`: cider, the mean of `per_item`; 0 to 10, above 1 is usual for a good model on COCO."""

    range = (0.0, 10.0)

    def __init__(self, captions: Captions | None = None, *, sigma: float = _SIGMA, rarity: bool = True) -> None:
        super().__init__(captions)
        self.sigma, self.rarity = sigma, rarity

    def result(self) -> dict[str, float]:
        return {"cider": float(np.mean(self.per_item()))}

    def _score(self, captions: Captions) -> list[float]:
        ngrams = captions.ngrams()
        weights = [rarity(ngrams, counts) if self.rarity else np.ones(counts.num_grams) for counts in ngrams.orders]
        scores: list[float] = similarity(ngrams, weights, self.sigma).tolist()
        return scores


def similarity(
    ngrams: Ngrams, weight_OG: Sequence[np.ndarray], sigma: float = _SIGMA, voice_S: np.ndarray | None = None
) -> np.ndarray:
    """(N,) CIDEr-D of each prediction.

    Args:
        weight_OG: by order (G,) what each n-gram counts.
        sigma: see `Config`.
        voice_S: what each reference counts, in sum 1 for each item; those of predictions are not read. None: all alike.
    """
    parts = zip(ngrams.orders, ngrams.all_pairs, weight_OG, strict=True)
    cosine_S = sum(_cosine(ngrams, counts, pairs, weight_G) for counts, pairs, weight_G in parts) / MAX_ORDER
    length_S = np.maximum(ngrams.length_S - 1, 0)  # in bigrams
    delta_S = (length_S - length_S[ngrams.item_S]).astype(float)
    alike_S = cosine_S * np.exp(-(delta_S**2) / (2 * sigma**2))
    if voice_S is None:
        similarity_N: np.ndarray = 10.0 * np.bincount(ngrams.item_S, alike_S, ngrams.num_items) / ngrams.references_N
    else:
        similarity_N = 10.0 * np.bincount(ngrams.item_S, alike_S * voice_S, ngrams.num_items)
    return similarity_N


def _cosine(
    ngrams: Ngrams, counts: Counts, pairs: tuple[np.ndarray, np.ndarray, np.ndarray], weight_G: np.ndarray
) -> np.ndarray:
    """(S,) clipped cosine of each reference with the prediction of its item, for one order; 0 for predictions."""
    weight_E = counts.count_E * weight_G[counts.gram_E]
    num_sentences = len(ngrams.length_S)
    norm_S = np.sqrt(np.bincount(counts.sentence_E, weight_E**2, num_sentences))
    own_J, sentence_J, entry_J = pairs
    hit_J = entry_J >= 0
    own_J, theirs_J = weight_E[own_J[hit_J]], weight_E[entry_J[hit_J]]
    dot_S = np.bincount(sentence_J[hit_J], np.minimum(own_J, theirs_J) * theirs_J, num_sentences)
    scale_S = norm_S * norm_S[ngrams.item_S]
    cosine_S: np.ndarray = np.divide(dot_S, scale_S, out=np.zeros(num_sentences), where=scale_S > 0)
    return cosine_S


def rarity(ngrams: Ngrams, counts: Counts) -> np.ndarray:
    """(G,) log of the number of items over the number of items whose references hold the n-gram."""
    rarity_G: np.ndarray = np.log(float(ngrams.num_items)) - np.log(holders(ngrams, counts))
    return rarity_G


def holders(ngrams: Ngrams, counts: Counts) -> np.ndarray:
    """(G,) number of items whose references hold the n-gram, at least 1."""
    first = int(np.searchsorted(counts.sentence_E, ngrams.num_items))
    key_E = np.sort(ngrams.item_S[counts.sentence_E[first:]] * counts.num_grams + counts.gram_E[first:])
    once_E = key_E[np.diff(key_E, prepend=-1) > 0]  # several references of an item count as one document
    holders_G: np.ndarray = np.maximum(np.bincount(once_E % counts.num_grams, minlength=counts.num_grams), 1)
    return holders_G
