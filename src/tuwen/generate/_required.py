"""Words that a text must hold: what it has of them, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch

from tuwen.generate._words import begins, parted, spelled


class Beginning(NamedTuple):
    """A text that goes on."""

    said: tuple[int, ...]
    """Tokens without begin and prompt."""
    total: float
    """Sum of their log-probabilities."""
    met: frozenset[int]
    """Numbers of the words that it holds."""
    left: int
    """Tokens that it lacks at most: those of words that no other lacking one holds, less what it has of one."""
    closed: bool
    """Whether a required word stands at its end, so that another word must come next."""
    parent: int
    """Place among the K beginnings of the step before."""


class Required:
    """The words as tokens. Words may share tokens: "red ball" holds "red", too.

    Raises:
        ConfigError: a word that the decoder does not know.
    """

    def __init__(self, decoder: Any, words: Iterable[str]):
        found = {tuple(spelled(decoder, word, "word")): not parted(word.encode(), b"a") for word in words}
        self.rows, self.grows = list(found), list(found.values())
        """Tokens of each word, and whether a letter right after it would make another word of it."""
        self.within_V = ~begins(decoder) if found else torch.zeros(0, dtype=torch.bool)
        """(V,) the tokens that would do so."""
        self.within = frozenset(self.within_V.nonzero()[:, 0].tolist())
        self.given: tuple[int, ...] = tuple(getattr(decoder, "given", ()))

    def begin(self) -> Beginning:
        """Nothing but the prompt was said."""
        met = frozenset(i for i in range(len(self.rows)) if self._holds(self.given, i))
        return self._beginning((), 0.0, met, closed=False, parent=0)

    def _holds(self, tokens: tuple[int, ...], number: int) -> bool:
        """Whether tokens hold a word of this number, not as the beginning of a longer one."""
        row = self.rows[number]
        ends = [k + len(row) for k in range(len(tokens)) if tokens[k : k + len(row)] == row]
        return any(end == len(tokens) or not (self.grows[number] and tokens[end] in self.within) for end in ends)

    def after(self, one: Beginning, token: int, logprob: float, parent: int) -> Beginning:
        """The text with one token more."""
        said = (*one.said, token)
        tail = self.given + said
        now = [i for i, row in enumerate(self.rows) if tail[-len(row) :] == row]
        closed = any(self.grows[i] for i in now if i not in one.met)
        return self._beginning(said, one.total + logprob, one.met.union(now), closed=closed, parent=parent)

    def next(self, one: Beginning) -> list[int]:
        """Tokens that lead on in a word that is not met, each once."""
        rows = [row for i, row in enumerate(self.rows) if i not in one.met]
        on = [row[self._ahead(row, one.said, closed=one.closed)] for row in rows]
        return list(dict.fromkeys([*on, *(row[0] for row in rows)]))

    def _beginning(
        self, said: tuple[int, ...], total: float, met: frozenset[int], *, closed: bool, parent: int
    ) -> Beginning:
        lacking = [i for i in range(len(self.rows)) if i not in met]
        alone = [
            self.rows[i]
            for i in lacking
            if not any(self._holds(self.rows[other], i) for other in lacking if other != i)
        ]
        ahead = max((self._ahead(row, said, closed=closed) for row in alone), default=0)
        return Beginning(said, total, met, sum(map(len, alone)) - ahead, closed, parent)

    def _ahead(self, row: tuple[int, ...], said: tuple[int, ...], *, closed: bool) -> int:
        """How many first tokens of a word, not all, stand at the end of the text so that it can go on in the word."""
        tail = self.given + said
        for length in range(min(len(row) - 1, len(tail)), 0, -1):
            if tail[-length:] == row[:length]:
                return 0 if closed and row[length] in self.within else length
        return 0
