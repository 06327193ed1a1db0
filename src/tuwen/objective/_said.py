"""What a network says of a mixture of pixels and noise: what objectives that fit it share."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.types import Decoded, Made

Says = Literal["velocity", "noise"]

_FITTING: dict[Says, tuple[str, str]] = {"velocity": ("flow", "straight"), "noise": ("diffusion", "cosine")}
"""The objective that fits a network that says this, and the path of `decode/image_flow` on which it does."""


def squared_error(made: Made, route: str, says: Says) -> Tensor | None:
    """Mean of the squares over all numbers that were said; None where the batch has nothing to draw.

    Raises:
        ConfigError: the decoder of the route says something else.
    """
    decoded = made.routes.get(route)
    if decoded is None:
        return None
    if decoded.says != says:
        objective, path = _FITTING[says]
        other = f", or objective.flow={_FITTING[decoded.says][0]}" if decoded.says else ""
        raise ConfigError(
            f"the objective {objective} fits a network that says {says}, and the decoder of the route {route!r} says "
            f"{decoded.says or 'neither velocity nor noise'}; set decode.image.path={path} of an image_flow (decode.image@latent.path of a flow of latents){other}"
        )
    return (decoded.prediction - decoded.target).square().mean()


def example_said(says: Says) -> Decoded:
    """Two pictures of random numbers."""
    pair = torch.randn(2, 2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    return Decoded(pair[0], pair[1], says=says)
