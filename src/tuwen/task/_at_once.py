"""Pictures that a decoder makes at once, of a latent alone: that of a text, one drawn from a prior, or one near a picture's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError, ConfigError
from tuwen.task._pictures import AT_ONCE, latent_of, make, painter, route_from, routes_to
from tuwen.task._texts import between_texts, of_texts
from tuwen.types import Latent, Sample

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tuwen.model import CrossModal
    from tuwen.task.draw import Request

OF_NOISE = (
    "mask",
    "without",
    "method",
    "guidance",
    "guidance_from",
    "guidance_until",
    "steps",
    "temperature",
    "top_k",
    "top_p",
    "precision",
)
"""Options of models whose pictures come of noise."""
_log = logging.getLogger("tuwen")


def prior_of(model: CrossModal) -> tuple[str, Any]:
    """The route whose latents can also be drawn from nothing, and how; ("", None) where there is none."""
    for name, route in routes_to(model, "image").items():
        part: Any = model.fusions[route.fuse] if route.fuse else dict(model.spaces.items()).get(route.given[0])
        if hasattr(part, "prior"):
            return name, part.prior
    return "", None


def draw(model: CrossModal, request: Request) -> list[np.ndarray]:
    """The pictures of a request, candidates beside each other.

    Raises:
        ConfigError: options of other models.
        CannotError: the model draws of texts only, without texts only, or not near a picture.
        DataError: a picture cannot be read.
    """
    import torch

    if asked := [name for name in OF_NOISE if request.has(name)]:
        raise ConfigError(f"this model draws at once, not of noise; leave out {' and '.join(asked)}")
    generator = torch.Generator().manual_seed(request.seed)
    way = route_from(model, "image", {"text"}) or next(iter(routes_to(model, "image")))
    latent = _latent(model, request, generator)
    made = []
    for part_P in torch.arange(len(latent), device=latent.pooled.device).split(1 if request.to else AT_ONCE):
        if request.to:
            generator.manual_seed(request.seed)  # the same noise for each picture between two texts
        made.append(make(model, way, latent.rows(part_P), generator=generator))
    made_PCHW = torch.cat(made)
    if request.all > 1 and bool((made_PCHW == made_PCHW[:1]).all()):
        _log.warning("this model draws one picture of a text: all %d are the same", request.all)
    found: list[np.ndarray] = painter(model, way).pictures(made_PCHW)
    return found


def _latent(model: CrossModal, request: Request, generator: torch.Generator) -> Latent:
    """As many rows as pictures are drawn."""
    import torch

    if request.like is not None:
        return _near(model, request, generator)
    if request.to:
        shares = torch.linspace(0, 1, request.num).tolist()
        return between_texts(model, [(request.text, request.to, share) for share in shares])
    _, prior = prior_of(model)
    if not request.text.strip() and prior is not None:
        return prior(request.all, generator=generator)  # type: ignore[no-any-return]
    request.require_text()
    return of_texts(model, [request.text] * request.all).sample(generator)


def _near(model: CrossModal, request: Request, generator: torch.Generator) -> Latent:
    """Random latents around that of a picture, at full strength those of the prior."""
    import torch

    way, prior = prior_of(model)
    if prior is None or "image" not in model.routes[way].given or request.text.strip():
        what = "change a picture by a text" if request.text.strip() else "draw near a picture"
        raise CannotError(f"this model does not {what}; one that draws along a flow does: tuwen train DATA -r flow")
    found = latent_of(model, way, model.batch([Sample("0", {"image": request.like})]))
    drawn_PD = prior(request.all, generator=generator).pooled
    rows = found.rows(torch.zeros(request.all, dtype=torch.int64, device=drawn_PD.device))
    # these weights make of two normal distributions of width 1 another one
    return rows.at((1 - request.change**2) ** 0.5 * rows.pooled + request.change * drawn_PD)


__all__ = ["draw", "prior_of"]
