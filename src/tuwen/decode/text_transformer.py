"""A transformer that writes text while it looks at the tokens of a latent. Its weights map one to one to GPT-2's."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.decode._text import TextDecoder
from tuwen.errors import ShapeError
from tuwen.layers import Block, CrossAttention, Dropout, Packing, attend, init_transformer
from tuwen.text_part import drop_words
from tuwen.tokenizer import Kind
from tuwen.types import Decoded, Feed, Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 384
    """Width D of the layers; a multiple of heads."""
    layers: int = 3
    """Number of blocks, each with self-attention, cross-attention and an MLP."""
    heads: int = 6
    """Attention heads."""
    dropout: float = 0.1
    """Share of what each block adds that is dropped in training."""
    word_dropout: float = 0.0
    """Share of the tokens read in training that are unknown instead, 0 to below 1; never the first."""
    tokenizer: Kind = "bpe"
    """bpe (any language, nothing is unknown) or word."""
    vocabulary: int = 4000
    """Upper bound of the vocabulary."""
    max_tokens: int = 64
    """Longest text, in tokens; longer captions are cut."""

    def build(self, widths: Widths) -> TextTransformer:
        return TextTransformer(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=16, layers=2, heads=2, dropout=0.0, vocabulary=300, max_tokens=12)

    @staticmethod
    def example(batch: int) -> list[str]:
        return [f"a {colour} dog runs" for colour in ("red", "green", "blue", "black")] * batch


class TextTransformer(TextDecoder):
    """GPT-2 with cross-attention: pre-norm, biases, learned positions, tied output.

    Source:
        Radford et al. 2019; cross-attention as in transformers' GPT2Model(add_cross_attention=True).
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__(tokenizer=config.tokenizer, vocabulary=config.vocabulary, max_tokens=config.max_tokens)
        if config.width % config.heads:
            raise ShapeError(f"decode.text: width {config.width} is no multiple of heads {config.heads}")
        self.config = config
        self.memory_width = widths.tokens

    def settle(self, vocabulary_size: int) -> None:
        c = self.config
        self.token = nn.Embedding(vocabulary_size, c.width)
        self.position = nn.Embedding(c.max_tokens, c.width)
        self.blocks = nn.ModuleList(_Block(c, self.memory_width) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width)
        self.dropout = Dropout(c.dropout)
        init_transformer(self)

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        if target.mask is None or latent.tokens is None:
            raise ShapeError(
                "decode.text_transformer reads the tokens of its latent and a masked target; one is missing"
            )
        token_PT, mask_PT = target.data[:, :-1], target.mask[:, 1:]
        count_P = mask_PT.sum(1)
        count_B = torch.zeros(len(latent), dtype=count_P.dtype, device=count_P.device).index_add(
            0, target.owner_P, count_P
        )
        captions, pictures = Packing(count_P), Packing(count_B)
        if self.training and self.config.word_dropout:
            token_PT = drop_words(token_PT, self.config.word_dropout)
        place_N = torch.arange(token_PT.shape[1], device=token_PT.device).expand_as(token_PT)[mask_PT]
        x_ND = self.dropout(self.token(token_PT[mask_PT]) + self.position(place_N))
        for block in self.blocks:
            x_ND = block(x_ND, latent.tokens, latent.mask, captions, pictures)
        logits_NV = F.linear(self.norm(x_ND), self.token.weight)
        return Decoded(logits_NV, target.data[:, 1:][mask_PT], mask_PT, target.owner_P)

    def start(self, latent: Latent, beams: int = 1) -> State:
        if latent.tokens is None:
            raise ShapeError("decode.text_transformer reads the tokens of its latent; it has none")
        memory, num, c = [], len(latent), self.config
        for block in self.blocks:
            key, value = block.cross.memory(latent.tokens)  # type: ignore[operator, union-attr]
            memory.append((key.mT.contiguous(), value.contiguous()))
        like, places = memory[0][0], self.max_tokens * beams
        shape = (num, c.heads, places, c.width // c.heads)
        cache = [(like.new_empty(shape), like.new_empty(shape)) for _ in self.blocks]
        seen_BKP = like.new_full((num, beams, places), float("-inf"))
        seen_BM = None
        if latent.mask is not None:
            seen_BM = like.new_zeros(latent.mask.shape).masked_fill(~latent.mask, float("-inf"))
        return State(memory, seen_BM, cache, seen_BKP)

    def step(self, state: State, token_N: Tensor) -> Tensor:
        beams = state.seen_BKP.shape[1]
        # all beams of a picture begin with the same token: the first step is made once for all of them
        token_BK = token_N.view(-1, beams)[:, : beams if state.length else 1]
        state.seen_BKP[:, :, state.length * beams :][:, :, :beams].diagonal(dim1=1, dim2=2).zero_()
        x_BKD = self.token(token_BK) + self.position.weight[state.length]
        for block, memory, cache in zip(self.blocks, state.memory, state.cache, strict=True):
            x_BKD = block.step(x_BKD, memory, cache, state)  # type: ignore[operator]
        state.length += 1
        state.top_BKD = self.norm(x_BKD)
        logits_BKV = F.linear(state.top_BKD, self.token.weight).float()
        return (logits_BKV if logits_BKV.shape[1] == beams else logits_BKV.repeat(1, beams, 1)).flatten(0, 1)

    def top(self, state: State) -> Tensor:
        return state.top_BKD.expand(-1, state.seen_BKP.shape[1], -1).flatten(0, 1)

    def reorder(self, state: State, index_N: Tensor) -> None:
        state.seen_BKP = state.seen_BKP.flatten(0, 1)[index_N].view_as(state.seen_BKP)

    def drop(self, state: State, keep_B: Tensor) -> None:
        moved_R = (keep_B != torch.arange(len(keep_B), device=keep_B.device)).nonzero()[:, 0]
        used = state.length * state.seen_BKP.shape[1]

        def shrunk(x_BX: Tensor) -> Tensor:
            if len(moved_R):
                x_BX[moved_R] = x_BX[keep_B[moved_R]]
            return x_BX[: len(keep_B)]

        state.memory = [(shrunk(key), shrunk(value)) for key, value in state.memory]
        for key, value in state.cache:
            shrunk(key[:, :, :used])
            shrunk(value[:, :, :used])
        state.cache = [(key[: len(keep_B)], value[: len(keep_B)]) for key, value in state.cache]
        state.seen_BKP = state.seen_BKP[keep_B]
        if state.seen_BM is not None:
            state.seen_BM = state.seen_BM[keep_B]


@dataclass(slots=True)
class State:
    """What has been said so far. The K beams of a picture share one cache, and each sees its own ancestors in it.

    So reordering beams moves no keys and values, only the rows of `seen_BKP`.
    """

    memory: list[tuple[Tensor, Tensor]]
    """For each block keys, (B, H, D / H, M), and values, (B, H, M, D / H), of the latent; the beams of a picture share them."""
    seen_BM: Tensor | None
    """0 where a token of the latent is real, minus infinity elsewhere; None if all are."""
    cache: list[tuple[Tensor, Tensor]]
    """For each block keys and values of the text, (B, H, P, D / H): place t * K + k holds token t of beam k."""
    seen_BKP: Tensor
    """(B, K, P): 0 where a beam sees a place of the cache, minus infinity elsewhere; P = max_tokens * K."""
    length: int = field(default=0)
    """Tokens that have been said."""
    top_BKD: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B, K or 1, D) what the last step compared with the embeddings."""


class _Block(Block):
    """A block with cross-attention between self-attention and MLP."""

    def __init__(self, config: Config, memory_width: int):
        super().__init__(config.width, config.heads, causal=True, dropout=config.dropout)
        self.norm_cross = nn.LayerNorm(config.width)
        self.cross = CrossAttention(config.width, config.heads, memory_width)

    def forward(  # type: ignore[override]
        self, x_ND: Tensor, memory_BMD: Tensor, mask_BM: Tensor | None, captions: Packing, pictures: Packing
    ) -> Tensor:
        x_ND = x_ND + self.dropout(self.attention(self.norm_self(x_ND), packing=captions))
        memory = self.cross.memory(memory_BMD)
        x_ND = x_ND + self.dropout(self.cross(self.norm_cross(x_ND), memory, mask_BM, pictures))
        return x_ND + self.dropout(self.mlp(self.norm_mlp(x_ND)))

    def step(self, x_BKD: Tensor, memory: tuple[Tensor, Tensor], cache: tuple[Tensor, Tensor], state: State) -> Tensor:
        """(B, K, D) -> (B, K, D): one token of each beam, or one for all beams, against the cache."""
        beams = state.seen_BKP.shape[1]
        begin, end = state.length * beams, (state.length + 1) * beams
        query, key, value = self.attention.split(self.attention.qkv(self.norm_self(x_BKD)))
        cache[0][:, :, begin:end] = key
        cache[1][:, :, begin:end] = value
        seen = state.seen_BKP[:, None, : x_BKD.shape[1], :end] if beams > 1 else None  # a single beam sees everything
        mixed = F.scaled_dot_product_attention(query, cache[0][:, :, :end], cache[1][:, :, :end], attn_mask=seen)
        x_BKD = x_BKD + self.attention.out(mixed.transpose(1, 2).flatten(2))
        seen = None if state.seen_BM is None else state.seen_BM[:, None, None, :]
        x_BKD = x_BKD + self.cross.out(attend(self.cross.split(self.norm_cross(x_BKD)), *memory, seen))
        return x_BKD + self.mlp(self.norm_mlp(x_BKD))
