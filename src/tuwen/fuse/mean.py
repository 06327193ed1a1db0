"""The mean of the pooled vectors of the fields that are present."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from tuwen.fuse._rows import Rows, check_fields, field_widths
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 256
    """Width D of the fused vector."""

    def build(self, widths: Mapping[str, Widths]) -> Mean:
        return Mean(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=16)


class Mean(nn.Module):
    """Latents of some fields -> one Latent of B rows, whose only token is the fused vector.

    Each field goes through its own linear layer, and the fields that a row has weigh alike; of several values of a
    field a row contributes the first. A row with nothing is zeros. Where a decoder is to look at single tokens,
    `attention` is the better choice.
    """

    def __init__(self, config: Config, widths: Mapping[str, Widths]):
        super().__init__()
        self.config = config
        self.widths = Widths(config.width, config.width)
        fields = field_widths(widths, "fuse.mean")
        self.linear = nn.ModuleDict({name: nn.Linear(w.pooled, config.width) for name, w in fields.items()})

    def forward(self, latents: Mapping[str, Latent], rows: int) -> Latent:
        """Field -> its latent, (P, W) each with its own owner_P; gives pooled (B, D) and tokens (B, 1, D).

        Raises:
            ShapeError: none of the fields is there, or one that it was not built for.
        """
        check_fields(latents, self.linear, "fuse.mean")
        parts, present = [], []
        for name, latent in latents.items():
            place = Rows(latent, rows)
            parts.append(place.spread(self.linear[name](latent.pooled)))
            present.append(place.present_B)
        num_B = torch.stack(present).sum(0).clamp(min=1)
        pooled_BD = torch.stack(parts).sum(0) / num_B[:, None]
        return Latent(pooled_BD, pooled_BD[:, None])
