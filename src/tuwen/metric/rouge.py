"""ROUGE-L of captions: the longest common subsequence with the references, as an F-measure that leans to recall.

Source:
    Lin and Och 2004, "Automatic Evaluation of Machine Translation Quality Using Longest Common Subsequence", ACL,
    eq. 3 to 5, with beta 1.2 and the best precision and best recall over the references, as coco-caption has it.
    The subsequence is counted a row a word in the bits of an integer: Hyyro 2004, "Bit-parallel LCS-length
    computation revisited", fig. 2.
Differs:
    the best precision and the best recall may come from two references (so does coco-caption). An empty caption
    scores 0 even where a reference holds no words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.metric._captions import CaptionMetric, Captions


@dataclass(frozen=True, kw_only=True)
class Config:
    """ROUGE-L of captions."""

    beta: float = 1.2
    """Weight of recall against precision; above 0. Published numbers use 1.2."""

    def build(self) -> Rouge:
        return Rouge(beta=self.beta)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[list[str], list[list[str]]]:
        return ["a red circle"] * batch, [["a red circle", "one circle"]] * batch


class Rouge(CaptionMetric):
    """`result`: rouge_l, the mean of `per_item`."""

    def __init__(self, captions: Captions | None = None, *, beta: float = 1.2) -> None:
        super().__init__(captions)
        self.beta = beta

    def result(self) -> dict[str, float]:
        return {"rouge_l": float(np.mean(self.per_item()))}

    def _score(self, captions: Captions) -> list[float]:
        return [self._one(own, group) for own, group in zip(captions.predictions, captions.references, strict=True)]

    def _one(self, own: list[int], references: list[list[int]]) -> float:
        if not own:
            return 0.0
        where: dict[int, int] = {}
        for place, token in enumerate(own):
            where[token] = where.get(token, 0) | 1 << place
        common = [_common(where, len(own), reference) for reference in references]
        precision = max(common) / len(own)
        if not precision:
            return 0.0
        recall = max(length / max(len(reference), 1) for length, reference in zip(common, references, strict=True))
        return (1 + self.beta**2) * precision * recall / (recall + self.beta**2 * precision)


def _common(where: dict[int, int], length: int, other: list[int]) -> int:
    """Length of the longest common subsequence of a sentence, given as token -> bits of its places, and another."""
    open_bits = full = (1 << length) - 1
    for token in other:
        if bits := where.get(token):
            taken = open_bits & bits
            open_bits = (open_bits + taken | open_bits - taken) & full
    return length - open_bits.bit_count()
