"""Codes of a codebook: each token becomes the nearest of the vectors that the book has learned."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.space._codes import Codes, used
from tuwen.types import Terms, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    codes: int = 512
    """Vectors K of the codebook."""
    inner: int = 32
    """Numbers of each vector: few, since tokens are then spread over more of the codes."""
    width: int = 64
    """Width D of the tokens that decoders read."""
    decay: float = 0.99
    """Decay of the running means that the vectors are, from 0 to below 1."""
    least: float = 0.03
    """Share of the mean use below which a code is dead, and restarts at a token of the batch; 0: never."""

    def build(self, widths: Widths) -> VectorQuantized:
        return VectorQuantized(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(codes=8, inner=4, width=6)


class VectorQuantized(Codes):
    """The vectors follow the running mean of the tokens nearest to them; a term `commitment` holds tokens near to them.

    Source:
        van den Oord et al. 2017, arXiv:1711.00937, equation 3 and appendix A.1; dead codes: Dhariwal et al. 2020,
        arXiv:2005.00341, section 3.1; few numbers a vector: Yu et al. 2022, arXiv:2110.04627, section 3.2.
    """

    def __init__(self, config: Config, widths: Widths):
        super().__init__("space.vector_quantized", widths, config.inner, config.width)
        self.config, self.size = config, config.codes
        self.register_buffer("book_KD", torch.randn(config.codes, config.inner))
        self.register_buffer("count_K", torch.ones(config.codes))
        self.register_buffer("total_KD", torch.zeros(config.codes, config.inner))
        self.register_buffer("begun", torch.zeros(()))
        self.book_KD: Tensor
        self.count_K: Tensor
        self.total_KD: Tensor
        self.begun: Tensor

    def quantise(self, given_PTD: Tensor, mask_PT: Tensor | None) -> tuple[Tensor, Tensor, Terms]:
        if self.training:
            real_ND = (given_PTD.flatten(0, 1) if mask_PT is None else given_PTD[mask_PT]).detach()
            if not self.begun:
                self._restart(torch.ones_like(self.count_K, dtype=torch.bool), real_ND, 1.0)
                self.begun.fill_(1.0)
        codes_PT = torch.cdist(given_PTD.flatten(0, 1).detach(), self.book_KD).argmin(-1).view(given_PTD.shape[:2])
        near_PTD = self.values(codes_PT)
        apart_PT = (given_PTD - near_PTD).square().mean(-1)
        commitment = apart_PT.mean() if mask_PT is None else apart_PT[mask_PT].mean()
        terms = Terms({"commitment": commitment}, {"codes_used": used(codes_PT, mask_PT, self.size)})
        if self.training:
            self._follow(codes_PT.flatten() if mask_PT is None else codes_PT[mask_PT], real_ND)
        return codes_PT, given_PTD + (near_PTD - given_PTD).detach(), terms

    def values(self, codes_PT: Tensor) -> Tensor:
        return self.book_KD[codes_PT]

    @torch.no_grad()
    def _follow(self, codes_N: Tensor, real_ND: Tensor) -> None:
        """Moves the vectors to the running means of their tokens; dead ones begin anew."""
        chosen_NK = F.one_hot(codes_N, self.size).to(real_ND.dtype)
        self.count_K.lerp_(chosen_NK.sum(0), 1 - self.config.decay)
        self.total_KD.lerp_(chosen_NK.T @ real_ND, 1 - self.config.decay)
        self.book_KD.copy_(self.total_KD / self.count_K.clamp(min=1e-5)[:, None])
        mean = float(self.count_K.mean())
        self._restart(self.count_K < self.config.least * mean, real_ND, mean)

    @torch.no_grad()
    def _restart(self, dead_K: Tensor, real_ND: Tensor, count: float) -> None:
        """Puts codes on tokens of the batch, as if each had been used `count` times a step."""
        num = int(dead_K.sum())
        if num and len(real_ND):
            new_KD = real_ND[torch.randint(len(real_ND), (num,), device=real_ND.device)]
            self.book_KD[dead_K], self.total_KD[dead_K] = new_KD, new_KD * count
            self.count_K[dead_K] = count
