"""Makes again what it is given, or what is missing beside it.

Example:
    tuwen reconstruct MODEL photo.jpg -o again.png
    tuwen reconstruct MODEL photos/ -o again/
    tuwen reconstruct MODEL --text "a red circle" -o circle.png
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError, ConfigError
from tuwen.task._asking import ROWS, Cancelled, Emit, ask, asking, at_least
from tuwen.task._pictures import image as as_image
from tuwen.task._pictures import latent_of, make, maker, painter, route_from
from tuwen.task._writing import build
from tuwen.types import Picture, Sample

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from tuwen.model import CrossModal

recipe_hint = "conv-autoencoder"

_FIELDS = ("image", "text")


@dataclass(frozen=True, kw_only=True)
class Request:
    image: Picture = field(default=None, metadata={"positional": True})
    """The picture; may be left out where there is a text."""
    text: str = ""
    """The text, beside the picture or alone."""
    make: str = ""
    """What to make: image or text; empty: the picture if the model makes it of what is given, else the text."""
    method: str = "beam"
    """How a text is written, as `tuwen caption` takes it; mbr: what many probable ones agree on."""
    beam: int = 5
    """Sentences that are followed at once where a text is made; 1: greedy."""

    def __post_init__(self) -> None:
        at_least(1, beam=self.beam)
        self.writing()
        if self.image is None and not self.text:
            raise ConfigError(
                "there is nothing to make something of; give a picture or a text: tuwen reconstruct MODEL photo.jpg"
            )
        if self.make not in ("", *_FIELDS):
            raise ConfigError(f"make is {self.make!r}; it can be image or text, or be left out")

    def writing(self) -> Any:
        """The way of writing that is asked for.

        Raises:
            ConfigError: there is no such way, or it needs what only `tuwen caption` takes.
        """
        from tuwen.task.caption import Request as Caption
        from tuwen.task.caption import method_of

        return method_of(Caption(image=None, method=self.method, beam=self.beam))

    def given(self) -> set[str]:
        """Fields that there are."""
        return {name for name, there in zip(_FIELDS, (self.image is not None, self.text), strict=True) if there}


@dataclass(frozen=True, kw_only=True)
class Response:
    made: Picture = None
    """The picture that was made, (H, W, 1 or 3) uint8; None where a text was."""
    text: str = ""
    """The text that was made; empty where a picture was."""
    error: float | None = None
    """Mean squared error of a pixel (0 to 1) where the picture was given too: high for what is unlike the training data."""


def able(model: CrossModal) -> bool:
    """Whether some field comes back from a space that it went into."""
    return any(route.make in route.given and route.how == "teach" for route in model.routes.values())


def run(
    model: CrossModal, requests: Sequence[Request], *, emit: Emit | None = None, cancelled: Cancelled | None = None
) -> list[Response]:
    """Makes pictures or texts, in batches of requests that go the same way.

    Args:
        emit: taken as every task takes it; nothing is streamed.
        cancelled: True ends a text where it is.
    Returns:
        One Response a Request, in their order.
    Raises:
        CannotError: the model was not trained for it, or makes nothing of what is given.
        DataError: a picture cannot be read; it is named.
    """
    model.require("reconstruct")
    ways: dict[tuple[str, str, int], list[int]] = {}
    for number, request in enumerate(requests):
        ways.setdefault((_way(model, request), request.method, request.beam), []).append(number)
    made: dict[int, Response] = {}
    with asking(model):
        for (way, *_), numbers in ways.items():
            for start in range(0, len(numbers), ROWS):
                part = numbers[start : start + ROWS]
                made.update(zip(part, _of_batch(model, way, [requests[n] for n in part], cancelled), strict=True))
    return [made[number] for number in range(len(requests))]


def _way(model: CrossModal, request: Request) -> str:
    """The route of a request."""
    for wanted in (request.make,) if request.make else _FIELDS:
        if name := route_from(model, wanted, request.given()):
            return name
    what = " and ".join(sorted(request.given()))
    routes = "; ".join(str(route) for route in model.routes.values() if route.make)
    raise CannotError(f"this model makes no {request.make or 'image or text'} of {what}; its ways are: {routes}.")


def _of_batch(model: CrossModal, way: str, requests: Sequence[Request], cancelled: Cancelled | None) -> list[Response]:
    samples = [Sample(str(i), {name: getattr(r, name) for name in r.given()}) for i, r in enumerate(requests)]
    latent = latent_of(model, way, model.batch(samples))
    if model.routes[way].make == "text":
        write = build(model, requests[0].writing())
        written = write(decoder := maker(model, way), latent, cancelled=cancelled)
        return [Response(text=text) for text in decoder.texts([texts[0].tokens for texts in written])]
    return _pictures(painter(model, way), make(model, way, latent), requests)


def _pictures(decoder: Any, made_PCHW: Tensor, requests: Sequence[Request]) -> list[Response]:
    error: dict[int, float] = {}
    rows = [row for row, request in enumerate(requests) if request.image is not None]
    if rows and getattr(decoder, "pixelwise", False):
        target_PCHW = decoder.prepare([requests[row].image for row in rows])[0].to(made_PCHW.device).float() / 255
        found = (made_PCHW[rows].float() - target_PCHW).square().mean((1, 2, 3))
        error = {row: round(value, 6) for row, value in zip(rows, found.tolist(), strict=True)}
    return [Response(made=one, error=error.get(row)) for row, one in enumerate(decoder.pictures(made_PCHW))]


def call(model: CrossModal, image: Any = None, **options: Any) -> Any:
    """`model.reconstruct("a.jpg")` gives a Response, a list of pictures a list of them; or `model.reconstruct(text="...")`."""
    return ask(sys.modules[__name__], model, image, "image", options)


def picture(model: CrossModal, request: Request, response: Response) -> Image:
    """The picture that was made, for -o FILE.png.

    Raises:
        ConfigError: a text was made.
    """
    if response.made is None:
        raise ConfigError(
            "-o names a picture, and this model made a text of what was given; leave -o out, or set make=image"
        )
    return as_image(response.made, {"model": model.recipe.name})


def show(response: Response) -> str:
    """The text; of a picture its size and its error."""
    if response.made is None:
        return response.text
    height, width = response.made.shape[:2]
    error = "" if response.error is None else f", squared error {response.error:.4g}"
    return f"{width} x {height} pixels{error}"


__all__ = ["Request", "Response", "able", "call", "picture", "recipe_hint", "run", "show"]
