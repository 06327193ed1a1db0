"""Values of a field -> the rows of a batch: which row has one, and zeros where it has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from tuwen.errors import ConfigError, ShapeError
from tuwen.types import Latent, Widths


class Rows:
    """Where each of B rows finds its value among the P values of a latent: the first one, if it has several."""

    def __init__(self, latent: Latent, rows: int):
        num, device = len(latent), latent.pooled.device
        owner_P = torch.arange(num, device=device) if latent.owner_P is None else latent.owner_P
        first_B = torch.full((rows,), num, device=device)
        first_B.scatter_reduce_(0, owner_P, torch.arange(num, device=device), "amin")
        self.present_B = first_B < num
        self.first_B = first_B.clamp(max=max(0, num - 1))
        self.whole = num == rows and latent.owner_P is None

    def spread(self, x: Tensor) -> Tensor:
        """(P, ...) -> (B, ...); zeros (or False) in rows without a value."""
        if self.whole:
            return x
        if not len(x):
            return x.new_zeros(len(self.first_B), *x.shape[1:])
        there = self.present_B.view(-1, *[1] * (x.ndim - 1))
        return torch.where(there, x[self.first_B], x.new_zeros(()))


def field_widths(widths: Mapping[str, Widths], where: str) -> Mapping[str, Widths]:
    """The widths by field, checked.

    Raises:
        ConfigError: there is no field to fuse.
    """
    if not widths:
        raise ConfigError(f"{where} has no field to fuse; name at least one in the `given` of its route.")
    return widths


def check_fields(latents: Mapping[str, Latent], known: Iterable[str], where: str) -> None:
    """Raises ShapeError where a field is given that the fusion was not built for, or none at all."""
    known = list(known)
    unknown = [name for name in latents if name not in known]
    if unknown or not latents:
        got = ", ".join(latents) or "none"
        raise ShapeError(f"{where} fuses the fields {', '.join(known)}; got {got}. Give at least one of them.")
