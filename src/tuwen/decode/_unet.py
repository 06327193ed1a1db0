"""A small U-Net over pixels: what a flow is computed with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.layers import Mlp, attention


class UNet(nn.Module):
    """(P, C, H, W), a time and a condition -> (P, C, H, W). Cells of the coarse grids look at each other and at tokens.

    With one grid and no residual blocks it is a diffusion transformer.

    Source:
        Ronneberger et al. 2015, arXiv:1505.04597; blocks that a vector scales and shifts: Dhariwal and Nichol 2021,
        arXiv:2105.05233; layers that it scales, shifts and gates: Peebles and Xie 2023, arXiv:2212.09748; most of the
        arithmetic in layers on the coarsest grid: Hoogeboom et al. 2023, arXiv:2301.11093.
    Args:
        side: of the picture, in pixels.
        widths: channels of each grid, each half as fine as the one before.
        blocks: residual blocks of each grid, on the way down and on the way up.
        layers: transformer layers on the coarsest grid.
        patch: side of the block of pixels that is one cell of the first grid.
        looks: for each grid whether its cells look around after each residual block.
        condition: width of the vector that scales and shifts.
        tokens: width of the tokens.
    """

    def __init__(
        self, channels: int, side: int, widths: Sequence[int], *, blocks: int, layers: int, patch: int,
        looks: Sequence[bool], heads: int, condition: int, tokens: int,
    ):  # fmt: skip
        super().__init__()
        self.patch = patch

        def stage(before: Sequence[int], width: int, look: bool) -> nn.ModuleList:
            return nn.ModuleList(
                _Step(wide, width, condition, _Layer(width, heads, condition, tokens) if look else None)
                for wide in before
            )

        self.first = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.down, self.coarser = nn.ModuleList(), nn.ModuleList()
        self.up, self.finer = nn.ModuleList(), nn.ModuleList()
        kept, before = [widths[0]], widths[0]
        for level, width in enumerate(widths):
            self.down.append(stage([before, *[width] * (blocks - 1)][:blocks], width, looks[level]))
            kept += [width] * blocks
            before = width
            if level + 1 < len(widths):
                self.coarser.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                kept.append(width)
        cells = side // patch // 2 ** (len(widths) - 1)
        self.place = nn.Parameter(torch.randn(1, before, cells, cells) * 0.02)
        self.middle = nn.ModuleList(_Layer(before, heads, condition, tokens) for _ in range(layers))
        for level in reversed(range(len(widths))):
            width, wide = widths[level], []
            for _ in range(blocks + 1 if blocks else 0):
                wide.append(before + kept.pop())
                before = width
            self.up.append(stage(wide, width, looks[level]))
            if level:
                self.finer.append(nn.Conv2d(width, width, 1))
        self.norm = nn.GroupNorm(_groups(before), before)
        self.last = nn.Conv2d(before, channels * patch**2, 3, padding=1)
        with torch.no_grad():
            self.last.weight.mul_(0.1)

    def forward(self, x_PCHW: Tensor, given_PD: Tensor, tokens_PTD: Tensor, mask_PT: Tensor | None) -> Tensor:
        said = (given_PD, tokens_PTD, mask_PT)
        x = F.pixel_unshuffle(x_PCHW, self.patch) if self.patch > 1 else x_PCHW
        x = self.first(x.contiguous(memory_format=torch.channels_last))
        kept = [x]
        for level, down in enumerate(self.down):
            for step in _steps(down):
                x = step(x, *said)
                kept.append(x)
            if level < len(self.coarser):
                x = self.coarser[level](x)
                kept.append(x)
        x = x + self.place
        for layer in self.middle:
            x = layer(x, *said)
        for level, up in enumerate(self.up):
            for step in _steps(up):
                x = step(torch.cat([x, kept.pop()], 1), *said)
            if level < len(self.finer):
                x = F.interpolate(self.finer[level](x), scale_factor=2.0)
        x = self.last(F.silu(self.norm(x)))
        return F.pixel_shuffle(x, self.patch) if self.patch > 1 else x


def _steps(stage: nn.Module) -> nn.ModuleList:
    assert isinstance(stage, nn.ModuleList)
    return stage


class _Step(nn.Module):
    """A residual block, and where there is one a look around."""

    def __init__(self, before: int, width: int, condition: int, look: nn.Module | None):
        super().__init__()
        self.residual, self.look = _Residual(before, width, condition), look

    def forward(self, x: Tensor, given_PD: Tensor, tokens_PTD: Tensor, mask_PT: Tensor | None) -> Tensor:
        x = self.residual(x, given_PD)
        return x if self.look is None else self.look(x, given_PD, tokens_PTD, mask_PT)


def _groups(width: int) -> int:
    """Groups of some 8 channels."""
    return math.gcd(width, max(1, width // 8))


class _Residual(nn.Module):
    """Two convolutions beside a straight way; a vector scales and shifts what is between them."""

    def __init__(self, before: int, width: int, condition: int):
        super().__init__()
        self.norm, self.norm_between = nn.GroupNorm(_groups(before), before), nn.GroupNorm(_groups(width), width)
        self.first, self.second = (nn.Conv2d(wide, width, 3, padding=1) for wide in (before, width))
        self.given = nn.Linear(condition, 2 * width)
        self.straight = nn.Identity() if before == width else nn.Conv2d(before, width, 1)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor, given_PD: Tensor) -> Tensor:
        scale, shift = self.given(given_PD)[:, :, None, None].chunk(2, 1)
        y = self.norm_between(self.first(F.silu(self.norm(x)))) * (1 + scale) + shift
        return self.straight(x) + self.second(F.silu(y))


class _Layer(nn.Module):
    """Each cell looks at all cells and at the tokens at once, then thinks for itself; a vector scales, shifts and gates."""

    def __init__(self, width: int, heads: int, condition: int, tokens: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.given = nn.Linear(condition, 6 * width)
        self.qkv, self.words = nn.Linear(width, 3 * width), nn.Linear(tokens, 2 * width)
        self.out, self.mlp = nn.Linear(width, width), Mlp(width)

    def forward(self, x_PDHW: Tensor, given_PD: Tensor, tokens_PTD: Tensor, mask_PT: Tensor | None) -> Tensor:
        x = x_PDHW.flatten(2).transpose(1, 2)
        scale, shift, gate, scale_mlp, shift_mlp, gate_mlp = self.given(given_PD)[:, None].chunk(6, -1)
        query, *own = self.qkv(self.norm(x) * (1 + scale) + shift).chunk(3, -1)
        key, value = (torch.cat(pair, 1) for pair in zip(own, self.words(tokens_PTD).chunk(2, -1), strict=True))
        seen = None if mask_PT is None else F.pad(mask_PT, (x.shape[1], 0), value=True)[:, None, None]
        query, key, value = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in (query, key, value))
        mixed = attention(query, key, value, seen)
        x = x + (1 + gate) * self.out(mixed.transpose(1, 2).flatten(2))
        x = x + (1 + gate_mlp) * self.mlp(self.norm(x) * (1 + scale_mlp) + shift_mlp)
        return x.transpose(1, 2).unflatten(2, x_PDHW.shape[2:])
