"""Words that a text must hold: what it has of them, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tuwen.generate._words import parted, spelled


class Beginning(NamedTuple):
    """A text that goes on."""

    said: tuple[int, ...]
    """Tokens without begin and prompt."""
    total: float
    """Sum of their log-probabilities."""
    met: frozenset[int]
    """Numbers of the words that it holds."""
    left: int
    """Tokens that it lacks at most: those of the other words, less what it has of the one it is in."""
    closed: bool
    """Whether a required word stands at its end, so that another word must come next."""
    parent: int
    """Place among the K beginnings of the step before."""


class Required:
    """The words as tokens. A word may share tokens with others: "red" is met by "red ball".

    Raises:
        ConfigError: a word that the decoder does not know.
    """

    def __init__(self, decoder: Any, words: Iterable[str]):
        words = list(dict.fromkeys(words))
        self.rows = [tuple(spelled(decoder, word, "word")) for word in words]
        self.grows = [not parted(word.encode(), b"a") for word in words]
        """Whether a letter right after the word would make another one of it."""
        self.given: tuple[int, ...] = ()

    def begin(self, given: Sequence[int]) -> Beginning:
        """Nothing but the prompt was said."""
        self.given = tuple(given)
        met = frozenset(
            i for i, row in enumerate(self.rows) if any(self.given[k : k + len(row)] == row for k in range(len(given)))
        )
        return self._beginning((), 0.0, met, closed=False, parent=0)

    def after(self, one: Beginning, token: int, logprob: float, parent: int) -> Beginning:
        """The text with one token more."""
        said = (*one.said, token)
        tail = self.given + said
        now = [i for i, row in enumerate(self.rows) if tail[-len(row) :] == row]
        closed = any(self.grows[i] for i in now if i not in one.met)
        return self._beginning(said, one.total + logprob, one.met.union(now), closed=closed, parent=parent)

    def next(self, one: Beginning) -> list[int]:
        """Tokens that lead on in a word that is not met, each once."""
        tail = self.given + one.said
        open_rows = [row for i, row in enumerate(self.rows) if i not in one.met]
        firsts = [row[0] for row in open_rows]
        return list(dict.fromkeys([*(row[_progress(row, tail)] for row in open_rows), *firsts]))

    def _beginning(
        self, said: tuple[int, ...], total: float, met: frozenset[int], *, closed: bool, parent: int
    ) -> Beginning:
        tail = self.given + said
        open_rows = [row for i, row in enumerate(self.rows) if i not in met]
        ahead = max((_progress(row, tail) for row in open_rows), default=0)
        return Beginning(said, total, met, sum(map(len, open_rows)) - ahead, closed, parent)


def _progress(row: tuple[int, ...], said: tuple[int, ...]) -> int:
    """How many first tokens of a word stand at the end of what was said; less than all of them."""
    for length in range(min(len(row) - 1, len(said)), 0, -1):
        if said[-length:] == row[:length]:
            return length
    return 0
