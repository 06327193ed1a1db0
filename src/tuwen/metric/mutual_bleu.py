"""Mutual BLEU (mBLEU) of several captions of one picture: how far each of them is said by the others, too.

Source:
    Shetty et al. 2017, "Speaking the Same Language: Matching Machine to Human Captions by Adversarial Training", ICCV,
    arXiv:1703.10476, section 4.3 (mBleu-4).
Differs:
    counts are summed over all captions before they are divided, where the paper divides for the first captions of all
    pictures, the second ones, and so on, and takes the mean. Compare only sets with as many captions a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuwen.errors import DataError
from tuwen.metric._captions import Sums, prepare
from tuwen.metric.bleu import Bleu


@dataclass(frozen=True, kw_only=True)
class Config:
    """Mutual BLEU; nothing to set."""

    def build(self) -> MutualBleu:
        return MutualBleu()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> list[list[str]]:
        return [["a red circle", f"a circle {item}"] for item in range(batch)]


class MutualBleu:
    """Collects sets of captions by `update`."""

    direction = "lower"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("sets",)

    def __init__(self) -> None:
        self._sets: list[list[str]] = []

    def update(self, sets: Sequence[Sequence[str]]) -> None:
        """Adds N pictures.

        Args:
            sets: the captions of each picture; empty ones do not count, and pictures of which fewer than two are left add
                nothing.
        Raises:
            DataError: one text instead of a list of them.
        """
        if wrong := [one for one in sets if isinstance(one, str)]:
            raise DataError(f"a set is one text ({wrong[0][:40]!r}); give lists of texts: [[first, second], ...]")
        self._sets += [[text for text in one if text.strip()] for one in sets]

    def result(self) -> dict[str, float]:
        """mbleu_1 .. mbleu_4: 1 if all captions of a picture are the same, near 0 if they share no words."""
        rows_NM, of = self.sums()
        return of(rows_NM.sum(0))

    def sums(self) -> Sums:
        """What each picture adds: a row for each, so that two systems can be compared row by row."""
        compared_N = np.array([len(one) > 1 for one in self._sets], bool)
        if not compared_N.any():
            raise DataError(
                "no picture has two captions to compare; call update([[first, second], ...]) before result()"
            )
        sets = [one for one in self._sets if len(one) > 1]
        said = [text for one in sets for text in one]
        others = [[*one[:place], *one[place + 1 :]] for one in sets for place in range(len(one))]
        rows_PM, of = Bleu(prepare(said, others)).sums()
        rows_NM = np.zeros((len(compared_N), rows_PM.shape[1]))
        rows_NM[compared_N] = np.add.reduceat(rows_PM, np.cumsum([0, *map(len, sets[:-1])]))
        return Sums(rows_NM, lambda sums_M: {f"m{n}": v for n, v in of(sums_M).items()})
