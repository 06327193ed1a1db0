"""What the tasks that make pictures share: the routes to them, and pixels as an image with what is to be known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuwen import registry
from tuwen.types import Route, Sample, base_of

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image

    from tuwen.model import CrossModal
    from tuwen.types import Batch, Latent, Picture

AT_ONCE = 16
"""Pictures that are drawn side by side."""
GAP = 4
"""Pixels between the pictures of a sheet."""


def routes_to(model: CrossModal, field: str) -> dict[str, Route]:
    """Routes that make a field of others, or its codes, those that make it of one alone first."""
    found = {
        name: route
        for name, route in model.routes.items()
        if route.make and base_of(route.make) == field and route.how == "teach"
    }
    return dict(sorted(found.items(), key=lambda item: len(item[1].given)))


def route_from(model: CrossModal, field: str, given: set[str]) -> str:
    """The route that makes a field of what is given, as much of it as can be used; empty where there is none."""
    fits = [
        (name, route)
        for name, route in routes_to(model, field).items()
        if (given & set(route.given) if route.fuse else route.given[0] in given)
    ]
    best = max(fits, key=lambda item: (len(given & set(item[1].given)), -len(item[1].given)), default=("", None))
    return best[0]


def latent_of(model: CrossModal, name: str, batch: Batch) -> Latent:
    """What the decoder of a route reads of a batch."""
    route = model.routes[name]
    made = model(batch, {name: route})
    return made.latents[name if route.fuse else route.given[0]]


def maker(model: CrossModal, way: str) -> Any:
    """The decoder of a route."""
    return model.decoders[str(model.routes[way].make)]


def painter(model: CrossModal, way: str) -> Any:
    """The decoder that pixels come of at the end of a route: its own, or that of the pictures whose codes it draws."""
    return model.decoders[base_of(str(model.routes[way].make))]


def usual(model: CrossModal, way: str) -> dict[str, Any]:
    """Method and settings of the walk from noise that a route has learned to be drawn with; empty: the first of the decoder's
    ways, as it is."""
    known = [one for one in model.recipe.known_objectives().values() if hasattr(one, "usual") and one.route == way]
    return dict(known[-1].usual) if known else {}


def make(
    model: CrossModal,
    way: str,
    latent: Latent,
    *,
    generator: torch.Generator | None = None,
    method: Any = None,
    noise: torch.Tensor | None = None,
    **more: Any,
) -> torch.Tensor:
    """(P, C, H, W) one picture for each row of a latent, as the `pictures` of the route's `painter` takes them.

    Args:
        way: name of the route.
        latent: what its decoder reads.
        generator: what is random; seed 0 without one.
        method: of `generate/`, for a decoder whose pictures come of noise; what is usual where it is left out.
        noise: that such pictures begin with; all with the same where it is left out, so that none depends on those beside it.
        more: what else the method takes.
    """
    decoder, field = maker(model, way), str(model.routes[way].make)
    if method is None and (settings := usual(model, way)):
        method = registry.get("generate", settings.pop("method")).Config(**settings).build()
    drawn = _drawn(decoder, latent, generator, method, noise, **more)
    if field == (base := base_of(field)):
        return drawn
    return _drawn(model.decoders[base], decoder.turned_back(drawn, model.spaces[base]), generator, None, None)


def _drawn(
    decoder: Any,
    latent: Latent,
    generator: torch.Generator | None,
    method: Any,
    noise: torch.Tensor | None,
    **more: Any,
) -> torch.Tensor:
    """What one decoder makes of a latent, at once or by a way from noise."""
    import torch

    if not hasattr(decoder, "ways"):
        made: torch.Tensor = decoder.make(latent, generator=generator)
        return made
    if noise is None:
        noise = decoder.noise(1, generator or torch.Generator().manual_seed(0))
        noise = noise.expand(len(latent), *noise.shape[1:])
    walk = method or registry.get("generate", decoder.ways[0]).Config().build()
    drawn: torch.Tensor = walk(decoder, latent, noise.to(latent.pooled.device), **more)
    return drawn


def end_of(model: CrossModal, way: str, picture: Picture) -> torch.Tensor:
    """(1, C, H, W) where the flow of a route ends for a picture: its pixels, or its latent.

    Raises:
        DataError: the picture cannot be read.
    """
    decoder, field = maker(model, way), str(model.routes[way].make)
    if field == base_of(field):
        data = decoder.prepare([picture])[0].to(model.device)
    else:
        feed = model.batch([Sample("0", {base_of(field): picture})]).inputs[base_of(field)]
        data = model.derived(field, model.latent(base_of(field), feed)).data
    end: torch.Tensor = decoder.end(data)
    return end


def image(pixels_HWC: np.ndarray, about: Mapping[str, Any] | None = None) -> Image:
    """(H, W, 1 or 3) uint8 as an image; `about` is kept with it, and goes into a PNG file as text."""
    from PIL import Image

    made = Image.fromarray(pixels_HWC[:, :, 0] if pixels_HWC.shape[2] == 1 else pixels_HWC)
    made.info.update({name: str(value) for name, value in (about or {}).items()})
    return made


def sheet(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of one size side by side and below each other, about as many columns as rows, white between them."""
    import math

    import numpy as np

    if len(pictures) == 1:
        return pictures[0]
    height, width, channels = pictures[0].shape
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    whole = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), 255, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        whole[top : top + height, left : left + width] = picture
    return whole
