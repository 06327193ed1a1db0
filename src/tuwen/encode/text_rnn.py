"""A recurrent network that reads text, in one direction or both, with a vocabulary learned from the user's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tuwen.errors import ConfigError
from tuwen.layers import Dropout, masked_max, masked_mean
from tuwen.text_part import TextPart, drop_words
from tuwen.tokenizer import Kind
from tuwen.types import Latent, Widths

_CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True, kw_only=True)
class Config:
    cell: Literal["rnn", "gru", "lstm"] = "gru"
    """Kind of the recurrent cell."""
    width: int = 256
    """Width of the state of one direction; read in both, the tokens are twice as wide."""
    embed: int = 256
    """Width of the token embeddings."""
    layers: int = 1
    """Recurrent layers on each other."""
    bidirectional: bool = True
    """Whether the text is also read from its end."""
    pool: Literal["mean", "max", "last"] = "mean"
    """The pooled vector: mean or largest value of the states, or the last state of each direction."""
    dropout: float = 0.1
    """Share of the embeddings, and of the states between layers, that is dropped in training."""
    word_dropout: float = 0.0
    """Share of the words that training makes unknown, 0 to below 1; helps where there are few texts."""
    tokenizer: Kind = "bpe"
    """bpe (any language, nothing is unknown) or word."""
    vocabulary: int = 4000
    """Upper bound of the vocabulary."""
    max_tokens: int = 64
    """Longest text, in tokens with begin and end, above 2; longer ones are cut."""

    def build(self) -> TextRnn:
        return TextRnn(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=8, embed=8, dropout=0.0, vocabulary=300, max_tokens=14)

    @staticmethod
    def example(batch: int) -> list[str]:
        """Texts of different lengths, one of them empty from the third on."""
        texts = ("a red dog runs", "a dog", "", "two green birds sit on a long branch")
        return [texts[i % len(texts)] for i in range(batch)]


class TextRnn(TextPart):
    """Texts -> the state at each token, and one pooled vector. An empty text is its begin and end tokens.

    For few texts it learns as well as `text_transformer`, at a lower cost; padding is not computed.

    Source:
        GRU: Cho et al. 2014, arXiv:1406.1078; LSTM: Hochreiter and Schmidhuber 1997; in both directions: Schuster and
        Paliwal 1997. As the text side of matching, with pool="last": Kiros et al. 2014, arXiv:1411.2539.
    Raises:
        ConfigError: there is no room for a token.
    """

    def __init__(self, config: Config):
        super().__init__(tokenizer=config.tokenizer, vocabulary=config.vocabulary, max_tokens=config.max_tokens)
        if config.max_tokens < 3:
            raise ConfigError(
                f"encode.text_rnn: max_tokens is {config.max_tokens}; with begin and end it is 3 or more. Set max_tokens=64."
            )
        self.config = config
        width = config.width * (2 if config.bidirectional else 1)
        self.widths = Widths(width, width)

    def settle(self, vocabulary_size: int) -> None:
        c = self.config
        self.token = nn.Embedding(vocabulary_size, c.embed)
        nn.init.normal_(self.token.weight, std=c.embed**-0.5)
        between = c.dropout if c.layers > 1 else 0.0
        options: dict[str, Any] = {"bidirectional": c.bidirectional, "dropout": between, "batch_first": True}
        self.cell = _CELLS[c.cell](c.embed, c.width, c.layers, **options)
        self.dropout = Dropout(c.dropout)

    def prepare(self, values: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts -> (P, T) token numbers from begin to end, and their (P, T) mask of real ones."""
        return self.framed(values, self.max_tokens - 2)

    def forward(self, data: Tensor, mask: Tensor | None = None) -> Latent:
        """(P, T) int64 -> tokens (P, T, D) and pooled (P, D)."""
        mask_PT = torch.ones_like(data, dtype=torch.bool) if mask is None else mask
        if self.training and self.config.word_dropout:
            data = drop_words(data, self.config.word_dropout)
        tokens_PTD, last_PD = self._read(self.dropout(self.token(data)), mask_PT)
        if self.config.pool == "last":
            return Latent(last_PD, tokens_PTD, mask)
        pool = masked_mean if self.config.pool == "mean" else masked_max
        return Latent(pool(tokens_PTD, mask), tokens_PTD, mask)

    def _read(self, x_PTE: Tensor, mask_PT: Tensor) -> tuple[Tensor, Tensor]:
        """States (P, T, D) and the last ones (P, D), in float32: on a CPU the bfloat16 form is slower, or not there."""
        with torch.autocast(x_PTE.device.type, enabled=False):
            packed = pack_padded_sequence(x_PTE.float(), mask_PT.sum(1).cpu(), batch_first=True, enforce_sorted=False)
            states, last = self.cell(packed)
            tokens_PTD, _ = pad_packed_sequence(states, batch_first=True, total_length=x_PTE.shape[1])
        hidden_LPW = last[0] if isinstance(last, tuple) else last
        directions = 2 if self.config.bidirectional else 1
        return tokens_PTD, hidden_LPW[-directions:].transpose(0, 1).flatten(1)
