"""A transformer that reads text in both directions, with a vocabulary learned from the user's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from tuwen.errors import ConfigError, ShapeError
from tuwen.layers import Block, Dropout, Packing, init_transformer, masked_mean
from tuwen.text_part import TextPart
from tuwen.tokenizer import Kind
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 256
    """Width D of the tokens; a multiple of heads."""
    layers: int = 3
    """Number of blocks."""
    heads: int = 4
    """Attention heads."""
    dropout: float = 0.1
    """Share of what each block adds that is dropped in training."""
    pool: Literal["mean", "first"] = "mean"
    """The pooled vector: the mean of the real tokens, or the begin token, which reads all others."""
    tokenizer: Kind = "bpe"
    """bpe (any language, nothing is unknown) or word."""
    vocabulary: int = 4000
    """Upper bound of the vocabulary."""
    max_tokens: int = 64
    """Longest text, in tokens with begin and end, above 2; longer ones are cut."""

    def build(self) -> TextTransformer:
        return TextTransformer(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=16, layers=2, heads=2, dropout=0.0, vocabulary=300, max_tokens=14)

    @staticmethod
    def example(batch: int) -> list[str]:
        """Texts of different lengths, one of them empty from the third on."""
        texts = ("a red dog runs", "a dog", "", "two green birds sit on a long branch")
        return [texts[i % len(texts)] for i in range(batch)]


class TextTransformer(TextPart):
    """Texts -> a token for each piece, and one pooled vector. An empty text is its begin and end tokens.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, with the norms before the blocks and no segment embedding.
    Raises:
        ConfigError: the width is no multiple of the heads, or there is no room for a token.
    """

    def __init__(self, config: Config):
        super().__init__(tokenizer=config.tokenizer, vocabulary=config.vocabulary, max_tokens=config.max_tokens)
        if config.width % config.heads:
            raise ConfigError(
                f"encode.text_transformer: width {config.width} is no multiple of heads {config.heads}. "
                f"Set width={config.width // config.heads * config.heads or config.heads}."
            )
        if config.max_tokens < 3:
            raise ConfigError(
                f"encode.text_transformer: max_tokens is {config.max_tokens}; with begin and end it is 3 or more. Set max_tokens=64."
            )
        self.config = config
        self.widths = Widths(config.width, config.width)

    def settle(self, vocabulary_size: int) -> None:
        c = self.config
        self.token = nn.Embedding(vocabulary_size, c.width)
        self.position = nn.Embedding(c.max_tokens, c.width)
        self.blocks = nn.ModuleList(Block(c.width, c.heads, dropout=c.dropout) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width)
        self.dropout = Dropout(c.dropout)
        init_transformer(self)
        # words as large as what the blocks add to them: with the 0.02 of a tied decoder all words look alike for hundreds of steps
        nn.init.normal_(self.token.weight, std=0.7)

    def prepare(self, values: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts -> (P, T) token numbers from begin to end, and their (P, T) mask of real ones."""
        return self.framed(values, self.max_tokens - 2)

    def forward(self, data: Tensor, mask: Tensor | None = None) -> Latent:
        """(P, T) int64 -> tokens (P, T, D) and pooled (P, D)."""
        length = data.shape[1]
        if length > self.max_tokens:
            raise ShapeError(
                f"encode.text_transformer reads up to {self.max_tokens} tokens, got {length}; `prepare` cuts texts to that."
            )
        packing = Packing((torch.ones_like(data, dtype=torch.bool) if mask is None else mask).sum(1))
        place_PT = torch.arange(length, device=data.device).expand_as(data)
        token_N, place_N = (data.flatten(), place_PT.flatten()) if mask is None else (data[mask], place_PT[mask])
        x_ND = self.dropout(self.token(token_N) + self.position(place_N))
        for block in self.blocks:
            x_ND = block(x_ND, packing=packing)
        tokens_PTD = packing.unpack(self.norm(x_ND))
        pooled_PD = masked_mean(tokens_PTD, mask) if self.config.pool == "mean" else tokens_PTD[:, 0]
        return Latent(pooled_PD, tokens_PTD, mask)
