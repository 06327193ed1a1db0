"""Tokens one after the other, each of which sees those before it and a memory: what decoders of text and of codes share."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.decode._laid import Laid, lay_out
from tuwen.layers import Block, CrossAttention, Dropout, Packing, attend, init_transformer

_FIRST = 4
"""Tokens of each beam that a cache has room for at first; later it grows by as many, or by a quarter of the text."""
_ALIGNED = 16
"""Places that are made at once."""
_MANY = 64
"""Beams of all pictures from which on attention in bfloat16 takes less time than in float32."""


class Causal(nn.Module):
    """GPT-2 with cross-attention: pre-norm, biases, learned positions. A subclass compares what comes out with embeddings.

    Source:
        Radford et al. 2019; cross-attention as in transformers' GPT2Model(add_cross_attention=True).
    """

    _copied: tuple[Any, Any] | None = None
    """What tells the weights of the rounded copy from others, and the copy."""

    def make_layers(self, size: int, places: int, config: Any, memory_width: int) -> None:
        """Makes the layers.

        Args:
            size: different tokens.
            places: tokens of the longest row.
            config: with width, layers, heads and dropout.
        """
        self.token = nn.Embedding(size, config.width)
        self.position = nn.Embedding(places, config.width)
        self.blocks = nn.ModuleList(_Block(config, memory_width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.dropout = Dropout(config.dropout)
        self.head: Laid | None = None  # stands for the embeddings in a copy that is `rounded`
        init_transformer(self)

    def read(
        self,
        token_N: Tensor,
        place_N: Tensor,
        memory_BMD: Tensor,
        mask_BM: Tensor | None,
        rows: Packing,
        readers: Packing,
    ) -> Tensor:
        """(N, D) what is to be compared with the embedding of the next token, for each of N packed tokens.

        Args:
            place_N: where each token stands in its row.
            memory_BMD, mask_BM: what rows read.
            rows: packs the tokens of each row.
            readers: packs the tokens of all rows that read one memory.
        """
        x_ND = self.dropout(self.token(token_N) + self.position(place_N))
        for block in self.blocks:
            x_ND = block(x_ND, memory_BMD, mask_BM, rows, readers)
        return self.norm(x_ND)

    def begun(self, memory_BMD: Tensor, mask_BM: Tensor | None, beams: int = 1) -> State:
        """State of B * beams rows of no tokens."""
        dtype, memory = self.token.weight.dtype, []
        if self.head is not None and beams * len(memory_BMD) >= _MANY:
            dtype = torch.bfloat16
        for block in self.blocks:
            key, value = block.cross.memory(memory_BMD.to(self.token.weight.dtype))  # type: ignore[operator, union-attr]
            memory.append((key.mT.to(dtype).contiguous(), value.to(dtype).contiguous()))
        like, most = memory[0][1], self.position.num_embeddings
        whole, (batch, heads, _, width) = like.dtype is torch.bfloat16, like.shape
        room = most if beams == 1 and not whole else _room(beams * min(_FIRST, most))
        cache = [value.new_zeros(2, batch, heads, room, width) for _, value in memory]
        seen_BKC = like.new_full((batch, beams, room), float("-inf"))
        seen_BM = None
        if mask_BM is not None:
            seen_BM = like.new_zeros(mask_BM.shape).masked_fill(~mask_BM, float("-inf"))
        return State(memory, seen_BM, cache, seen_BKC, whole)

    def added(self, state: State, token_BK: Tensor) -> Tensor:
        """(B, K, D) as `read`, after one more token of each beam, or one for all beams of a memory; changes the state."""
        here = state.add()
        x_BKD = self.token(token_BK) + self.position.weight[state.length - 1]
        seen = state.seen(token_BK.shape[1])
        for block, memory, own in zip(self.blocks, state.memory, state.own(), strict=True):
            x_BKD = block.step(x_BKD, memory, own, here, seen)  # type: ignore[operator]
        return self.norm(x_BKD)

    def train(self, mode: bool = True) -> Any:
        """As of any module; weights that are to change give up their rounded copy, as not every optimiser leaves a trace."""
        if mode:
            self._copied = None
        return super().train(mode)

    def rounded(self) -> Any:
        """Itself with products in bfloat16, which steps sooner where a machine multiplies faster in it; what is added up between
        them is float32. The copy is made once for weights that stay as they are."""
        weights = [(one.data_ptr(), 0 if one.is_inference() else one._version) for one in self.parameters()]
        copied = self._copied
        if copied is None or copied[0] != weights:  # other threads may ask at the same time
            self._copied = None
            self._copied = copied = weights, self._round()
        return copied[1]

    @torch.no_grad()
    def _round(self) -> Any:
        other: Any = copy.deepcopy(self)
        other.head = self.make_head()
        lay_out(other)
        return other

    def embeddings(self) -> Tensor:
        """(V, D) of the tokens that may come next."""
        return self.token.weight

    def make_head(self) -> nn.Linear:
        """A linear layer that compares with the embeddings."""
        weight_VD = self.embeddings()
        size, width = weight_VD.shape
        head = nn.utils.skip_init(nn.Linear, width, size, device=weight_VD.device)  # draws no random numbers
        head.weight.copy_(weight_VD)
        head.bias.zero_()
        return head  # type: ignore[no-any-return]

    def logits(self, top: Tensor) -> Tensor:
        """(..., D) of `added` -> (..., V), how much each token fits next."""
        return F.linear(top, self.embeddings()) if self.head is None else self.head(top)


@dataclass(slots=True)
class State:
    """What has been said so far. The K beams of a picture share one cache, and each sees its own ancestors in it.

    So reordering beams moves no keys and values, only the rows of `seen_BKC`; where the cache is full, the places that no beam
    sees any more are given up.
    """

    memory: list[tuple[Tensor, Tensor]]
    """For each block keys, (B, H, D / H, M), and values, (B, H, M, D / H), of the latent; the beams of a picture share them."""
    seen_BM: Tensor | None
    """0 where a token of the latent is real, minus infinity elsewhere; None if all are."""
    cache: list[Tensor]
    """For each block keys and values of the text, (2, B, H, C, D / H): C places, each for a token of one beam."""
    seen_BKC: Tensor
    """0 where a beam sees a place of the cache, minus infinity elsewhere."""
    whole: bool
    """Whether all of the cache is read, since products in bfloat16 copy a part of a larger tensor; else what is filled."""
    filled: int = field(default=0)
    """Places that are taken."""
    length: int = field(default=0)
    """Tokens that have been said."""
    top_BKD: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B, K or 1, D) what the last step compared with the embeddings."""

    def add(self) -> slice:
        """Places for one more token of each beam, which it sees; those who come after see what it sees."""
        _, beams, room = self.seen_BKC.shape
        if self.filled + beams > room:
            self._grow(max(_FIRST, self.length // 4) * beams)
        here = slice(self.filled, self.filled + beams)
        self.seen_BKC[:, :, here].diagonal(dim1=1, dim2=2).zero_()
        self.filled += beams
        self.length += 1
        return here

    def _grow(self, more: int) -> None:
        """Moves the places that a beam sees to the front, and makes room for at least so many more."""
        seen_BC = (self.seen_BKC[:, :, : self.filled] == 0).any(1)
        kept = int(seen_BC.sum(1).max())
        more = _room(kept + more) - kept
        place_BC = F.pad(seen_BC.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :kept], (0, more))
        _, batch, heads, room, width = self.cache[0].shape
        first_2BH1 = torch.arange(0, 2 * batch * heads * room, room, device=place_BC.device).view(2, batch, heads, 1)
        index_X = (first_2BH1 + place_BC[:, None]).flatten()
        self.cache = [
            own.reshape(-1, width).index_select(0, index_X).view(2, batch, heads, -1, width) for own in self.cache
        ]
        self.seen_BKC = self.seen_BKC.gather(2, place_BC[:, None].expand(-1, self.seen_BKC.shape[1], -1))
        self.seen_BKC[:, :, kept:] = float("-inf")
        self.filled = kept

    @property
    def used(self) -> int:
        """Places of the cache that are read."""
        return self.seen_BKC.shape[2] if self.whole else self.filled

    def own(self) -> list[Tensor]:
        """The part of the cache that is read."""
        return [own[:, :, :, : self.used] for own in self.cache]

    def seen(self, queries: int) -> tuple[Tensor | None, Tensor | None]:
        """What so many queries of a picture see, as `attend` takes it: (B * H, K, C) of the text, and (B * H, 1, M) of the
        latent; None, if they see all of it."""
        own, heads = None, self.cache[0].shape[2]
        if self.whole or self.seen_BKC.shape[1] > 1:
            own = self.seen_BKC[:, None, :queries, : self.used].expand(-1, heads, -1, -1).flatten(0, 1)
        if self.seen_BM is None:
            return own, None
        return own, self.seen_BM[:, None, None].expand(-1, heads, 1, -1).flatten(0, 1)

    def keep(self, keep_B: Tensor) -> None:
        """Of the pictures only those with these numbers."""
        moved_R = (keep_B != torch.arange(len(keep_B), device=keep_B.device)).nonzero()[:, 0]

        def shrunk(x_BX: Tensor) -> Tensor:
            if len(moved_R):
                x_BX[moved_R] = x_BX[keep_B[moved_R]]
            return x_BX[: len(keep_B)]

        self.memory = [(shrunk(key), shrunk(value)) for key, value in self.memory]
        for own in self.own():
            shrunk(own[0]), shrunk(own[1])
        self.cache = [own[:, : len(keep_B)] for own in self.cache]
        self.seen_BKC = self.seen_BKC[keep_B]
        if self.seen_BM is not None:
            self.seen_BM = self.seen_BM[keep_B]


def _room(places: int) -> int:
    """As many places or a few more: rows of other lengths than these take longer."""
    return -(-places // _ALIGNED) * _ALIGNED


class _Block(Block):
    """A block with cross-attention between self-attention and MLP."""

    def __init__(self, config: Any, memory_width: int):
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

    def step(
        self,
        x_BKD: Tensor,
        memory: tuple[Tensor, Tensor],
        own_2BHCE: Tensor,
        here: slice,
        seen: tuple[Tensor | None, Tensor | None],
    ) -> Tensor:
        """(B, K, D) -> (B, K, D): one token of each beam, or one for all beams, whose keys and values are kept `here`."""
        batch, beams, _ = x_BKD.shape
        qkv_BKSHE = self.attention.qkv(self.norm_self(x_BKD)).view(batch, beams, 3, self.attention.heads, -1)
        own_2BHCE[:, :, :, here] = qkv_BKSHE[:, :, 1:].permute(2, 0, 3, 1, 4)
        key, value = own_2BHCE.flatten(1, 2).unbind()
        x_BKD = x_BKD + self.attention.out(attend(qkv_BKSHE[:, :, 0].type_as(key), key.mT, value, seen[0]))
        key, value = (one.flatten(0, 1) for one in memory)
        query_BKHE = self.cross.query(self.norm_cross(x_BKD)).view(batch, beams, self.cross.heads, -1).type_as(key)
        x_BKD = x_BKD + self.cross.out(attend(query_BKHE, key, value, seen[1]))
        return x_BKD + self.mlp(self.norm_mlp(x_BKD))
