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
    open: frozenset[int]
    """Those that stand at its end and are held if the next token begins another word."""
    left: int
    """Tokens that it lacks at most: those of words that no other lacking one holds, less what it has of one."""
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
        return self._beginning((), 0.0, met, frozenset(), 0)

    def _holds(self, tokens: tuple[int, ...], number: int) -> bool:
        """Whether tokens hold a word of this number, not as the beginning of a longer one."""
        row = self.rows[number]
        ends = [k + len(row) for k in range(len(tokens)) if tokens[k : k + len(row)] == row]
        return any(end == len(tokens) or not (self.grows[number] and tokens[end] in self.within) for end in ends)

    def after(self, one: Beginning, token: int, logprob: float, parent: int) -> Beginning:
        """The text with one token more."""
        said = (*one.said, token)
        tail = self.given + said
        met = one.met if token in self.within else one.met | one.open
        now = {i for i, row in enumerate(self.rows) if i not in met and tail[-len(row) :] == row}
        whole = met.union(i for i in now if not self.grows[i])
        return self._beginning(said, one.total + logprob, whole, frozenset(now - whole), parent)

    def next(self, one: Beginning) -> list[int]:
        """Tokens that lead on in a word that it lacks, each once."""
        rows = [row for i, row in enumerate(self.rows) if i not in one.met | one.open]
        tail = self.given + one.said
        return list(dict.fromkeys([*(row[_said_of(row, tail)] for row in rows), *(row[0] for row in rows)]))

    def _beginning(
        self, said: tuple[int, ...], total: float, met: frozenset[int], opened: frozenset[int], parent: int
    ) -> Beginning:
        lacking = [i for i in range(len(self.rows)) if i not in met | opened]
        alone = [
            self.rows[i]
            for i in lacking
            if not any(self._holds(self.rows[other], i) for other in lacking if other != i)
        ]
        tail, ahead = self.given + said, 0
        for row in alone:
            length = _said_of(row, tail)
            if not opened or row[length] not in self.within:  # else going on would lose the word that stands there
                ahead = max(ahead, length)
        return Beginning(said, total, met, opened, sum(map(len, alone)) - ahead, parent)


def _said_of(row: tuple[int, ...], said: tuple[int, ...]) -> int:
    """How many first tokens of a word stand at the end of what was said; less than all of them."""
    for length in range(min(len(row) - 1, len(said)), 0, -1):
        if said[-length:] == row[:length]:
            return length
    return 0
