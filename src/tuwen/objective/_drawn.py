"""Pictures of a route, and what each was drawn from: what objectives that judge drawings read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.types import Decoded, Made

_SAME = 1e-4
"""Share of the largest number of all latents that those of one text are apart at most."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """P drawn pictures."""

    pixels: Tensor
    """(P, C, H, W) of 0 to 1; gradients flow to the model."""
    real: Tensor
    """(P, C, H, W) what they should be."""
    given_PD: Tensor
    """Vectors that they were drawn from; no gradient flows to them, or a model could bend its texts to please a critic."""
    latent_P: Tensor
    """Rows of that latent."""
    row_P: Tensor
    """Rows of the batch."""


def pictures(made: Made, route: str) -> Decoded | None:
    """What a route made, in pixels; None where the batch has nothing of it.

    Raises:
        ConfigError: its decoder says how noise becomes pixels, and not what they are.
    """
    decoded = made.routes.get(route)
    if decoded is not None and decoded.says:
        raise ConfigError(
            f"the route {route!r} says the {decoded.says} of noise on its way to a picture, and an objective that judges pictures "
            "takes one that draws at once; set decode.image=image_deconv, or leave that objective out"
        )
    return decoded


def drawn(made: Made, route: str, given: str) -> Drawn | None:
    """The pictures of a route, drawn from the latent `given`; None where the batch has none.

    Args:
        given: empty: what they were drawn from is not asked, and each is of a row of its own with no vector.
    Raises:
        ConfigError: as `pictures`.
    """
    decoded = pictures(made, route)
    if decoded is not None and not given:
        each_P = torch.arange(len(decoded.prediction), device=decoded.prediction.device)
        return Drawn(decoded.prediction, decoded.target, decoded.target.new_zeros(len(each_P), 0), each_P, each_P)
    latent = made.latents.get(given)
    if decoded is None or latent is None:
        return None
    row_L = torch.arange(len(latent), device=latent.pooled.device) if latent.owner_P is None else latent.owner_P
    latent_P = torch.arange(len(latent), device=row_L.device) if decoded.owner_P is None else decoded.owner_P
    return Drawn(decoded.prediction, decoded.target, latent.pooled.detach()[latent_P], latent_P, row_L[latent_P])


def differ(one_PD: Tensor, other_PD: Tensor) -> Tensor:
    """(P,) bool: whether two latents are of two texts; those of one text differ by rounding alone, and where nothing is
    asked of a text (D is 0) none do."""
    if not one_PD.shape[1]:
        return torch.zeros(len(one_PD), dtype=torch.bool, device=one_PD.device)
    return (one_PD - other_PD).abs().amax(1) > _SAME * one_PD.abs().amax()


def first_drawn(made: Made, route: str, given: str, objective: str) -> Drawn:
    """The same of the first batch of a run.

    Raises:
        ConfigError: there is no such route or latent, or it makes no pictures.
    """
    found = drawn(made, route, given)
    if found is None or found.pixels.ndim != 4:
        drawing = ", ".join(name for name, one in made.routes.items() if one.prediction.ndim == 4) or "none"
        if not given:
            raise ConfigError(
                f"objective.{objective} judges the pictures of the route {route!r}; there are routes of pictures: {drawing}. "
                f"Set objective.{objective}.route."
            )
        raise ConfigError(
            f"objective.{objective} judges the pictures of the route {route!r}, drawn from the latent {given!r}; there are "
            f"routes of pictures: {drawing}; latents: {', '.join(made.latents) or 'none'}. Set "
            f"objective.{objective}.route and objective.{objective}.given."
        )
    return found
