"""A recurrent network that writes text: from the pooled vector, or looking at the tokens by soft attention."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.decode._groups import Groups
from tuwen.decode._text import TextDecoder
from tuwen.errors import ShapeError
from tuwen.layers import Dropout
from tuwen.text_part import drop_words
from tuwen.tokenizer import Kind
from tuwen.types import Decoded, Feed, Latent, Widths

_CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True, kw_only=True)
class Config:
    cell: Literal["rnn", "gru", "lstm"] = "gru"
    """Kind of the recurrent cell."""
    width: int = 512
    """Width of the state."""
    embed: int = 256
    """Width of the token embeddings, which are also the output layer."""
    layers: int = 1
    """Recurrent layers on each other."""
    attention: bool = False
    """Whether each step looks at the tokens of the latent, by soft attention."""
    gate: Literal["feature", "whole"] = "feature"
    """What the gate on the looked-at context decides: each feature by itself, or all together, as in the paper."""
    feed: bool = True
    """Whether each step sees the pooled vector; otherwise only the first state comes from it."""
    dropout: float = 0.1
    """Share of the embeddings and of the state that is dropped in training."""
    word_dropout: float = 0.0
    """Share of the tokens read in training that are unknown instead, 0 to below 1; never the first."""
    tokenizer: Kind = "bpe"
    """bpe (any language, nothing is unknown) or word."""
    vocabulary: int = 4000
    """Upper bound of the vocabulary."""
    max_tokens: int = 64
    """Longest text, in tokens; longer captions are cut."""

    def build(self, widths: Widths) -> TextRnn:
        return TextRnn(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=16, embed=8, dropout=0.0, vocabulary=300, max_tokens=12)

    @staticmethod
    def example(batch: int) -> list[str]:
        texts = ("a red dog runs", "a dog", "two green birds sit", "a black dog")
        return [texts[i % len(texts)] for i in range(batch)]


@dataclass(slots=True)
class State:
    """What has been said so far, in the hidden state, and what the steps look at."""

    hidden: tuple[Tensor, ...]
    """(layers, B * beams, width) each: one tensor, for an LSTM also that of the cell."""
    feed_BD: Tensor | None
    """(B, embed) what is added to the input of each step."""
    keys_BMA: Tensor | None
    """(B, M, width) tokens of the latent projected for the attention; shared by the beams of a picture."""
    tokens_BMD: Tensor | None
    mask_BM: Tensor | None
    beams: int
    top_NE: Tensor = field(default_factory=lambda: torch.empty(0))
    """What the last step compared with the embeddings."""


class TextRnn(TextDecoder):
    """The pooled vector makes the first state; the output is deep (token, state and context) and tied.

    Source:
        Vinyals et al. 2015, arXiv:1411.4555; with attention: Xu et al. 2015, arXiv:1502.03044, section 3.1.2 (first
        state from the mean of the grid, deep output: eq. 7) and 4.2 (soft attention with a gate; its doubly stochastic
        penalty is `objective.coverage`).
    Differs:
        embeddings and output share their weights (Press and Wolf 2017, arXiv:1608.05859).
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__(tokenizer=config.tokenizer, vocabulary=config.vocabulary, max_tokens=config.max_tokens)
        self.config = config
        self.source = widths

    def settle(self, vocabulary_size: int) -> None:
        c, memory = self.config, self.source.tokens
        self.token = nn.Embedding(vocabulary_size, c.embed)
        nn.init.normal_(self.token.weight, std=c.embed**-0.5)
        self.first = nn.Linear(self.source.pooled, c.layers * c.width * (2 if c.cell == "lstm" else 1))
        self.feed = nn.Linear(self.source.pooled, c.embed) if c.feed else None
        self.cell = _CELLS[c.cell](c.embed + (memory if c.attention else 0), c.width, c.layers, batch_first=True)
        self.look = SoftAttention(c.width, memory, whole=c.gate == "whole") if c.attention else None
        self.readout = nn.Linear(c.width + (memory if c.attention else 0), c.embed)
        self.dropout = Dropout(c.dropout)

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        if target.mask is None:
            raise ShapeError("decode.text_rnn takes a masked target, as `prepare` makes it; the mask is missing")
        mask_PT, groups = target.mask[:, 1:], Groups(target.owner_P, len(latent))
        length = mask_PT.shape[1]
        token_PT = target.data[:, :-1]
        if self.training and self.config.word_dropout:
            token_PT = drop_words(token_PT, self.config.word_dropout)
        token_NT = groups.gather(token_PT[:, :, None]).view(-1, length)
        state = self.start(latent, groups.most)
        said_NTE, weights = self._run(state, self.dropout(self.token(token_NT)))
        x = groups.scatter(said_NTE.reshape(len(latent), -1, said_NTE.shape[-1]), length)[mask_PT]
        attention = (
            None if weights is None else groups.scatter(weights.reshape(len(latent), -1, weights.shape[-1]), length)
        )
        target_N = target.data[:, 1:][mask_PT]
        return Decoded(F.linear(x, self.token.weight), target_N, mask_PT, target.owner_P, attention)

    def start(self, latent: Latent, beams: int = 1) -> State:
        first = torch.tanh(self.first(latent.pooled).float()).view(
            len(latent), -1, self.config.layers, self.config.width
        )
        hidden = tuple(h.transpose(0, 1).repeat_interleave(beams, 1) for h in first.unbind(1))
        feed = None if self.feed is None else self.feed(latent.pooled)
        if self.look is None:
            return State(hidden, feed, None, None, None, beams)
        if latent.tokens is None:
            raise ShapeError(
                "decode.text_rnn with attention reads the tokens of its latent; it has none. Set attention=false."
            )
        return State(hidden, feed, self.look.keys(latent.tokens), latent.tokens, latent.mask, beams)

    def step(self, state: State, token_N: Tensor) -> Tensor:
        said_N1E, _ = self._run(state, self.token(token_N)[:, None])
        state.top_NE = said_N1E[:, 0]
        return F.linear(state.top_NE, self.token.weight).float()

    def top(self, state: State) -> Tensor:
        return state.top_NE

    def _run(self, state: State, token_NTE: Tensor) -> tuple[Tensor, Tensor | None]:
        """Token embeddings -> what is compared with all embeddings (N, T, embed), and the weights (N, T, M) if any."""
        x_NTE = token_NTE
        if state.feed_BD is not None:
            x_NTE = x_NTE + state.feed_BD.repeat_interleave(state.beams, 0)[:, None]
        if self.look is None:
            out_NTW = self._recur(x_NTE, state)
            return token_NTE + self.readout(self.dropout(out_NTW)), None
        outs, contexts, weights = [], [], []
        for t in range(x_NTE.shape[1]):
            context_ND, weight_NM = self.look(state)
            outs.append(self._recur(torch.cat([x_NTE[:, t], context_ND], -1)[:, None], state))
            contexts.append(context_ND)
            weights.append(weight_NM)
        read = torch.cat([self.dropout(torch.cat(outs, 1)), torch.stack(contexts, 1)], -1)
        return token_NTE + self.readout(read), torch.stack(weights, 1)

    def _recur(self, x_NTE: Tensor, state: State) -> Tensor:
        """Runs the cell over T steps in float32: on a CPU its bfloat16 form is slower, or not there."""
        with torch.autocast(x_NTE.device.type, enabled=False):
            before = state.hidden if len(state.hidden) == 2 else state.hidden[0]
            out_NTW, after = self.cell(x_NTE.float(), before)
        state.hidden = after if isinstance(after, tuple) else (after,)
        return out_NTW

    def reorder(self, state: State, index_N: Tensor) -> None:
        state.hidden = tuple(h[:, index_N] for h in state.hidden)

    def drop(self, state: State, keep_B: Tensor) -> None:
        rows = (keep_B[:, None] * state.beams + torch.arange(state.beams, device=keep_B.device)).flatten()
        state.hidden = tuple(h[:, rows] for h in state.hidden)
        for name in ("feed_BD", "keys_BMA", "tokens_BMD", "mask_BM"):
            value = getattr(state, name)
            if value is not None:
                setattr(state, name, value[keep_B])


class SoftAttention(nn.Module):
    """Additive attention of the state over the tokens, with a gate on what it read.

    Source:
        Bahdanau et al. 2015, arXiv:1409.0473, section 3.1; the gate: Xu et al. 2015, section 4.2.1.
    """

    def __init__(self, width: int, memory: int, *, whole: bool = False):
        super().__init__()
        self.key = nn.Linear(memory, width)
        self.query = nn.Linear(width, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)
        self.gate = nn.Linear(width, 1 if whole else memory)

    def keys(self, tokens_BMD: Tensor) -> Tensor:
        """(B, M, D) -> (B, M, width); once for a picture."""
        return self.key(tokens_BMD)

    def forward(self, state: State) -> tuple[Tensor, Tensor]:
        """The gated context (N, D) and the weights (N, M), which sum to 1; N = B * beams."""
        if state.keys_BMA is None or state.tokens_BMD is None:
            raise ShapeError("decode.text_rnn with attention needs a state that was started with tokens")
        top_NW = state.hidden[0][-1]
        query_BKA = self.query(top_NW).view(len(state.keys_BMA), state.beams, -1)
        energy_BKM = self.energy(torch.tanh(state.keys_BMA[:, None] + query_BKA[:, :, None]))[..., 0].float()
        if state.mask_BM is not None:
            energy_BKM = energy_BKM.masked_fill(~state.mask_BM[:, None], torch.finfo(torch.float32).min)
        weight_BKM = energy_BKM.softmax(-1)
        context_ND = (weight_BKM.to(state.tokens_BMD.dtype) @ state.tokens_BMD).flatten(0, 1)
        return torch.sigmoid(self.gate(top_NW)) * context_ND, weight_BKM.flatten(0, 1)
