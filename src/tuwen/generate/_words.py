"""Words inside of texts that are written token by token: where one begins, which tokens would complete it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.tokenizer import UNK

_FIRST_UNSPACED = 0xE2
"""First byte of a letter after U+2000 in UTF-8: signs, and scripts that put no spaces between words."""


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


def parted(before: bytes, after: bytes) -> bool:
    """Whether a word may end between two parts of a text: not between two letters of a script that has spaces."""
    last = before.decode("utf-8", "replace")[-1:]
    if not last.isalnum() or ord(last) >= 0x2000 or not after:
        return True
    return not (chr(after[0]).isalnum() if after[0] < 0x80 else after[0] < _FIRST_UNSPACED)


def begins(decoder: Any) -> Tensor:
    """(V,) bool: the tokens that may stand right after a whole word, the end among them."""
    begins_V = torch.tensor([bool(piece) and parted(b"a", piece) for piece in decoder.pieces])
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
        phrases = [phrase for row in known if (phrase := b"".join(self.pieces[token] for token in row).strip())]
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
