"""Draws pictures of a text; a model that learned without texts draws ones like those it has seen.

Example:
    tuwen draw MODEL "a red circle" -o circle.png
    tuwen draw MODEL "a red circle" -n 4 --seed 7 -o circles.png
    tuwen draw MODEL "a red circle" --steps 8 --guidance 5 -o quick.png
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuwen import registry
from tuwen.errors import CannotError, ConfigError, did_you_mean
from tuwen.task._asking import Cancelled, Emit, ask, asking, at_least
from tuwen.task._pictures import image as as_image
from tuwen.task._pictures import latent_of, make, route_from, routes_to, sheet
from tuwen.types import Picture, Sample

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from tuwen.model import CrossModal
    from tuwen.types import Latent

recipe_hint = "vae"

AT_ONCE = 16
"""Pictures that are drawn side by side."""
_log = logging.getLogger("tuwen")


@dataclass(frozen=True, kw_only=True)
class Request:
    text: str = field(default="", metadata={"positional": True})
    """What the picture is to show; left out for a model that learned without texts."""
    num: int = 1
    """Pictures to draw, 1 or more."""
    seed: int = 0
    """Another number gives other pictures; the same gives the same ones again."""
    method: str | None = None
    """How noise becomes a picture: euler, heun or multistep, the default. This and the next two are for models that draw
    along a flow (recipe `flow`)."""
    steps: int | None = None
    """Steps from noise to picture, 1 or more (20): fewer are faster and coarser."""
    guidance: float | None = None
    """How much closer to the text than learned, 0 or more (3): 1 is as learned, more is truer and less varied."""

    def __post_init__(self) -> None:
        at_least(1, num=self.num)
        at_least(0, seed=self.seed)
        walk(self)  # refuses what cannot be, before anything is loaded


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
    """Draws. A picture depends on its own request alone; along a flow several are drawn side by side.

    Args:
        emit: taken as every task takes it; nothing is streamed.
        cancelled: asked before each request, or before each few pictures along a flow; what is left gets no pictures.
    Returns:
        One Response a Request, in their order.
    Raises:
        CannotError: the model was not trained to draw, or cannot with (or without) a text.
        ConfigError: settings of a flow for a model that draws at once.
    """
    model.require("draw")
    stop = cancelled or (lambda: False)
    with asking(model):
        if hasattr(model.decoders["image"], "velocity"):
            drawn = _along_a_flow(model, requests, stop)
        else:
            drawn = [() if stop() else _at_once(model, request) for request in requests]
        return [Response(pictures=some, seed=one.seed) for one, some in zip(requests, drawn, strict=True)]


def walk(request: Request) -> Any:
    """The way from noise to a picture that a request asks for.

    Raises:
        ConfigError: there is no such way, or its settings cannot be.
    """
    ways = ("multistep", "euler", "heun")
    if (way := request.method or ways[0]) not in ways:
        raise ConfigError(f"method is {way!r}.{did_you_mean(way, ways)} It can be {', '.join(ways)}.")
    named = {"steps": request.steps, "guidance": request.guidance}
    config = registry.get("generate", way).Config(**{name: value for name, value in named.items() if value is not None})
    return config.build()


def _along_a_flow(model: CrossModal, requests: Sequence[Request], stop: Cancelled) -> list[tuple[Picture, ...]]:
    import torch

    decoder: Any = model.decoders["image"]
    drawn: list[list[Picture]] = [[] for _ in requests]
    for way in {walk(request).config for request in requests}:
        rows = [row for row, request in enumerate(requests) if walk(request).config == way for _ in range(request.num)]
        noise_PCHW = torch.cat(
            [
                decoder.noise(one.num, torch.Generator().manual_seed(one.seed))
                for one in requests
                if walk(one).config == way
            ]
        )
        for start in range(0, len(rows), AT_ONCE):
            if stop():
                break
            some = rows[start : start + AT_ONCE]
            latent = _of_texts(model, [requests[row].text for row in some])
            made_PCHW = make(decoder, latent, method=way.build(), noise=noise_PCHW[start : start + AT_ONCE])
            for row, picture in zip(some, decoder.pictures(made_PCHW), strict=True):
                drawn[row].append(picture)
    return [tuple(some) if len(some) == one.num else () for one, some in zip(requests, drawn, strict=True)]


def _at_once(model: CrossModal, request: Request) -> tuple[Picture, ...]:
    import torch

    if asked := [name for name in ("method", "steps", "guidance") if getattr(request, name) is not None]:
        raise ConfigError(f"this model draws at once, not along a flow; leave out {' and '.join(asked)}")
    generator = torch.Generator().manual_seed(request.seed)
    decoder: Any = model.decoders["image"]
    made_PCHW = make(decoder, _latent(model, request, generator), generator=generator)
    if request.num > 1 and bool((made_PCHW == made_PCHW[:1]).all()):
        _log.warning("this model draws one picture of a text: all %d are the same", request.num)
    return tuple(decoder.pictures(made_PCHW))


def _of_texts(model: CrossModal, texts: Sequence[str]) -> Latent:
    """One row a text."""
    if not (way := route_from(model, "image", {"text"})):
        raise CannotError(
            "this model learned without texts; it draws pictures like those it has seen: tuwen draw MODEL -o out.png"
        )
    if not all(text.strip() for text in texts):
        raise CannotError('this model draws of a text only; say what to draw: tuwen draw MODEL "a red circle"')
    return latent_of(model, way, model.batch([Sample(str(row), {"text": text}) for row, text in enumerate(texts)]))


def _latent(model: CrossModal, request: Request, generator: torch.Generator) -> Latent:
    """As many rows as pictures are asked for."""
    import torch

    if not request.text and (prior := _prior(model)) is not None:
        return prior(request.num, generator=generator)  # type: ignore[no-any-return]
    latent = _of_texts(model, [request.text])
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
