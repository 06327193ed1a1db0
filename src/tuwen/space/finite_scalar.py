"""Codes without a codebook: a few numbers, each rounded to one of a few levels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.space._codes import Codes, used
from tuwen.types import Terms, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    levels: tuple[int, ...] = (8, 5, 5, 5)
    """Levels of each number, 2 or more; their product is the number of codes, here 1,000."""
    width: int = 64
    """Width D of the tokens that decoders read."""

    def build(self, widths: Widths) -> FiniteScalar:
        return FiniteScalar(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(levels=(4, 3), width=6)


class FiniteScalar(Codes):
    """Nothing is learned but the maps in and out, so no code can die.

    Source:
        Mentzer et al. 2023, arXiv:2309.15505, appendix A.1.
    Raises:
        ConfigError: a number of fewer than 2 levels, or none.
    """

    def __init__(self, config: Config, widths: Widths):
        if not config.levels or min(config.levels) < 2:
            raise ConfigError(
                f"space.finite_scalar: levels is {config.levels}; each number has 2 or more. Set levels=8,5,5,5."
            )
        super().__init__("space.finite_scalar", widths, len(config.levels), config.width)
        self.config, self.size = config, math.prod(config.levels)
        level_D = torch.tensor(config.levels)
        self.register_buffer("level_D", level_D, persistent=False)
        self.register_buffer("place_D", torch.tensor([1, *config.levels[:-1]]).cumprod(0), persistent=False)
        self.level_D: Tensor
        self.place_D: Tensor

    def quantise(self, given_PTD: Tensor, mask_PT: Tensor | None) -> tuple[Tensor, Tensor, Terms]:
        half_D = (self.level_D - 1) * 1.001 / 2
        offset_D = torch.where(self.level_D % 2 == 0, 0.5, 0.0)
        # of two levels the middle stays where it is: shifted, it would lie where nothing is learned
        shift_D = torch.where(self.level_D == 2, 0.0, (offset_D / half_D).atanh())
        bound_PTD = (given_PTD + shift_D).tanh() * half_D - offset_D
        step_PTD = bound_PTD.round()
        codes_PT = ((step_PTD + self.level_D // 2).long() * self.place_D).sum(-1)
        near_PTD = (bound_PTD + (step_PTD - bound_PTD).detach()) / (self.level_D // 2)
        return codes_PT, near_PTD, Terms(reports={"codes_used": used(codes_PT, mask_PT, self.size)})

    def values(self, codes_PT: Tensor) -> Tensor:
        step_PTD = codes_PT[..., None] // self.place_D % self.level_D - self.level_D // 2
        return step_PTD / (self.level_D // 2)
