"""Text <-> token numbers. Byte-level BPE or whole words, trained on the user's own text in any language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Literal

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as _Fast

from tuwen._scripts import UNIT, UNSPACED, in_word, unspaced
from tuwen.errors import ConfigError

PAD, BOS, EOS, UNK = 0, 1, 2, 3
_SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>"]
_NAMED = re.compile("|".join(_SPECIAL))

Kind = Literal["bpe", "word"]

_LETTER = rf"[^\s\p{{P}}{UNSPACED}]"
_SPLIT = rf"{UNIT}|{_LETTER}+(?:['’-]{_LETTER}+)*|['’](?i:[smdt]|re|ve|ll)(?!{_LETTER})|\p{{P}}"
"""A letter of a script without spaces; a word, with what apostrophes and hyphens join to it; a clitic that stands alone
('man 's', as some data sets have it); a punctuation mark."""


class Tokenizer:
    """A trained tokenizer: numbers 0 to 3 are padding, begin, end and unknown.

    Source:
        Sennrich et al. 2016, arXiv:1508.07909; on bytes: Radford et al. 2019. By the `tokenizers` library.
    """

    def __init__(self, fast: _Fast):
        self._fast = fast
        self._fast.encode_special_tokens = True  # a text that holds their names is a text
        self.size = fast.get_vocab_size()

    @classmethod
    def train(cls, texts: Iterable[str], *, kind: Kind = "bpe", size: int = 8000, lower: bool = True) -> Tokenizer:
        """Learns a vocabulary.

        Args:
            texts: captions, in any language.
            kind: bpe: pieces of bytes, nothing is ever unknown; word: whole words that occur at least twice.
            size: upper bound of the vocabulary.
            lower: whether case is dropped (captions come out in lower case).
        """
        normal = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
        if lower:
            normal.insert(1, normalizers.Lowercase())
        if kind == "bpe":
            fast = _Fast(models.BPE())
            fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
            fast.decoder = decoders.ByteLevel()
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            trainer: trainers.Trainer = trainers.BpeTrainer(
                vocab_size=max(size, len(alphabet) + len(_SPECIAL)),
                min_frequency=2,
                special_tokens=_SPECIAL,
                initial_alphabet=alphabet,
                show_progress=False,
            )
        else:
            fast = _Fast(models.WordLevel(unk_token="<unk>"))
            fast.pre_tokenizer = pre_tokenizers.Split(Regex(_SPLIT), "removed", invert=True)
            fast.decoder = decoders.Fuse()
            trainer = trainers.WordLevelTrainer(
                vocab_size=size, min_frequency=2, special_tokens=_SPECIAL, show_progress=False
            )
        fast.normalizer = normalizers.Sequence(normal)
        fast.train_from_iterator(texts if kind == "bpe" else (_NAMED.sub(" ", text) for text in texts), trainer)
        return cls(fast)

    @property
    def kind(self) -> Kind:
        return "word" if isinstance(self._fast.model, models.WordLevel) else "bpe"

    def encode(self, texts: Sequence[str], *, max_tokens: int = 0) -> list[list[int]]:
        """Token numbers of each text, without begin and end; cut after `max_tokens` (0: never).

        Raises:
            ConfigError: there is half a character in a text.
        """
        rows = [row.ids for row in self._fast.encode_batch_fast(self._said(texts), add_special_tokens=False)]
        return [row[:max_tokens] for row in rows] if max_tokens else rows

    def _said(self, texts: Iterable[str]) -> list[str]:
        """Texts as the vocabulary takes them: among words the names of special tokens would be those tokens."""
        said = list(texts)
        for text in said:
            if not text.isascii() and text != text.encode("utf-8", "ignore").decode():
                raise ConfigError(
                    f"the text {text!r} has half a character in it; write it in UTF-8 (a terminal or file of another "
                    "encoding breaks letters beyond ASCII)"
                )
        return said if self.kind == "bpe" else [_NAMED.sub(" ", text) for text in said]

    def unknown(self, text: str) -> list[str]:
        """What of a text the vocabulary has no word for: words, or letters and signs of which it has only the bytes; each once."""
        [text] = self._said([text])
        if self.kind == "word":
            row = self._fast.encode(text, add_special_tokens=False)
            words = [text[slice(*row.offsets[i])] for i, token in enumerate(row.ids) if token == UNK]
            found = [word for word in words if any(map(_says, word))]
        else:
            whole = b"".join(piece + b"\xff" for piece in self.pieces)  # no letter has this byte
            letters = [letter for letter in self._fast.normalizer.normalize_str(text) if _says(letter)]
            found = [letter for letter in letters if letter.encode() not in whole]
        return list(dict.fromkeys(found))

    def spelled(self, text: str) -> list[int]:
        """Tokens of a text, as it is learned from: without begin and end."""
        [row] = self.encode([text])
        return row

    @cached_property
    def pieces(self) -> list[bytes]:
        """What each token adds to a text, in UTF-8; nothing for special ones."""
        names = [self._fast.id_to_token(token) or "" for token in range(self.size)]
        if self.kind == "bpe":
            byte = {letter: value for value, letter in enumerate(_letters())}
            return [bytes(byte[letter] for letter in name) if i > UNK else b"" for i, name in enumerate(names)]
        spaced = [name if _is_wide(name[0]) else " " + name for name in names]
        return [name.encode() if i > UNK else b"" for i, name in enumerate(spaced)]

    def decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Texts of token numbers; special tokens are left out."""
        if self.kind == "bpe":
            return [t.strip() for t in self._fast.decode_batch([list(r) for r in rows], skip_special_tokens=True)]
        return [self._join([self._fast.id_to_token(i) or "" for i in row if i >= UNK]) for row in rows]

    @staticmethod
    def _join(words: list[str]) -> str:
        out = ""
        for word in words:
            glued = not out or _closes(word) or _opens(out[-1]) or (_is_wide(word[0]) and _is_wide(out[-1]))
            out += word if glued else " " + word
        return out

    def to_json(self) -> str:
        return self._fast.to_str()

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        return cls(_Fast.from_str(text))


def _says(letter: str) -> bool:
    """Whether it may mean something by itself: a letter, a digit, or a sign as an arrow or an emoji is one."""
    return letter.isalnum() or unicodedata.category(letter) in ("So", "Sm", "Co")


def _opens(letter: str) -> bool:
    """Whether no space stands after it."""
    return letter in "#¿¡" or unicodedata.category(letter) in ("Ps", "Pi")


def _closes(word: str) -> bool:
    """Whether no space stands before it: a mark that ends or closes something."""
    if len(word) > 1 or word in "¿¡":
        return False
    kind = unicodedata.category(word)
    return word in ".,;:!?%'" or kind in ("Pe", "Pf") or (kind == "Po" and not word.isascii())


def _is_wide(letter: str) -> bool:
    """Whether no space stands between it and letters of scripts without spaces: their own, and signs beyond ASCII."""
    return unspaced(letter) or not (letter.isascii() or in_word(letter))


@cache
def _letters() -> list[str]:
    """The letter that stands for each of the 256 bytes in the vocabulary of a byte-level BPE.

    Source:
        `bytes_to_unicode` of GPT-2: Radford et al. 2019.
    """
    shown = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    other = iter(range(256, 512))
    return [chr(byte if byte in shown else next(other)) for byte in range(256)]
