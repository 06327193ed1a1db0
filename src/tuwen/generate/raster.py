"""Draws the codes of a picture one after the other, row by row, each at random as it is probable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tuwen.generate._checked import Guided
from tuwen.generate._drawn import Narrowed, narrowed
from tuwen.generate._shared import Told
from tuwen.machine import choose_precision
from tuwen.types import Latent


class Codes(Protocol):
    """A decoder that draws codes."""

    bos: int

    def noise(self, num: int, generator: torch.Generator) -> Tensor: ...
    def start(self, latent: Latent, guidance: float = 1.0, away: Latent | None = None) -> Any: ...
    def step(self, drawing: Any, code_P: Tensor) -> Tensor: ...
    def rounded(self) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Config(Narrowed, Guided):
    """Settings of `Raster`; with top_k=1 it takes the most probable code each time, and nothing is random."""

    def build(self) -> Raster:
        self.check()
        return Raster(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()


class Raster:
    """Guidance first, then the temperature, then what leaves codes out.

    Source:
        van den Oord et al. 2016, arXiv:1601.06759 (row by row); of codes: van den Oord et al. 2017, arXiv:1711.00937.
    """

    def __init__(self, config: Config):
        self.config = config

    @torch.inference_mode()
    def __call__(
        self,
        decoder: Codes,
        latent: Latent,
        noise_PT: Tensor,
        *,
        away: Latent | None = None,
        told: Told | None = None,
    ) -> Tensor:
        """(P, T) codes, one picture for each row of the latent.

        Args:
            noise_PT: from 0 to below 1: which of the probable codes is drawn, so that a picture depends on its own row alone.
            away: guidance leads away from what would be drawn of this; None: away from what would be drawn of nothing.
        """
        precision = choose_precision(self.config.precision, noise_PT.device)
        decoder = decoder.rounded() if precision is torch.bfloat16 else decoder
        drawing, length = decoder.start(latent, self.config.guidance, away), noise_PT.shape[1]
        code_P = torch.full((len(noise_PT),), decoder.bos, device=noise_PT.device)
        drawn: list[Tensor] = []
        for place in range(length):
            logits_PK = narrowed(decoder.step(drawing, code_P) / self.config.temperature, self.config)
            code_P = chosen(logits_PK, noise_PT[:, place])
            drawn.append(code_P)
            if told:
                told(place + 1, length)
        return torch.stack(drawn, 1)


def chosen(logits_PK: Tensor, noise_P: Tensor) -> Tensor:
    """(P,) the code at which the probabilities, added up, pass the noise.

    Example:
        >>> chosen(torch.tensor([[0.2, 0.3, 0.5]]).log().repeat(3, 1), torch.tensor([0.1, 0.4, 0.99])).tolist()
        [0, 1, 2]
    """
    sum_PK = logits_PK.cpu().double().softmax(-1).cumsum(-1)  # not every device has float64
    passed_P = torch.searchsorted(sum_PK, noise_P.cpu().double()[:, None] * sum_PK[:, -1:], right=True)[:, 0]
    last_P = (logits_PK > float("-inf")).int().cumsum(-1).argmax(-1)  # rounding never leads past the last that may come
    return torch.minimum(passed_P.to(last_P.device), last_P)
