"""Captions and their references, tokenised and counted once for all caption metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tuwen.errors import DataError, ShapeError
from tuwen.metric._ngrams import Ngrams
from tuwen.metric._tokens import tokenize


class Captions:
    """N predictions, each with its own references, as integers for tokens.

    `predictions[i]` is one list of token numbers, `references[i]` one or more of them.
    """

    def __init__(self) -> None:
        self.predictions: list[list[int]] = []
        self.references: list[list[list[int]]] = []
        self._number: dict[str, int] = {}
        self._words: list[str] = []
        self._seen: dict[str, list[int]] = {}
        self._ngrams: Ngrams | None = None

    def __len__(self) -> int:
        return len(self.predictions)

    def add(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        """Takes N sentences and, for each, its references. An empty prediction is kept.

        Raises:
            ShapeError: there are not as many predictions as groups of references.
            DataError: a prediction is no text, or has no references, or only blank ones.
        """
        if isinstance(predictions, str):
            raise DataError(f"predictions is one text ({predictions[:40]!r}); give a list of texts: [text]")
        if len(predictions) != len(references):
            raise ShapeError(
                f"{len(predictions)} predictions and {len(references)} groups of references; "
                "give one group of references for each prediction: [[first, second, ...], ...]"
            )
        start = len(self.predictions)
        for item, (prediction, group) in enumerate(zip(predictions, references, strict=True), start):
            _check(item, prediction, group)
        self.predictions += [self._numbers(prediction) for prediction in predictions]
        self.references += [[self._numbers(reference) for reference in group] for group in references]
        self._ngrams = None

    def ngrams(self) -> Ngrams:
        """Counts of the n-grams of everything added so far; computed once."""
        if self._ngrams is None:
            self._ngrams = Ngrams(self.predictions, self.references, num_tokens=len(self._number))
        return self._ngrams

    def spelled(self, numbers: Sequence[int]) -> str:
        """The tokens behind token numbers, with spaces between: what programs that take tokenised texts read."""
        if len(self._words) != len(self._number):  # tokens are only ever added
            self._words = list(self._number)
        return " ".join(self._words[number] for number in numbers)

    def _numbers(self, sentence: str) -> list[int]:
        if (known := self._seen.get(sentence)) is None:
            number = self._number
            known = self._seen[sentence] = [number.setdefault(token, len(number)) for token in tokenize(sentence)]
        return known


def _check(item: int, prediction: object, group: Sequence[str]) -> None:
    if not isinstance(prediction, str):
        raise DataError(f"prediction {item} is {type(prediction).__name__}, not text; give '' where nothing was said")
    if isinstance(group, str):
        raise DataError(f"the references of prediction {item} are one text; give a list of texts: [{group[:40]!r}]")
    if not group:
        raise DataError(
            f"prediction {item} ({prediction[:40]!r}) has no references; give at least one, or leave it out"
        )
    if wrong := [text for text in group if not isinstance(text, str)]:
        raise DataError(f"a reference of prediction {item} is {type(wrong[0]).__name__}, not text; give strings only")
    if not any(text.strip() for text in group):
        raise DataError(f"all references of prediction {item} ({prediction[:40]!r}) are empty; leave the item out")


class Sums(NamedTuple):
    """Figures that are made of sums over items: what a bootstrap over the items draws from."""

    rows_NM: np.ndarray
    """(N, M) what each item adds to each of M sums."""
    of: Callable[[np.ndarray], dict[str, float]]
    """(M,) sums -> figures."""


class CaptionMetric:
    """What all caption metrics do alike: collect `captions` by `update`, then `result` and `per_item`."""

    scores = "captions"
    """What `tuwen evaluate --metrics` may ask it about."""
    direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("predictions", "references")

    def __init__(self, captions: Captions | None = None) -> None:
        """captions: already collected ones, so that several metrics share the counting."""
        self.captions = Captions() if captions is None else captions
        self._scores: list[float] = []

    def update(self, predictions: list[str], references: list[list[str]]) -> None:
        """Adds N predictions and, for each, its references. Errors: see `Captions.add`."""
        self.captions.add(predictions, references)

    def result(self) -> dict[str, float]:
        raise NotImplementedError

    def per_item(self) -> list[float]:
        """One score for each caption, in the order of the updates."""
        captions = self._filled()
        if len(self._scores) != len(captions):  # captions are only ever added
            self._scores = self._score(captions)
        return list(self._scores)

    def sums(self) -> Sums:
        """What each item adds to the figures of `result`; here means over the items."""
        names, score_N = list(self.result()), np.array(self.per_item())
        if len(names) != 1:
            raise NotImplementedError("a metric of several figures says itself what they are made of")
        rows_NM = np.column_stack([score_N, np.ones(len(score_N))])
        return Sums(rows_NM, lambda sums_M: {names[0]: float(sums_M[0] / sums_M[1])})

    def _score(self, captions: Captions) -> list[float]:
        raise NotImplementedError

    def _filled(self) -> Captions:
        if not len(self.captions):
            raise DataError("no captions to score; call update(predictions, references) before result()")
        return self.captions


def prepare(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Captions:
    """Tokenises once for several metrics: `Bleu(captions=prepare(...))`. Errors: see `Captions.add`."""
    captions = Captions()
    captions.add(predictions, references)
    return captions


def with_references(rows: Sequence[Any]) -> list[Any]:
    """The rows of an evaluation whose `references` say something: those that captions can be compared with."""
    return [row for row in rows if any(text.strip() for text in row.get("references", ()))]


@dataclass(frozen=True, kw_only=True)
class CaptionScores:
    """What `score_captions` gives."""

    scores: dict[str, float]
    """bleu_1 .. bleu_4, rouge_l, cider of the whole set."""
    per_item: dict[str, list[float]]
    """bleu_4, rouge_l, cider of each item, in the order of `keys`."""
    keys: list[str]
    """Names of the items; their numbers where lists were given."""


def score_captions(
    predictions: Mapping[str, str] | Sequence[str],
    references: Mapping[str, Sequence[str]] | Sequence[Sequence[str]],
) -> CaptionScores:
    """BLEU, ROUGE-L and CIDEr of one set of captions, tokenised and counted once.

    Args:
        predictions: key -> sentence, or N sentences.
        references: key -> its references, or N lists of references. Keys without a prediction are an error.
    Raises:
        DataError: the keys of the two differ; else as `Captions.add`.
        ShapeError: two lists of different lengths.
    Example:
        >>> scores = score_captions(["a dog runs"], [["a dog runs fast", "the dog runs"]])
        >>> round(scores.scores["bleu_1"], 6), len(scores.per_item["cider"])
        (1.0, 1)
    """
    from tuwen.metric import bleu, cider, rouge  # they build on this file

    if isinstance(predictions, Mapping) and isinstance(references, Mapping):
        keys = list(predictions)
        if odd := predictions.keys() ^ references.keys():
            raise DataError(
                f"{len(odd)} keys have a prediction or references but not both, such as {min(odd, key=str)!r}; "
                "give both the same keys"
            )
        texts, groups = list(predictions.values()), [references[key] for key in keys]
    elif isinstance(predictions, Mapping) or isinstance(references, Mapping):
        raise DataError("predictions and references are one a mapping and one a list; give two of a kind")
    else:
        keys, texts, groups = [str(item) for item in range(len(predictions))], list(predictions), list(references)
    captions = prepare(texts, groups)
    metrics = {"bleu_4": bleu.Bleu(captions), "rouge_l": rouge.Rouge(captions), "cider": cider.Cider(captions)}
    scores = {name: value for metric in metrics.values() for name, value in metric.result().items()}
    return CaptionScores(
        scores=scores, per_item={name: metric.per_item() for name, metric in metrics.items()}, keys=keys
    )


__all__ = ["CaptionMetric", "CaptionScores", "Captions", "Sums", "prepare", "score_captions", "with_references"]
