"""Minimum Bayes risk: of many random texts the one that agrees best with all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.generate import sampling
from tuwen.generate._drawn import Drawn
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent

_Similarity = Literal["cider", "embedding"]

Embed = Callable[[Sequence[str]], Tensor]
"""Texts -> (N, D) vectors of length 1."""


@dataclass(frozen=True, kw_only=True)
class Config(Drawn):
    """Settings of `Mbr`: of what is drawn, and of how it is compared."""

    samples: int = 16
    """Texts that are drawn for each picture and compared, at least `best`."""
    similarity: _Similarity = "cider"
    """What agrees: cider, the words (CIDEr-D, all n-grams counting the same); embedding, the meaning, by an encoder."""
    best: int = 1
    """Texts that are given back for each picture, those that agree best first."""

    def check(self) -> None:
        super().check()
        self.require(self.samples >= 1, "samples", "it is at least 1, for example samples=16")
        self.require(self.similarity in get_args(_Similarity), "similarity", "it is cider or embedding")

    def build(self, embed: Embed | None = None) -> Mbr:
        """
        Args:
            embed: needed where similarity is "embedding".
        """
        self.check()
        return Mbr(self, embed)

    @classmethod
    def tiny(cls) -> Config:
        return cls(samples=4, max_tokens=6)


class Mbr:
    """Draws texts as `sampling` does and gives back those with the largest mean similarity to all that were drawn.

    Source:
        Kumar and Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation"; with samples: Eikema
        and Aziz 2020, arXiv:2005.10283, section 5.
    """

    def __init__(self, config: Config, embed: Embed | None = None):
        self.config, self.embed = config, embed
        shared = {f.name: getattr(config, f.name) for f in fields(Drawn)}
        self.sampling = sampling.Config(**{**shared, "best": config.samples}).build()

    def __call__(
        self, decoder: Any, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode; it gives `texts`.
            emit: called with (row, token) for the best text of a row, once all rows are done.
            cancelled: asked before every step; True compares what there is.
        Returns:
            One list a row, best first, of at most `best` different texts.
        Raises:
            ConfigError: texts are to be compared by embedding, and `build` was given none.
        """
        if self.config.similarity == "embedding" and self.embed is None:
            raise ConfigError(
                "generate.mbr.similarity is 'embedding' and no encoder of texts was given; set similarity='cider'"
            )
        drawn = self.sampling(decoder, latent, cancelled=cancelled)
        said = [decoder.texts([one.tokens for one in texts]) for texts in drawn]
        worth = _by_embedding(said, self.embed) if self.embed else _by_words(said)
        made = []
        for row, (texts, names, scores) in enumerate(zip(drawn, said, worth, strict=True)):
            first = {name: one for name, one in zip(reversed(names), reversed(texts), strict=True)}
            made.append([first[name] for name in sorted(first, key=lambda name: -scores[name])[: self.config.best]])
            for token in made[row][0].tokens if emit is not None else ():
                emit(row, token)  # type: ignore[misc]
        return made


def _by_words(said: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """For each picture text -> its mean CIDEr-D with all that were drawn for it, itself included."""
    from tuwen.metric.cider import Cider

    metric = Cider(rarity=False)  # a picture's own texts are no documents that rarity could be counted in
    different = [list(dict.fromkeys(texts)) if any(text.strip() for text in texts) else [] for texts in said]
    for texts, names in zip(said, different, strict=True):
        metric.update(names, [list(texts)] * len(names))
    scores = iter(metric.per_item() if any(different) else [])
    found = [{name: next(scores) for name in names} for names in different]
    return [scored or dict.fromkeys(texts, 0.0) for scored, texts in zip(found, said, strict=True)]


def _by_embedding(said: Sequence[Sequence[str]], embed: Embed) -> list[dict[str, float]]:
    """For each picture text -> its mean cosine with all that were drawn for it, itself included."""
    names = list(dict.fromkeys(text for texts in said for text in texts))
    vectors = dict(zip(names, embed(names).float(), strict=True)) if names else {}
    found = []
    for texts in said:
        counts = Counter(texts)
        vectors_CD = torch.stack([vectors[text] for text in counts])
        share_C = torch.tensor([float(count) for count in counts.values()], device=vectors_CD.device) / len(texts)
        found.append(dict(zip(counts, (vectors_CD @ (vectors_CD.T @ share_C)).tolist(), strict=True)))
    return found
