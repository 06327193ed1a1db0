"""A walk through the shared space: pictures drawn on the straight line between the vectors of two texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuwen.report._html import Html, tag
from tuwen.report.pictures import tile
from tuwen.types import Latent

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from tuwen.model import CrossModal

PLACES = 8
"""Pictures of a walk, with both ends."""


def walk(model: CrossModal, start: str, end: str, *, places: int = PLACES) -> Html:
    """A row of pictures, with what the model says of each; empty where it does not draw from a text."""
    pictures = between(model, start, end, places=places)
    if not pictures:
        return Html()
    says = [f"{100 * i // (places - 1)} %" for i in range(places)]
    if "caption" in model.can():
        says = [answer.caption for answer in model.caption(pictures)]
    tiles = [
        tile(one, said, f"Picture {i} of {places} between “{start}” and “{end}”")
        for i, (one, said) in enumerate(zip(pictures, says, strict=True), 1)
    ]
    return tag("figure", tag("figcaption", tag("b", start), " to ", tag("b", end)), tag("div", *tiles, class_="strip"))


def between(model: CrossModal, start: str, end: str, *, places: int = PLACES) -> list[np.ndarray]:
    """What is drawn at evenly spaced places between two texts, each (H, W, 1 or 3) uint8; none where none can be.

    Both ends are the pictures that `model.draw` makes of the texts, but for what a decoder draws at random.
    """
    from tuwen.task._asking import asking
    from tuwen.task._pictures import latent_of, make, painter, route_from
    from tuwen.types import Sample

    way = route_from(model, "image", {"text"})
    if not way:
        return []
    samples = [Sample(str(i), {"text": text}) for i, text in enumerate((start, end))]
    with asking(model):
        line = _line(latent_of(model, way, model.batch(samples)), places)
        found: list[np.ndarray] = painter(model, way).pictures(make(model, way, line, alike=True))
    return found


def _line(ends: Latent, places: int) -> Latent:
    """Evenly spaced latents from the first row to the second, word by word; a word that one text lacks fades to nothing."""
    import torch

    share_R = torch.linspace(0, 1, places, device=ends.pooled.device)

    def between(value: Tensor) -> Tensor:
        share = share_R.view(-1, *[1] * (value.ndim - 1))
        return torch.lerp(value[:1].float(), value[1:].float(), share).to(value)

    tokens, mask = ends.tokens, ends.mask
    if tokens is not None and mask is not None:
        tokens, mask = torch.where(mask[:, :, None], tokens, 0.0), mask.any(0).expand(places, -1)
    drawn = None if tokens is None else between(tokens)
    return Latent(between(ends.pooled), drawn, mask, grid=ends.grid)
