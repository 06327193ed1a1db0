"""A walk through the shared space: pictures drawn on the straight line between the vectors of two texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuwen.report._html import Html, tag
from tuwen.report.pictures import tile

if TYPE_CHECKING:
    import numpy as np

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
    from tuwen.task._pictures import route_from

    if not route_from(model, "image", {"text"}):
        return []
    found: list[np.ndarray] = list(model.draw(start, to=end, num=places).pictures)
    return found
