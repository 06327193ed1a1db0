"""How different a model's captions are from each other and from those it was trained on.

Source:
    distinct-1 and -2: Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", NAACL,
    arXiv:1510.03055, section 5.3. Distinct and novel captions, vocabulary used: van Miltenburg et al. 2018,
    "Measuring the Diversity of Automatic Image Descriptions", COLING.
Differs:
    sentences are compared by their tokens, so that case and punctuation make no difference. Distinct-n falls as the
    set grows: compare sets of one size only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tuwen.errors import DataError
from tuwen.metric._tokens import tokenize


@dataclass(frozen=True, kw_only=True)
class Config:
    """Diversity of captions; nothing to set."""

    def build(self) -> Diversity:
        return Diversity()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[list[str], list[list[str]]]:
        return [f"circle {item}" for item in range(batch)], [["a circle"]] * batch


class Diversity:
    """Collects captions by `update`; `remember` takes the training captions, for the share that is copied."""

    scores = "captions"
    direction = "higher"
    """Of all but commonest, commonest_share and copied."""
    range: tuple[float, float] = (0.0, float("inf"))
    """Shares lie in 0..1; vocabulary and commonest are counts."""
    needs: tuple[str, ...] = ("predictions",)

    def __init__(self) -> None:
        self._sentences: Counter[tuple[str, ...]] = Counter()
        self._known: set[tuple[str, ...]] | None = None

    def remember(self, captions: Iterable[str]) -> None:
        """Adds training captions. Without a call, `result` says nothing of copies."""
        if isinstance(captions, str):
            raise DataError(f"captions is one text ({captions[:40]!r}); give a list of texts: [text]")
        self._known = (self._known or set()) | {tuple(tokenize(caption)) for caption in captions}

    def update(self, predictions: list[str], references: list[list[str]] | None = None) -> None:
        """Adds N captions; references are taken, and ignored, so that all caption metrics are called alike.

        Raises:
            DataError: one text instead of a list of them.
        """
        if isinstance(predictions, str):
            raise DataError(f"predictions is one text ({predictions[:40]!r}); give a list of texts: [text]")
        self._sentences.update(tuple(tokenize(sentence)) for sentence in predictions)

    def copies(self, predictions: Iterable[str]) -> list[bool]:
        """Of each caption whether it is a training caption, word for word; none is before `remember`."""
        return [tuple(tokenize(caption)) in (self._known or ()) for caption in predictions]

    def result(self) -> dict[str, float]:
        """Shares and counts over all captions.

        Returns:
            distinct_captions: different captions / captions; 1/N if all are one sentence.
            distinct_1, distinct_2: different words (pairs of words) / words (pairs) said; 0 if none was said.
            vocabulary: number of different words said.
            commonest, commonest_share: how often the commonest caption was said, and its share.
            copied: share of captions that are training captions, word for word; only after `remember`.
        Raises:
            DataError: no captions yet.
        """
        if not self._sentences:
            raise DataError("no captions to compare; call update(predictions) before result()")
        total = self._sentences.total()
        commonest = max(self._sentences.values())
        result = {
            "distinct_captions": len(self._sentences) / total,
            "distinct_1": self._distinct(1),
            "distinct_2": self._distinct(2),
            "vocabulary": float(len({word for words in self._sentences for word in words})),
            "commonest": float(commonest),
            "commonest_share": commonest / total,
        }
        if self._known is not None:
            result["copied"] = sum(n for words, n in self._sentences.items() if words in self._known) / total
        return result

    def _distinct(self, order: int) -> float:
        grams: Counter[tuple[str, ...]] = Counter()
        for words, times in self._sentences.items():
            for start in range(len(words) - order + 1):
                grams[words[start : start + order]] += times
        return len(grams) / grams.total() if grams else 0.0
