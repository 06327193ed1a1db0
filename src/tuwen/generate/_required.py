"""Words that a text must hold: what it has of them, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from tuwen.generate._words import begins, in_bytes, inside, parted, spelled, torn

_MARK = "\u0301".encode()


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
    text: bytes = b""
    """The last of what was said, prompt included, in UTF-8."""


class Required:
    """The words, found in the bytes of what was said, however it was cut into tokens; "red ball" holds "red", too.

    Raises:
        ConfigError: a word that the decoder does not know.
    """

    def __init__(self, decoder: Any, words: Iterable[str]):
        firsts = {word: tuple(spelled(decoder, word, "word")) for word in words}
        found = {in_bytes(decoder, row).strip(): (tuple(inside(decoder, word)), row) for word, row in firsts.items()}
        self.phrases = list(found)
        self.rows, self.firsts = [row for row, _ in found.values()], [row for _, row in found.values()]
        """Tokens of each word: what is asked for within a text, and at its beginning."""
        self.grows = [not parted(phrase, _MARK) for phrase in found]
        """Whether a letter right after a word, or a mark, would make another one of it."""
        self.holders = [
            frozenset(o for o, other in enumerate(found) if o != i and any(self._seen(other, [i])))
            for i in range(len(found))
        ]
        """For each word the others that hold it."""
        self.within_V = ~begins(decoder) if found else torch.zeros(0, dtype=torch.bool)
        """(V,) the tokens that would make another word of one that stands at the end."""
        self.given: tuple[int, ...] = tuple(getattr(decoder, "given", ()))
        self.pieces: Sequence[bytes] = decoder.pieces if found else ()
        self.reach = max(map(len, found), default=0) + 7
        """Bytes in which a word, the letter before it and one that is cut short after it have room."""

    def begin(self) -> Beginning:
        """Nothing but the prompt was said."""
        text = b"".join(self.pieces[token] for token in self.given) if self.phrases else b""
        whole, opened = self._seen(text, range(len(self.phrases)))
        return self._beginning((), 0.0, frozenset(whole), frozenset(opened), 0, text)

    def _seen(self, text: bytes, numbers: Iterable[int], said: int = 0) -> tuple[set[int], set[int]]:
        """The words of these numbers that a text holds, and those at its end that may still become others.

        Args:
            said: bytes at the beginning of the text that hold none, but may hold the first part of one.
        """
        whole: set[int] = set()
        opened: set[int] = set()
        for i in numbers:
            phrase = self.phrases[i]
            place = text.find(phrase, max(said - len(phrase), 0))
            while place >= 0:
                rest = text[place + len(phrase) :]
                ends = rest == torn(text)  # no whole letter follows
                if parted(text[:place], phrase) and (ends or parted(phrase, rest)):
                    (opened if ends and self.grows[i] else whole).add(i)
                place = text.find(phrase, place + 1)
        return whole, opened - whole

    def after(self, one: Beginning, token: int, logprob: float, parent: int) -> Beginning:
        """The text with one token more."""
        said, total = (*one.said, token), one.total + logprob
        if len(one.met) == len(self.phrases):
            return Beginning(said, total, one.met, one.open, 0, parent)
        text = one.text + self.pieces[token]
        lacking = [i for i in range(len(self.phrases)) if i not in one.met]
        whole, opened = self._seen(text, lacking, len(one.text) - 3)  # 3: of a letter that was cut short
        return self._beginning(said, total, one.met | whole, frozenset(opened), parent, text)

    def next(self, one: Beginning) -> list[int]:
        """Tokens that lead on in a word that it lacks, each once."""
        lacking = [i for i in range(len(self.rows)) if i not in one.met and i not in one.open]
        tail = self.given + one.said
        ways = [self.rows[i][length] for i in lacking for length in _said_of(self.rows[i], tail)]
        for i in lacking if not self.given else ():
            first = self.firsts[i]
            if first[: len(tail)] == tail and len(first) > len(tail):
                ways.append(first[len(tail)])
        return list(dict.fromkeys(ways))

    def _beginning(
        self, said: tuple[int, ...], total: float, met: frozenset[int], opened: frozenset[int], parent: int, text: bytes
    ) -> Beginning:
        left = 0
        if len(met) + len(opened) < len(self.rows):
            left = self._left(self.given + said, met, opened, text)
        return Beginning(said, total, met, opened, left, parent, text[-self.reach :])

    def _left(self, tail: tuple[int, ...], met: frozenset[int], opened: frozenset[int], text: bytes) -> int:
        """Tokens that a text lacks at most, whether what stands open at its end is kept or made another word of."""
        lacking = [i for i in range(len(self.rows)) if i not in met and i not in opened]
        left = self._length([*lacking, *opened], {i: next(_said_of(self.rows[i], tail)) for i in lacking})
        if opened:
            phrase, part = self.phrases[min(opened)], torn(text)
            kept = {
                i: next(k for k in _said_of(self.rows[i], tail) if not k or parted(phrase, part + self._rest(i, k)))
                for i in lacking
            }
            left = min(left, self._length(lacking, kept))
        return left

    def _length(self, numbers: Sequence[int], ahead: Mapping[int, int]) -> int:
        """Tokens of some words, those that others hold left out, less the most that is said of one."""
        alone = [i for i in numbers if self.holders[i].isdisjoint(numbers)]
        return sum(len(self.rows[i]) for i in alone) - max(ahead.get(i, 0) for i in alone)

    def _rest(self, number: int, length: int) -> bytes:
        return b"".join(self.pieces[token] for token in self.rows[number][length:])


def _said_of(row: tuple[int, ...], said: tuple[int, ...]) -> Iterator[int]:
    """How many first tokens of a word stand at the end of what was said, less than all of them: most first, 0 last."""
    for length in range(min(len(row) - 1, len(said)), 0, -1):
        if said[-length:] == row[:length]:
            yield length
    yield 0
