"""A bag of words: how often each word, or each run of characters, occurs in a text. Learns no weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from torch import Tensor, nn

from tuwen.errors import ConfigError, DataError
from tuwen.types import Latent, Widths

_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]|[^\\W_]+"
)
"""A word; in scripts without spaces (Thai to Chinese) a letter."""


@dataclass(frozen=True, kw_only=True)
class Config:
    weighting: Literal["tfidf", "counts"] = "tfidf"
    """tfidf: a word that is in few texts weighs more; counts: how often it occurs. Both are scaled to length 1."""
    unit: Literal["word", "char"] = "word"
    """word: words, of scripts without spaces letters; char: runs of characters within words, robust against spelling."""
    shortest: int = 1
    """Fewest words or characters that make one feature, 1 or more."""
    longest: int = 2
    """Most words or characters that make one feature; from `shortest` on."""
    features: int = 4000
    """Upper bound of the features; the commonest are kept. The width of the vector."""
    min_texts: int = 2
    """Texts that a feature is in at least, 1 or more."""
    log: bool = True
    """Whether a count n weighs 1 + ln(n)."""

    def build(self) -> TextBow:
        return TextBow(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(features=40, min_texts=1)

    @staticmethod
    def example(batch: int) -> list[str]:
        """Texts of different lengths, one of them empty from the third on."""
        texts = ("a red dog runs", "a dog", "", "two green birds sit on a long branch")
        return [texts[i % len(texts)] for i in range(batch)]


class TextBow(nn.Module):
    """Texts -> one vector, which is also the only token. A `projection` on top makes it comparable with pictures.

    The vocabulary and the rarity of its words are fitted on the training texts and stored as JSON. Words that it has not seen add
    nothing; a text without known words is the zero vector.

    Source:
        Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval". Counted by scikit-learn; the
        same numbers as its TfidfVectorizer: idf ln((1 + n) / (1 + df)) + 1, rows of length 1.
    Raises:
        ConfigError: longest is below shortest, or a number is below 1.
    """

    modality = "text"
    frozen = True

    def __init__(self, config: Config):
        super().__init__()
        for name in ("shortest", "features", "min_texts"):
            if getattr(config, name) < 1:
                raise ConfigError(f"encode.text_bow: {name} is {getattr(config, name)}; it is 1 or more. Set {name}=1.")
        if config.longest < config.shortest:
            raise ConfigError(
                f"encode.text_bow: longest is {config.longest} and shortest is {config.shortest}; set longest={config.shortest} or more."
            )
        self.config = config
        self.counter: Any
        self.idf: np.ndarray | None
        self.widths: Widths
        self.eval()

    def fit(self, values: Sequence[str]) -> None:
        """Learns the vocabulary and the rarity of its words from the texts of the training part.

        Raises:
            DataError: no feature is in `min_texts` texts.
        """
        c = self.config
        counter = self._counter(max_features=c.features, min_df=c.min_texts)
        try:
            count_PD = counter.fit_transform(values)
        except ValueError as error:  # sklearn: an empty vocabulary, or none left
            raise DataError(
                f"there are no words to learn from: none is in {c.min_texts} of the {len(values)} training texts. "
                "`tuwen data DATA` shows what is there; encode.text.min_texts=1 takes every word."
            ) from error
        texts_D = np.asarray((count_PD > 0).sum(0)).ravel()
        self._settle(counter, np.log((1 + len(values)) / (1 + texts_D)) + 1 if c.weighting == "tfidf" else None)

    def learned(self) -> dict[str, Any]:
        """The vocabulary in the order of the vector, and the rarity of each, as JSON for the model directory."""
        terms = self.counter.get_feature_names_out().tolist()
        return {"vocabulary": terms, "idf": None if self.idf is None else self.idf.tolist()}

    def restore(self, learned: dict[str, Any]) -> None:
        """Instead of `fit`: takes what an earlier one learned."""
        counter = self._counter(vocabulary={term: i for i, term in enumerate(learned["vocabulary"])})
        self._settle(counter, None if learned["idf"] is None else np.array(learned["idf"]))

    def _counter(self, **options: Any) -> CountVectorizer:
        c = self.config
        if c.unit == "word":
            options |= {"tokenizer": _WORD.findall, "token_pattern": None}
        else:
            options |= {"analyzer": "char_wb"}
        return CountVectorizer(ngram_range=(c.shortest, c.longest), **options)

    def _settle(self, counter: CountVectorizer, idf_D: np.ndarray | None) -> None:
        self.counter, self.idf = counter, idf_D
        width = len(counter.get_feature_names_out())
        self.widths = Widths(width, width)

    def train(self, mode: bool = True) -> TextBow:
        """Stays in evaluation mode: nothing in it learns."""
        return super().train(False)

    def prepare(self, values: Sequence[str]) -> tuple[Tensor, None]:
        """Texts -> (P, D) float32, each of length 1 or 0."""
        if not len(values):
            return torch.zeros(0, self.widths.pooled), None
        weight_PD = self.counter.transform(values).toarray().astype(np.float64)
        if self.config.log:
            weight_PD = np.where(weight_PD > 0, 1 + np.log(np.maximum(weight_PD, 1)), 0.0)
        if self.idf is not None:
            weight_PD *= self.idf
        length_P = np.linalg.norm(weight_PD, axis=1)
        return torch.from_numpy((weight_PD / np.maximum(length_P, 1e-12)[:, None]).astype(np.float32)), None

    def features(self, data: Tensor, mask: Tensor | None = None) -> Tensor:
        """(P, D) -> (P, 1, D)."""
        return data[:, None]

    def finish(self, tokens_PTD: Tensor, mask: Tensor | None = None) -> Latent:
        """What `features` made -> the latent, in float32."""
        tokens_PTD = tokens_PTD.float()
        return Latent(tokens_PTD[:, 0], tokens_PTD)

    def forward(self, data: Tensor, mask: Tensor | None = None) -> Latent:
        return self.finish(self.features(data, mask), mask)
