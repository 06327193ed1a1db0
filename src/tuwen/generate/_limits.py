"""Settings that ways of writing share: what bounds a text, how several of them are ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuwen._scripts import unspaced
from tuwen.generate._checked import Checked
from tuwen.machine import PRECISIONS


@dataclass(frozen=True, kw_only=True)
class Limits(Checked):
    """Base of the Config of every way of writing."""

    max_tokens: int = 128
    """Most tokens that are written, the end included; never more than the decoder's own max_tokens."""
    min_tokens: int = 0
    """Tokens before which a text may not end."""
    no_repeat_ngram: int = 0
    """Size of the runs of tokens that no text may hold twice; 0: any may."""
    without: tuple[str, ...] = ()
    """Words, or several in a row, that no text may hold."""
    prompt: str = ""
    """Beginning that every text goes on from."""
    precision: str = "float32"
    """What a transformer computes in while it writes: float32, bfloat16, or auto: bfloat16 where this machine multiplies
    faster in it. Other decoders write in float32."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "without", as_words(self.without))

    @property
    def streams(self) -> bool:
        """Whether each token is certain, and emitted, at once: not only when the text is done."""
        return False

    def check(self) -> None:
        super().check()
        self.require(self.max_tokens >= 1, "max_tokens", "it is at least 1, for example max_tokens=30")
        lengths = f"it is from 0 to max_tokens, {self.max_tokens}. Set min_tokens=0 or a larger max_tokens."
        self.require(0 <= self.min_tokens <= self.max_tokens, "min_tokens", lengths)
        runs = "it is 0 (any run may repeat) or more, for example no_repeat=3"
        self.require(self.no_repeat_ngram >= 0, "no_repeat_ngram", runs)
        self.require(self.precision in PRECISIONS, "precision", f"it is one of {', '.join(PRECISIONS)}")
        bad = [word for word in self.without if plain(word) in plain(self.prompt)]
        self.require(
            not bad, "prompt", f"it holds {', '.join(map(repr, bad))}, which is in without; take it out of one of them"
        )


@dataclass(frozen=True, kw_only=True)
class Ranked(Limits):
    """Base of the Configs that follow several beginnings and rank what comes of them."""

    beams: int = 5
    """Beginnings K that are kept for each picture. More than 10 rarely helps."""
    length_penalty: float = 1.0
    """Texts are ranked by logprob / length ** length_penalty: 0 prefers short ones, above 1 long ones."""
    best: int = 1
    """Texts that are given back for each picture, at most beams."""

    def check(self) -> None:
        super().check()
        self.require(self.beams >= 1, "beams", "it is at least 1, for example beam=5")
        self.require(
            -10 <= self.length_penalty <= 10, "length_penalty", "it is from -10 to 10, for example length_penalty=1"
        )
        what = f"it is from 1 to the number of beams, {self.beams}. Set best=1 or beam={max(self.best, 1)}."
        self.require(1 <= self.best <= self.beams, "best", what)


def plain(words: str) -> str:
    """As they are compared, whole words with blanks around: however they are spaced and in either case, and each letter of a
    script without spaces as a word.
    """
    spaced = "".join(f" {letter} " if unspaced(letter) else letter for letter in words.lower())
    return f" {' '.join(spaced.split())} "


def as_words(given: str | Sequence[Any]) -> tuple[str, ...]:
    """A list of words, or one text of them with commas between, as a tuple; blank ones are left out."""
    words = given.split(",") if isinstance(given, str) else given
    return tuple(word.strip() for word in words if word.strip())
