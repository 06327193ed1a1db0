"""Transformer layers that encoders and decoders share. Pre-norm, biases, GELU (tanh): the arithmetic of GPT-2."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.errors import ConfigError

_DRAWS = 2**16
"""Values of the random numbers that dropout draws."""

_SCORES = 2**27
"""Scores of attention that are held at once; more are left to torch's kernel, which holds none."""


class Packing:
    """Rows of different lengths as N packed tokens, so that no arithmetic is spent on padding.

    Only attention needs the rows side by side: `unpack` pads them, `pack` takes the padding away again.

    Args:
        count_R: (R,) int64, the tokens of each row.
    """

    def __init__(self, count_R: Tensor):
        self.rows, self.length = len(count_R), int(count_R.max()) if len(count_R) else 0
        num = int(count_R.sum())
        self.mask_RT: Tensor | None = None
        """(R, T) bool, True where a token is real; None if all are."""
        if num != self.rows * self.length:
            each_N = torch.arange(num, device=count_R.device)
            gap_R = torch.arange(self.rows, device=count_R.device) * self.length - (count_R.cumsum(0) - count_R)
            self._place_N = each_N + gap_R.repeat_interleave(count_R)
            self.mask_RT = torch.arange(self.length, device=count_R.device) < count_R[:, None]

    def unpack(self, x_ND: Tensor) -> Tensor:
        """(N, D) -> (R, T, D), zeros where a row is over."""
        if self.mask_RT is not None:
            x_ND = x_ND.new_zeros(self.rows * self.length, x_ND.shape[1]).index_copy(0, self._place_N, x_ND)
        return x_ND.view(self.rows, self.length, -1)

    def pack(self, x_RTD: Tensor) -> Tensor:
        """(R, T, D) -> (N, D)."""
        x_ND = x_RTD.flatten(0, 1)
        return x_ND if self.mask_RT is None else x_ND.index_select(0, self._place_N)


class Dropout(nn.Dropout):
    """torch's dropout, but on a CPU with 16 random bits for each number: a third of the time, forward and backward.

    `p` counts to 1 / 65,536 there.
    """

    def forward(self, x: Tensor) -> Tensor:
        lost = round(self.p * _DRAWS)
        if x.device.type != "cpu" or not self.training or not 0 < lost < _DRAWS:
            return super().forward(x)
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)  # each of them makes four
        kept = draws.view(torch.int16)[: x.numel()].view(x.shape) >= lost - _DRAWS // 2
        return x * kept.to(x.dtype).mul_(_DRAWS / (_DRAWS - lost))


class SelfAttention(nn.Module):
    """Multi-head attention of tokens over themselves.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """

    def __init__(self, width: int, heads: int, *, causal: bool):
        super().__init__()
        _check_heads(width, heads)
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def split(self, qkv_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `qkv` gives, (B, T, 3 D), as queries, keys and values, each (B, H, T, D / H)."""
        query, key, value = qkv_BTD.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return query, key, value

    def forward(self, x: Tensor, mask_BT: Tensor | None = None, packing: Packing | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D); keys where `mask_BT` is False are not seen. With a packing: (N, D) -> (N, D)."""
        qkv = self.qkv(x)
        if packing is not None:
            qkv, mask_BT = packing.unpack(qkv), None if self.causal else packing.mask_RT
        seen = None if mask_BT is None else mask_BT[:, None, None, :]
        if self.causal and seen is not None:
            seen = seen & torch.ones(2 * (qkv.shape[1],), dtype=torch.bool, device=qkv.device).tril()
        mixed = attention(*self.split(qkv), seen, causal=self.causal and seen is None)
        mixed_BTD = mixed.transpose(1, 2).flatten(2)
        return self.out(mixed_BTD if packing is None else packing.pack(mixed_BTD))


def attention(
    query_BHTD: Tensor, key_BHMD: Tensor, value_BHMD: Tensor, seen: Tensor | None = None, *, causal: bool = False
) -> Tensor:
    """Scaled dot-product attention, (B, H, T, D); torch's kernel but for bfloat16 on a CPU, whose gradient there takes
    two to ten times as long as two products and a softmax.

    Args:
        seen: bool, True where a query may look, a shape that broadcasts to (B, H, T, M); what sees nothing becomes 0.
        causal: a query looks at no later key; instead of `seen`.
    """
    on_cpu_rounded = query_BHTD.device.type == "cpu" and query_BHTD.dtype == torch.bfloat16
    num, length = query_BHTD.shape[:-1].numel(), key_BHMD.shape[2]
    if not on_cpu_rounded or num * length > _SCORES:
        return F.scaled_dot_product_attention(query_BHTD, key_BHMD, value_BHMD, attn_mask=seen, is_causal=causal)
    score_BHTM = (query_BHTD * query_BHTD.shape[-1] ** -0.5) @ key_BHMD.mT
    least = torch.finfo(score_BHTM.dtype).min / 2
    if causal:
        score_BHTM += score_BHTM.new_full(score_BHTM.shape[-2:], least).triu(1)
    if seen is None:
        return score_BHTM.softmax(-1) @ value_BHMD
    score_BHTM += torch.zeros_like(seen, dtype=score_BHTM.dtype).masked_fill(~seen, least)
    return (score_BHTM.softmax(-1) @ value_BHMD) * seen.any(-1, keepdim=True)


def attend(query_BKHE: Tensor, key_REM: Tensor, value_RME: Tensor, seen: Tensor | None = None) -> Tensor:
    """Attention of few queries, (B, K, H * E): two products, 0.6 of the time of a kernel that is made for many.

    Args:
        key_REM, value_RME: of R = B * H heads.
        seen: added to the scores, as (R, K, M) or a shape that broadcasts to it; minus infinity where a query sees nothing.
    """
    batch, length, heads, width = query_BKHE.shape
    query_RKE, nothing = query_BKHE.transpose(1, 2).flatten(0, 1), query_BKHE.new_zeros(1)
    score = torch.baddbmm(
        nothing if seen is None else seen, query_RKE, key_REM, beta=int(seen is not None), alpha=width**-0.5
    )
    weight = score.softmax(-1, dtype=torch.float32).to(score.dtype)  # in bfloat16 it would take twice the time
    mixed_RKE = torch.bmm(weight, value_RME)
    return mixed_RKE.view(batch, heads, length, width).transpose(1, 2).flatten(2)


def _check_heads(width: int, heads: int) -> None:
    """Raises ConfigError where heads do not divide the width."""
    if heads < 1 or width % heads:
        fit = max(one for one in range(1, max(2, heads + 1)) if width % one == 0)
        raise ConfigError(f"heads is {heads}, and the width is {width}, which it does not divide; set heads={fit}")


class CrossAttention(nn.Module):
    """Attention of tokens over a memory whose keys and values are projected once for all that read them."""

    def __init__(self, width: int, heads: int, memory_width: int):
        super().__init__()
        _check_heads(width, heads)
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.memory_kv = nn.Linear(memory_width, 2 * width)
        self.out = nn.Linear(width, width)

    def memory(self, tokens_BMD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the memory, each (B, H, M, D / H)."""
        batch, length, _ = tokens_BMD.shape
        key, value = self.memory_kv(tokens_BMD).view(batch, length, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        return key, value

    def split(self, x_BTD: Tensor) -> Tensor:
        """Queries of tokens, (B, H, T, D / H)."""
        return self.query(x_BTD).unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self,
        x: Tensor,
        memory: tuple[Tensor, Tensor],
        mask_BM: Tensor | None = None,
        packing: Packing | None = None,
    ) -> Tensor:
        """(B, T, D) -> (B, T, D). With a packing: (N, D) -> (N, D), the tokens of all captions of a picture in one row."""
        query = self.query(x) if packing is None else packing.unpack(self.query(x))
        query = query.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        seen = None if mask_BM is None else mask_BM[:, None, None, :]
        mixed_BTD = attention(query, *memory, seen).transpose(1, 2).flatten(2)
        return self.out(mixed_BTD if packing is None else packing.pack(mixed_BTD))


class Mlp(nn.Sequential):
    """Two linear layers with GELU (tanh) between."""

    def __init__(self, width: int, ratio: float = 4.0):
        hidden = int(width * ratio)
        super().__init__(nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width))


class Block(nn.Module):
    """Pre-norm transformer block: self-attention, then an MLP; dropout once, on what each adds."""

    def __init__(self, width: int, heads: int, *, causal: bool = False, dropout: float = 0.0):
        super().__init__()
        self.norm_self, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, causal=causal)
        self.mlp = Mlp(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask_BT: Tensor | None = None, packing: Packing | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D), or with a packing (N, D) -> (N, D)."""
        x = x + self.dropout(self.attention(self.norm_self(x), mask_BT, packing))
        return x + self.dropout(self.mlp(self.norm_mlp(x)))


class AttentionPool(nn.Module):
    """One learned query that reads all tokens: (P, T, D) -> (P, D).

    Source:
        Lee et al. 2019, arXiv:1810.00825 (pooling by multi-head attention), as CoCa's pooler uses it.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.attention = CrossAttention(width, heads, width)

    def forward(self, tokens_PTD: Tensor, mask_PT: Tensor | None = None) -> Tensor:
        query = self.query.expand(len(tokens_PTD), -1, -1)
        return self.attention(query, self.attention.memory(tokens_PTD), mask_PT)[:, 0]


def init_transformer(module: nn.Module, std: float = 0.02) -> None:
    """Embeddings of standard deviation `std`, linear layers of 0.7 / sqrt(inputs), zero biases.

    GPT-2's 0.02 everywhere (Radford et al. 2019) is this rule at width 1,225; in layers of a few hundred it makes the
    pictures matter several times later.
    """
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.7 * part.in_features**-0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def normal_rows(num: int, width: int, generator: torch.Generator | None, device: torch.device | str = "cpu") -> Tensor:
    """(num, width) of the standard normal distribution; with a generator the first rows are the same however many follow."""
    if generator is None:
        return torch.randn(num, width, device=device)
    rows = [torch.randn(1, width, generator=generator, device=device) for _ in range(num)]
    return torch.cat(rows) if rows else torch.empty(0, width, device=device)


def masked_mean(tokens_PTD: Tensor, mask_PT: Tensor | None = None) -> Tensor:
    """(P, T, D) -> (P, D): the mean of the real tokens; zeros where there are none."""
    if mask_PT is None:
        return tokens_PTD.mean(1)
    weight = mask_PT.to(tokens_PTD.dtype)[:, :, None]
    return (tokens_PTD * weight).sum(1) / weight.sum(1).clamp(min=1)


def masked_max(tokens_PTD: Tensor, mask_PT: Tensor | None = None) -> Tensor:
    """(P, T, D) -> (P, D): the largest value of the real tokens, of which there is at least one."""
    if mask_PT is None:
        return tokens_PTD.amax(1)
    return tokens_PTD.masked_fill(~mask_PT[:, :, None], torch.finfo(tokens_PTD.dtype).min).amax(1)
