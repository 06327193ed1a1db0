"""Words inside of texts that are written token by token: where one begins, which tokens would complete it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from tuwen._scripts import in_word, is_mark, unspaced
from tuwen.errors import ConfigError
from tuwen.tokenizer import UNK

_TORN = "\ufffd"
"""What stands for a letter of which some bytes lack."""


def spelled(decoder: Any, text: str, what: str) -> list[int]:
    """Token numbers of a text that is to be written.

    Raises:
        ConfigError: a word is not in the vocabulary; `what` says what was asked for.
    """
    tokens: list[int] = decoder.spelled(text)
    if not tokens or UNK in tokens:
        raise ConfigError(
            f"{what} {text!r} has a word that this model never learned to write; take another, or train one with "
            "decode.text.tokenizer=bpe, to which no word is unknown"
        )
    return tokens


def inside(decoder: Any, word: str) -> list[int]:
    """Tokens of a word as it stands after another one: where its script puts no spaces, as it stands after a sign."""
    row: list[int] = decoder.spelled(word)
    if not unspaced(word.strip()[:1]):
        return row
    glued: list[int] = decoder.spelled("." + word.strip())[len(decoder.spelled(".")) :]
    return glued if in_bytes(decoder, glued) == in_bytes(decoder, row).strip() else row


def in_bytes(decoder: Any, tokens: Sequence[int]) -> bytes:
    """What tokens add to a text, in UTF-8."""
    return b"".join(decoder.pieces[token] for token in tokens)


def parted(before: bytes, after: bytes) -> bool:
    """Whether a word may end between two parts of a text: not between two letters, unless one is of a script without
    spaces, nor before a mark of a letter. Of a letter that is cut short it decides as of most that begin so."""
    if not before or not after:
        return True
    if after[0] & 0xC0 == 0x80:  # in the midst of a letter
        return False
    first = _first(after)
    if not in_word(first):
        return True
    last = before[-4:].decode("utf-8", "replace")[-1]
    return not in_word(last) or (not is_mark(first) and (unspaced(last) or unspaced(first)))


def torn(text: bytes) -> bytes:
    """The bytes at the end of a text that begin a letter and lack the rest of it."""
    for size in range(1, min(len(text), 3) + 1):
        if text[-size] & 0xC0 != 0x80:  # no byte from the midst of a letter
            return text[-size:] if size < _length(text[-size]) else b""
    return b""


def _length(byte: int) -> int:
    """Bytes of a letter that begins with this one."""
    return 1 + (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)


def _first(text: bytes) -> str:
    """The first letter, or one of the same sort where it is cut short."""
    if text[0] < 0x80:
        return chr(text[0])
    letters = text[:4].decode("utf-8", "replace")
    return _likely(text) if letters == _TORN and torn(text) else letters[0]


@cache
def _likely(part: bytes) -> str:
    """A letter of the sort that most letters are which begin with these bytes; rare forms of letters count as signs."""
    length = _length(part[0])
    bits, number = 6 * (length - len(part)), part[0] & (0x7F >> length)
    for byte in part[1:]:
        number = number << 6 | byte & 0x3F
    first, last = max(number << bits, (0x80, 0x800, 0x10000)[length - 2]), min((number + 1 << bits) - 1, 0x10FFFF)
    sorts: Counter[str] = Counter()
    for letter in map(chr, range(first, last + 1, max(last - first, 0) >> 8 | 1)):  # some hundred of them tell
        if unicodedata.category(letter) not in ("Cn", "Co", "Cs"):
            rare = unicodedata.decomposition(letter).startswith("<")
            word = "\u0301" if is_mark(letter) else "一" if unspaced(letter) else "a"
            sorts[word if in_word(letter) and not rare else " "] += 1
    return sorts.most_common(1)[0][0] if sorts else " "


def begins(decoder: Any, before: bytes = b"a") -> Tensor:
    """(V,) bool: the tokens that may stand after what was said so that its last word is whole, the end among them."""
    begins_V = torch.tensor([bool(piece) and parted(before, piece) for piece in decoder.pieces])
    begins_V[decoder.eos] = True
    return begins_V


class Forbidden:
    """Finds the tokens that would write a forbidden word, however it is cut into tokens.

    A token that spells the word to its end is forbidden, so that longer words are written only where they are not cut
    just there.
    """

    def __init__(self, decoder: Any, words: Sequence[str]):
        self.pieces: Sequence[bytes] = decoder.pieces
        rows = [decoder.spelled(word) for word in words]
        known = [row for row in rows if UNK not in row]  # the others are never written
        phrases = [phrase for row in known if (phrase := in_bytes(decoder, row).strip())]
        self.reach = max(map(len, phrases), default=0) + 4
        self.endings = [ending for phrase in phrases for ending in self._endings(phrase)]
        self.whole = [i for i, piece in enumerate(self.pieces) if any(_holds(piece, phrase) for phrase in phrases)]

    def _endings(self, phrase: bytes) -> Iterator[tuple[bytes, bytes, list[int]]]:
        """(part of the phrase that was said, phrase, tokens that complete it) for every place where it can be cut."""
        for cut in range(len(phrase)):
            rest = phrase[cut:]
            tokens = [
                token
                for token, piece in enumerate(self.pieces)
                if piece.startswith(rest) and parted(phrase, piece[len(rest) :])
            ]
            if tokens:
                yield phrase[:cut], phrase, tokens

    def __call__(self, said: Sequence[int]) -> list[int]:
        """The tokens that may not come after what was said."""
        text = b"".join(self.pieces[token] for token in said[-self.reach :])
        found = list(self.whole)
        for begin, phrase, tokens in self.endings:
            if text.endswith(begin) and parted(text[: len(text) - len(begin)], phrase):
                found += tokens
        return found


def _holds(piece: bytes, phrase: bytes) -> bool:
    """Whether a token holds the phrase, as whole words, after its first letter."""
    place = piece.find(phrase, 1)
    while place > 0:
        if parted(piece[:place], phrase) and parted(phrase, piece[place + len(phrase) :]):
            return True
        place = piece.find(phrase, place + 1)
    return False
