"""METEOR of captions: words matched also by stem, synonym and paraphrase. Needs the extra captions-java and Java.

Source:
    Denkowski and Lavie 2014, "Meteor Universal: Language Specific Translation Evaluation for Any Target Language", WMT;
    the program, version 1.5 for English with `-norm`, is that of the package pycocoevalcap, as coco-caption asks it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.metric._captions import CaptionMetric, Captions, Sums
from tuwen.metric._java import Program, command, folder


@dataclass(frozen=True, kw_only=True)
class Config:
    """METEOR; nothing to set, so that numbers stay comparable."""

    def build(self) -> Meteor:
        """Raises MissingExtraError without pycocoevalcap, ConfigError without Java."""
        return Meteor()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[list[str], list[list[str]]]:
        return ["a red circle"] * batch, [["a red circle", "one circle"]] * batch


class Meteor(CaptionMetric):
    """`result`: meteor of the whole set, from counts that are summed before they are divided; `per_item`: of each."""

    costly = True
    """Takes longer than everything else together: what chance gives is not asked for."""

    def __init__(self, captions: Captions | None = None) -> None:
        super().__init__(captions)
        place = folder("meteor")
        self._how = command("meteor", "2G", place / "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm")
        self._program: Program | None = None
        self._counts: list[str] = []

    def result(self) -> dict[str, float]:
        rows_NM, of = self.sums()
        return of(rows_NM.sum(0))

    def sums(self) -> Sums:
        """The counts that the program makes of each caption; figures of their sums are its own, too."""
        rows_NM = np.array([[float(count) for count in line.split()] for line in self._lines()])
        return Sums(rows_NM, lambda sums_M: {"meteor": self._figures([" ".join(map(str, sums_M.tolist()))])[-1]})

    def _score(self, captions: Captions) -> list[float]:
        return self._figures(self._lines())[:-1]

    def _lines(self) -> list[str]:
        """One line of counts a caption."""
        captions = self._filled()
        for item in range(len(self._counts), len(captions)):  # captions are only ever added
            texts = map(captions.spelled, (*captions.references[item], captions.predictions[item]))
            self._counts.append(self._running().ask(" ||| ".join(["SCORE", *texts])))
        return self._counts

    def _figures(self, counts: list[str]) -> list[float]:
        """METEOR of each line of counts, and of all together."""
        program = self._running()
        first = float(program.ask(" ||| ".join(["EVAL", *counts])))
        return [first, *(float(program.answer()) for _ in counts)]

    def _running(self) -> Program:
        if self._program is None:
            self._program = Program("meteor", self._how, folder("meteor"))
        return self._program
