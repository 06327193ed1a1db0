"""Draws pictures of a text; a model that learned without texts draws ones like those it has seen.

Example:
    tuwen draw MODEL "a red circle" -o circle.png
    tuwen draw MODEL "a red circle" -n 4 --seed 7 -o circles.png
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError, ConfigError
from tuwen.task._asking import Cancelled, Emit, ask, asking, at_least
from tuwen.task._pictures import image as as_image
from tuwen.task._pictures import latent_of, route_from, routes_to, sheet
from tuwen.types import Picture, Sample

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from tuwen.model import CrossModal
    from tuwen.types import Latent

recipe_hint = "vae"

_log = logging.getLogger("tuwen")


@dataclass(frozen=True, kw_only=True)
class Request:
    text: str = field(default="", metadata={"positional": True})
    """What the picture is to show; left out for a model that learned without texts."""
    num: int = 1
    """Pictures to draw, 1 or more."""
    seed: int = 0
    """Another number gives other pictures; the same gives the same ones again."""

    def __post_init__(self) -> None:
        at_least(1, num=self.num)
        at_least(0, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class Response:
    pictures: tuple[Picture, ...]
    """What was drawn, each (H, W, 1 or 3) uint8."""
    seed: int
    """Gives the same pictures again."""


def able(model: CrossModal) -> bool:
    """Whether it makes pictures of a text, or of nothing."""
    return bool(route_from(model, "image", {"text"}) or _prior(model))


def _prior(model: CrossModal) -> Any:
    """The part that latents of pictures can be drawn from; None where there is none."""
    for route in routes_to(model, "image").values():
        part: Any = model.fusions[route.fuse] if route.fuse else dict(model.spaces.items()).get(route.given[0])
        if hasattr(part, "prior"):
            return part.prior
    return None


def run(
    model: CrossModal, requests: Sequence[Request], *, emit: Emit | None = None, cancelled: Cancelled | None = None
) -> list[Response]:
    """Draws, one request after the other: a picture depends on its own request alone.

    Args:
        emit: taken as every task takes it; nothing is streamed.
        cancelled: asked before each request; what is left gets no pictures.
    Returns:
        One Response a Request, in their order.
    Raises:
        CannotError: the model was not trained to draw, or cannot with (or without) a text.
    """
    model.require("draw")
    with asking(model):
        return [
            Response(pictures=() if cancelled and cancelled() else _drawn(model, request), seed=request.seed)
            for request in requests
        ]


def _drawn(model: CrossModal, request: Request) -> tuple[Picture, ...]:
    import torch

    generator = torch.Generator().manual_seed(request.seed)
    decoder: Any = model.decoders["image"]
    made_PCHW = decoder.make(_latent(model, request, generator), generator=generator)
    if request.num > 1 and bool((made_PCHW == made_PCHW[:1]).all()):
        _log.warning("this model draws one picture of a text: all %d are the same", request.num)
    return tuple(decoder.pictures(made_PCHW))


def _latent(model: CrossModal, request: Request, generator: torch.Generator) -> Latent:
    """As many rows as pictures are asked for."""
    import torch

    if not request.text:
        if (prior := _prior(model)) is None:
            raise CannotError('this model draws of a text only; say what to draw: tuwen draw MODEL "a red circle"')
        return prior(request.num, generator=generator)  # type: ignore[no-any-return]
    if not (way := route_from(model, "image", {"text"})):
        raise CannotError(
            "this model learned without texts; it draws pictures like those it has seen: tuwen draw MODEL -o out.png"
        )
    latent = latent_of(model, way, model.batch([Sample("0", {"text": request.text})]))
    many = latent.rows(torch.zeros(request.num, dtype=torch.int64, device=latent.pooled.device))
    return many.sample(generator)


def call(model: CrossModal, text: Any = "", **options: Any) -> Any:
    """`model.draw("a red circle", num=4)` gives a Response; of a list of texts, a list of them."""
    return ask(sys.modules[__name__], model, text, "text", options)


def picture(model: CrossModal, request: Request, response: Response) -> Image:
    """What was drawn, several on one sheet, with the text, the recipe and the seed.

    Raises:
        ConfigError: nothing was drawn.
    """
    if not response.pictures:
        raise ConfigError("nothing was drawn: it was cancelled before it began; ask again")
    about = {"text": request.text, "model": model.recipe.name, "seed": request.seed}
    return as_image(sheet(response.pictures), about)


def show(response: Response) -> str:
    """How many pictures, and their size."""
    if not response.pictures:
        return "nothing was drawn"
    height, width = response.pictures[0].shape[:2]
    many = len(response.pictures)
    return f"{many} picture{'s' if many > 1 else ''} of {width} x {height} pixels, seed {response.seed}"


__all__ = ["Request", "Response", "able", "call", "picture", "recipe_hint", "run", "show"]
