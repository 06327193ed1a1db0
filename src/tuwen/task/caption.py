"""Says in a sentence what a picture shows.

Example:
    tuwen caption MODEL photo.jpg
    tuwen caption MODEL photos/ -o captions.csv
    tuwen caption MODEL photo.jpg --attention -o looked.png
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError, ConfigError
from tuwen.task._asking import Cancelled, Emit, alike, ask, asking, at_least, pictures
from tuwen.task._attention import Look, draw, looks
from tuwen.types import Picture, Route

if TYPE_CHECKING:
    from PIL.Image import Image

    from tuwen.generate._written import Written
    from tuwen.model import CrossModal
    from tuwen.types import Latent

recipe_hint = "coca"


@dataclass(frozen=True, kw_only=True)
class Request:
    image: Picture
    """The picture."""
    beam: int = 5
    """Sentences that are followed at once; 1: greedy, the fastest."""
    max_tokens: int = 128
    """Most tokens of a caption, 1 or more; never more than the model was trained to write."""
    min_tokens: int = 0
    """Tokens before which a caption may not end, 0 or more."""
    length_penalty: float = 1.0
    """0 prefers short captions, above 1 long ones; has no effect with beam=1."""
    best: int = 1
    """How many captions to give, 1 to beam; the others stand in `alternatives`."""
    attention: bool = False
    """Also say where the model looked for each word; for decoders with soft attention, as in recipe show-attend-tell."""

    def __post_init__(self) -> None:
        at_least(1, beam=self.beam, max_tokens=self.max_tokens, best=self.best)
        at_least(0, min_tokens=self.min_tokens)
        if self.best > self.beam:
            raise ConfigError(
                f"best is {self.best} and beam is {self.beam}; best is at most beam. Set beam={self.best}."
            )
        if self.min_tokens > self.max_tokens:
            raise ConfigError(
                f"min_tokens is {self.min_tokens} and max_tokens is {self.max_tokens}; set "
                f"max_tokens={self.min_tokens}."
            )


@dataclass(frozen=True, kw_only=True)
class Text:
    caption: str
    """The sentence."""
    logprob: float
    """Mean log-probability of its tokens, in nats; nearer to 0 is surer."""


@dataclass(frozen=True, kw_only=True)
class Response(Text):
    alternatives: tuple[Text, ...] = ()
    """The next best captions, where best is above 1."""
    attention: tuple[Look, ...] = ()
    """Each word of the caption with what the model looked at, where attention was asked for."""


def route_of(model: CrossModal) -> Route | None:
    """The route that makes text from a picture alone; None where the model has none."""
    found = [route for route in model.recipe.routes.values() if route.make == "text" and "image" in route.given]
    alone = [route for route in found if route.given == ("image",) or route.fuse]
    return alone[0] if alone and "text" in model.decoders and "image" in model.encoders else None


def able(model: CrossModal) -> bool:
    """Whether the model was trained for it."""
    return route_of(model) is not None


def run(
    model: CrossModal, requests: Sequence[Request], *, emit: Emit | None = None, cancelled: Cancelled | None = None
) -> list[Response]:
    """Captions pictures, in batches.

    Args:
        emit: gets the captions while they are written (with beam=1 token by token).
        cancelled: True ends each caption where it is.
    Returns:
        One Response a Request, in their order. A caption does not depend on the other requests.
    Raises:
        CannotError: the model was not trained to caption, or has no attention that it could tell of.
        DataError: a picture cannot be read; it is named.
    """
    model.require("caption")
    made: dict[int, Response] = {}
    with asking(model):
        for numbers, part in alike(requests, "image"):
            latent = latent_of(model, pictures(model, [request.image for request in part]))
            method, decoder = method_of(part[0]).build(), model.decoders["text"]
            written = method(decoder, latent, emit=emit and _text_emitter(decoder, numbers, emit), cancelled=cancelled)
            found = (
                looks(decoder, latent, [one[0].tokens for one in written]) if part[0].attention else [()] * len(part)
            )
            answers = (_response(decoder, texts, looked) for texts, looked in zip(written, found, strict=True))
            made.update(zip(numbers, answers, strict=True))
    return [made[number] for number in range(len(requests))]


def method_of(request: Request) -> Any:
    """The Config of the way of writing that a request asks for."""
    from tuwen.generate import beam, greedy

    limits = {"max_tokens": request.max_tokens, "min_tokens": request.min_tokens}
    if request.beam == 1:
        return greedy.Config(**limits)
    return beam.Config(beams=request.beam, length_penalty=request.length_penalty, best=request.best, **limits)


def latent_of(model: CrossModal, batch: Any) -> Latent:
    """What the text decoder reads of the pictures of a batch."""
    route = route_of(model)
    if route is None:
        raise CannotError("this model has no route from a picture to text; `tuwen info MODEL` shows its routes.")
    latent = model.latent("image", batch.inputs["image"])
    return model.fusions[route.fuse]({"image": latent}, len(batch)) if route.fuse else latent


def mean_logprob(written: Written) -> float:
    """Mean over the tokens, the end included, in nats."""
    return written.logprob / max(1, len(written.tokens) + written.finished)


def _response(decoder: Any, written: Sequence[Written], looked: tuple[Look, ...]) -> Response:
    texts = decoder.texts([one.tokens for one in written])
    found = [
        {"caption": text, "logprob": round(mean_logprob(one), 4)} for text, one in zip(texts, written, strict=True)
    ]
    return Response(**found[0], alternatives=tuple(Text(**one) for one in found[1:]), attention=looked)


def _text_emitter(decoder: Any, numbers: Sequence[int], emit: Emit) -> Any:
    said: dict[int, list[int]] = {}

    def add(row: int, token: int) -> None:
        said.setdefault(row, []).append(token)
        emit(numbers[row], decoder.texts([said[row]])[0])

    return add


def call(model: CrossModal, image: Any, **options: Any) -> Any:
    """`model.caption("a.jpg", beam=5)` gives a Response; of a list of pictures, a list of them."""
    return ask(sys.modules[__name__], model, image, "image", options)


def picture(model: CrossModal, request: Request, response: Response) -> Image:
    """Where the model looked for each word: what `-o looked.png` writes.

    Raises:
        ConfigError: attention was not asked for.
    """
    if not response.attention:
        raise ConfigError(
            "-o to a picture draws where the model looked, which was not asked for; add --attention, or write captions "
            "with -o FILE.csv"
        )
    return draw(model, request.image, response.attention)


def show(response: Response) -> str:
    """The caption; with alternatives, one a line."""
    return "\n".join(text.caption for text in (response, *response.alternatives))


__all__ = ["Request", "Response", "Text", "able", "call", "picture", "recipe_hint", "run", "show"]
