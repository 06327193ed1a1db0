"""Pictures inside a page: thumbnails as data addresses, in cards with what is said of them."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from tuwen.report._html import Html, tag

if TYPE_CHECKING:
    import numpy as np

SIDE = 240
"""Longer side of a thumbnail in pixels."""
TILE = 112
"""Pixels that the small pictures of a model are enlarged to, about."""


def picture(raw: Any, alt: str, *, side: int = SIDE) -> Html:
    """A thumbnail of a `Picture`, a `Located` one, or pixels.

    Args:
        alt: what is read aloud in its place.
        side: longer side in pixels; nothing is enlarged.
    Returns:
        An img with the picture in it, PNG where it is small or PNG is smaller, else JPEG.
    Raises:
        DataError: it cannot be read; it is named.
    """
    from tuwen.data._picture import open_picture

    return tag("img", src=address(open_picture(raw, side=side), side), alt=alt, loading="lazy")


def address(pixels_HWC: np.ndarray, side: int = SIDE) -> str:
    """(H, W, 3) uint8 as a data address, made smaller if it is larger than `side`."""
    from PIL import Image

    image = Image.fromarray(pixels_HWC)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    png = _encoded(image, "PNG", optimize=True)
    jpeg = _encoded(image, "JPEG", quality=82)
    kind, data = ("png", png) if len(png) < len(jpeg) or max(image.size) <= 96 else ("jpeg", jpeg)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def tile(pixels_HWC: np.ndarray, under: object, alt: str) -> Html:
    """A picture that a model made, (H, W, 1 or 3) uint8, enlarged where it is small, over some words."""
    import numpy as np

    times = max(1, TILE // pixels_HWC.shape[0])
    whole_HWC = np.broadcast_to(pixels_HWC, (*pixels_HWC.shape[:2], 3)).repeat(times, 0).repeat(times, 1)
    image = tag("img", src=address(np.ascontiguousarray(whole_HWC)), alt=alt)
    return tag("div", image, tag("div", under, class_="score"))


def card(
    *shown: object, said: object = "", key: object = "", score: object = "", more: tuple[object, ...] = ()
) -> Html:
    """A picture (or several) with words below it.

    Args:
        shown: what `picture` made.
        said: what the model says of it.
        key: name of the row.
        score: how good that is.
        more: lines of a list: the references.
    """
    words = [
        tag("p", said, class_="said") if said else None,
        tag("p", score, class_="score") if score else None,
        tag("ul", *(tag("li", one) for one in more)) if more else None,
        tag("p", key, class_="key") if key else None,
    ]
    return tag("figure", *shown, tag("figcaption", *words), class_="card")


def _encoded(image: Any, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
