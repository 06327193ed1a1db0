"""Draws pictures of a text; a model that learned without texts draws ones like those it has seen.

Example:
    tuwen draw MODEL "a red circle" -o circle.png
    tuwen draw MODEL "a red circle" -n 4 --seed 7 -o circles.png
    tuwen draw MODEL "a red circle" --steps 8 --guidance 5 -o quick.png
    tuwen draw MODEL "a red circle" --temperature 0.8 --top-k 50 -o sure.png
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from tuwen import registry
from tuwen.errors import CannotError, ConfigError, did_you_mean
from tuwen.task._asking import Cancelled, Emit, ask, asking, at_least
from tuwen.task._pictures import image as as_image
from tuwen.task._pictures import latent_of, make, maker, painter, route_from, routes_to, sheet
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
    """How noise becomes a picture: euler, heun or multistep, the default, along a flow (recipe `flow`); raster for codes
    (recipe `gpt-vqvae`)."""
    guidance: float | None = None
    """How much closer to the text than learned, 0 or more (3): 1 is as learned, more is truer and less varied. This and
    all that follow are for models whose pictures come of noise."""
    steps: int | None = None
    """Along a flow: steps from noise to picture, 1 or more (20): fewer are faster and coarser."""
    temperature: float | None = None
    """Of codes: below 1 prefers what is probable, above 1 is bolder (1)."""
    top_k: int | None = None
    """Of codes: only the k most probable ones (0: all); 1 always takes the most probable."""
    top_p: float | None = None
    """Of codes: only the fewest that together are so probable (1: all)."""

    def __post_init__(self) -> None:
        at_least(1, num=self.num)
        at_least(0, seed=self.seed)
        walk(self, _WAYS)  # refuses what cannot be, before anything is loaded


_WAYS = ("multistep", "euler", "heun", "raster")
"""Of `generate`, from noise to a picture."""
_SETTINGS = ("guidance", "steps", "temperature", "top_k", "top_p")
"""Options of a Request that these take, each its own."""


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
    """Draws. A picture depends on its own request alone; of noise several are drawn side by side.

    Args:
        emit: taken as every task takes it; nothing is streamed.
        cancelled: asked before each request, or before each few pictures of noise; what is left gets no pictures.
    Returns:
        One Response a Request, in their order.
    Raises:
        CannotError: the model was not trained to draw, or cannot with (or without) a text.
        ConfigError: settings of another kind of model.
    """
    model.require("draw")
    stop = cancelled or (lambda: False)
    with asking(model):
        way = route_from(model, "image", {"text"})
        if way and hasattr(maker(model, way), "ways"):
            drawn = _of_noise(model, way, requests, stop)
        else:
            drawn = [() if stop() else _at_once(model, request) for request in requests]
        return [Response(pictures=some, seed=one.seed) for one, some in zip(requests, drawn, strict=True)]


def walk(request: Request, ways: Sequence[str]) -> Any:
    """The way from noise to a picture that a request asks for.

    Args:
        ways: those that there are; the first that takes what is asked for is taken.
    Raises:
        ConfigError: there is no such way, or its settings cannot be.
    """
    asked = {name: value for name in _SETTINGS if (value := getattr(request, name)) is not None}
    if request.method not in (None, *ways):
        raise ConfigError(
            f"method is {request.method!r}.{did_you_mean(str(request.method), ways)} It can be {', '.join(ways)}."
        )
    tried = ways if request.method is None else (request.method,)
    takes = {way: {f.name for f in fields(registry.get("generate", way).Config)} for way in tried}
    for way, known in takes.items():
        if asked.keys() <= known:
            return registry.get("generate", way).Config(**asked).build()
    way, known = next(iter(takes.items()))
    raise ConfigError(
        f"{way} takes {', '.join(name for name in _SETTINGS if name in known)}; "
        f"leave out {' and '.join(name for name in asked if name not in known)}"
    )


def _of_noise(model: CrossModal, way: str, requests: Sequence[Request], stop: Cancelled) -> list[tuple[Picture, ...]]:
    import torch

    decoder = maker(model, way)
    walks = [walk(request, decoder.ways) for request in requests]
    drawn: list[list[Picture]] = [[] for _ in requests]
    for config in {one.config for one in walks}:
        asked = [row for row, one in enumerate(walks) if one.config == config]
        noise = torch.cat(
            [decoder.noise(requests[row].num, torch.Generator().manual_seed(requests[row].seed)) for row in asked]
        )
        rows = [row for row in asked for _ in range(requests[row].num)]
        for start in range(0, len(rows), AT_ONCE):
            if stop():
                break
            some = rows[start : start + AT_ONCE]
            latent = _of_texts(model, [requests[row].text for row in some])
            made = make(model, way, latent, method=config.build(), noise=noise[start : start + AT_ONCE])
            for row, picture in zip(some, painter(model, way).pictures(made), strict=True):
                drawn[row].append(picture)
    return [tuple(some) if len(some) == one.num else () for one, some in zip(requests, drawn, strict=True)]


def _at_once(model: CrossModal, request: Request) -> tuple[Picture, ...]:
    import torch

    if asked := [name for name in ("method", *_SETTINGS) if getattr(request, name) is not None]:
        raise ConfigError(f"this model draws at once, not of noise; leave out {' and '.join(asked)}")
    generator = torch.Generator().manual_seed(request.seed)
    way = route_from(model, "image", {"text"}) or next(iter(routes_to(model, "image")))
    made_PCHW = make(model, way, _latent(model, request, generator), generator=generator)
    if request.num > 1 and bool((made_PCHW == made_PCHW[:1]).all()):
        _log.warning("this model draws one picture of a text: all %d are the same", request.num)
    return tuple(painter(model, way).pictures(made_PCHW))


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
