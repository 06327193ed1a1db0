"""A transformer that writes text while it looks at the tokens of a latent. Its weights map one to one to GPT-2's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.decode._causal import Causal, State
from tuwen.decode._text import TextDecoder
from tuwen.errors import ShapeError
from tuwen.layers import Packing
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


class TextTransformer(Causal, TextDecoder):
    """GPT-2 with cross-attention, and its output tied to the embeddings."""

    def __init__(self, config: Config, widths: Widths):
        super().__init__(tokenizer=config.tokenizer, vocabulary=config.vocabulary, max_tokens=config.max_tokens)
        if config.width % config.heads:
            raise ShapeError(f"decode.text: width {config.width} is no multiple of heads {config.heads}")
        self.config = config
        self.memory_width = widths.tokens

    def settle(self, vocabulary_size: int) -> None:
        self.make_layers(vocabulary_size, self.config.max_tokens, self.config, self.memory_width)

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
        top_ND = self.read(token_PT[mask_PT], place_N, latent.tokens, latent.mask, captions, pictures)
        logits_NV = F.linear(top_ND, self.token.weight)
        return Decoded(logits_NV, target.data[:, 1:][mask_PT], mask_PT, target.owner_P)

    def start(self, latent: Latent, beams: int = 1) -> State:
        if latent.tokens is None:
            raise ShapeError("decode.text_transformer reads the tokens of its latent; it has none")
        return self.begun(latent.tokens, latent.mask, beams)

    def make_head(self) -> nn.Linear:
        """Its logits are shifted so that those of probable tokens are near 0, where bfloat16 is finest: as they are, three times
        as many texts would differ.
        """
        head = super().make_head()
        nothing = Latent(self.token.weight.new_zeros(1, 1), tokens=self.token.weight.new_zeros(1, 1, self.memory_width))
        begin = torch.full((1,), self.bos, device=self.token.weight.device)
        head.bias.fill_(-self.step(self.start(nothing), begin).max())
        return head

    def step(self, state: State, token_N: Tensor) -> Tensor:
        return self.rough_step(state, token_N).float()

    @property
    def rough(self) -> bool:
        """Whether products are rounded to bfloat16, logits too: who needs the best few exactly asks `again`."""
        return self.head is not None

    def rough_step(self, state: State, token_N: Tensor) -> Tensor:
        """As `step`, with logits as they are computed."""
        beams = state.seen_BKC.shape[1]
        # all beams of a picture begin with the same token: the first step is made once for all of them
        token_BK = token_N.view(-1, beams)[:, : beams if state.length else 1]
        state.top_BKD = self.added(state, token_BK)
        logits_BKV = self.logits(state.top_BKD)
        return (logits_BKV if logits_BKV.shape[1] == beams else logits_BKV.repeat(1, beams, 1)).flatten(0, 1)

    def again(self, state: State, beam_BC: Tensor, token_BC: Tensor) -> Tensor:
        """(B, C) logits of the last step in float32, of so many tokens, each after one of the beams of a picture."""
        assert self.head is not None and self.head.bias_O is not None
        logits_BKC = torch.bmm(state.top_BKD, F.embedding(token_BC, self.embeddings()).mT)
        picked_BC = logits_BKC.expand(-1, state.seen_BKC.shape[1], -1).gather(1, beam_BC[:, None])[:, 0]
        return picked_BC + self.head.bias_O[token_BC]

    def top(self, state: State) -> Tensor:
        return state.top_BKD.expand(-1, state.seen_BKC.shape[1], -1).flatten(0, 1)

    def reorder(self, state: State, index_N: Tensor) -> None:
        state.seen_BKC = state.seen_BKC.flatten(0, 1)[index_N].view_as(state.seen_BKC)

    def drop(self, state: State, keep_B: Tensor) -> None:
        state.keep(keep_B)
