"""What the quantised spaces share: tokens go in, each becomes one of a few codes, and codes can be read back."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor, nn

from tuwen.errors import ShapeError
from tuwen.layers import masked_mean
from tuwen.types import Latent, Terms, Widths


class Codes(nn.Module):
    """Tokens (P, T, W) -> codes (P, T) and what they stand for, tokens (P, T, D); pooled is the mean of these.

    A subclass has `quantise`, `values` and `size`. Gradients pass the rounding as if it were not there. All is computed in
    float32: which code a token becomes must not hang on the precision.

    Source:
        Bengio et al. 2013, arXiv:1308.3432 (straight through).
    """

    size: int
    """Codes K that there are."""

    def __init__(self, where: str, widths: Widths, inner: int, width: int):
        super().__init__()
        self.where = where
        self.widths = Widths(width, width)
        self.inward, self.outward = nn.Linear(widths.tokens, inner), nn.Linear(inner, width)

    def forward(self, latent: Latent) -> Latent:
        if latent.tokens is None:
            raise ShapeError(f"{self.where} makes codes of tokens, and the encoder gave none")
        with torch.autocast(latent.tokens.device.type, enabled=False):
            given_PTD = self.inward(latent.tokens.float())
            codes_PT, near_PTD, aside = self.quantise(given_PTD, latent.mask)
            tokens_PTD = self.outward(near_PTD)
        pooled_PD = masked_mean(tokens_PTD, latent.mask)
        return replace(
            latent,
            pooled=pooled_PD,
            tokens=tokens_PTD,
            codes=codes_PT,
            num_codes=self.size,
            aside=latent.aside | aside,
        )

    def tokens_of(self, codes_PT: Tensor) -> Tensor:
        """(P, T) codes -> (P, T, D) the tokens that they stand for."""
        return self.outward(self.values(codes_PT))

    def latent_of(self, codes_PT: Tensor, grid: tuple[int, ...]) -> Latent:
        """The latent that codes stand for: what came of a value that has these."""
        tokens_PTD = self.tokens_of(codes_PT)
        return Latent(tokens_PTD.mean(1), tokens_PTD, grid=grid, codes=codes_PT, num_codes=self.size)

    @abstractmethod
    def quantise(self, given_PTD: Tensor, mask_PT: Tensor | None) -> tuple[Tensor, Tensor, Terms]:
        """Codes, what they stand for with gradients to what is given, and terms that are to be minimised beside."""

    @abstractmethod
    def values(self, codes_PT: Tensor) -> Tensor:
        """(P, T) -> (P, T, inner)."""


def used(codes_PT: Tensor, mask_PT: Tensor | None, size: int) -> Tensor:
    """0-d: how many codes are used as if all were used alike, as a share of all: exp(entropy) / K."""
    real_N = codes_PT.flatten() if mask_PT is None else codes_PT[mask_PT]
    share_K = torch.bincount(real_N, minlength=size).float() / max(1, len(real_N))
    return torch.special.entr(share_K).sum().exp() / size
