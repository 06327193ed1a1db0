"""Text <-> token numbers. Byte-level BPE or whole words, trained on the user's own text in any language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as _Fast

PAD, BOS, EOS, UNK = 0, 1, 2, 3
_SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>"]

Kind = Literal["bpe", "word"]


class Tokenizer:
    """A trained tokenizer: numbers 0 to 3 are padding, begin, end and unknown.

    Source:
        Sennrich et al. 2016, arXiv:1508.07909; on bytes: Radford et al. 2019. By the `tokenizers` library.
    """

    def __init__(self, fast: _Fast):
        self._fast = fast
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
            # a word, a character of a script without spaces, or a punctuation mark
            cjk = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]"
            fast.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{cjk}|[^\s\p{{P}}]+|\p{{P}}"), "removed", invert=True)
            fast.decoder = decoders.Fuse()
            trainer = trainers.WordLevelTrainer(
                vocab_size=size, min_frequency=2, special_tokens=_SPECIAL, show_progress=False
            )
        fast.normalizer = normalizers.Sequence(normal)
        fast.train_from_iterator(texts, trainer)
        return cls(fast)

    @property
    def kind(self) -> Kind:
        return "word" if isinstance(self._fast.model, models.WordLevel) else "bpe"

    def encode(self, texts: Sequence[str], *, max_tokens: int = 0) -> list[list[int]]:
        """Token numbers of each text, without begin and end; cut after `max_tokens` (0: never)."""
        rows = [row.ids for row in self._fast.encode_batch_fast(list(texts), add_special_tokens=False)]
        return [row[:max_tokens] for row in rows] if max_tokens else rows

    def decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Texts of token numbers; special tokens are left out."""
        if self.kind == "bpe":
            return [t.strip() for t in self._fast.decode_batch([list(r) for r in rows], skip_special_tokens=True)]
        return [self._join([self._fast.id_to_token(i) or "" for i in row if i >= UNK]) for row in rows]

    @staticmethod
    def _join(words: list[str]) -> str:
        out = ""
        for word in words:
            glued = (
                not out or (len(word) == 1 and not word.isalnum()) or (ord(word[0]) > 0x2E7F and ord(out[-1]) > 0x2E7F)
            )
            out += word if glued else " " + word
        return out

    def to_json(self) -> str:
        return self._fast.to_str()

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        return cls(_Fast.from_str(text))
