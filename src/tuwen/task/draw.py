"""Draws pictures of a text; a model that learned without texts draws ones like those it has seen.

Example:
    tuwen draw MODEL "a red circle" -o circle.png
    tuwen draw MODEL "a red circle" -n 4 --seed 7 -o circles.png
    tuwen draw MODEL "a red circle" --without "a blue star" --steps 8 --guidance 5 -o quick.png
    tuwen draw MODEL "a red circle" --to "a blue star" -n 8 -o between.png
    tuwen draw MODEL "a red circle" --candidates 8 --judge MATCHER -o best.png
    tuwen draw MODEL "a blue star" --like photo.jpg --strength 0.6 -o changed.png
    tuwen draw MODEL "a blue star" --like photo.jpg --mask hole.png -o filled.png
    tuwen draw MODEL --texts texts.csv -o pictures/
    tuwen draw MODEL "a red circle" --temperature 0.8 --top-k 50 -o sure.png
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tuwen import registry
from tuwen.errors import CannotError, ConfigError, did_you_mean
from tuwen.task import _at_once as at_once
from tuwen.task._asking import Cancelled, Emit, ask, asking, at_least
from tuwen.task._candidates import best, judge_of
from tuwen.task._of_noise import OfNoise
from tuwen.task._pictures import AT_ONCE, maker, route_from, sheet
from tuwen.task._pictures import image as as_image
from tuwen.task._texts import notes
from tuwen.types import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from tuwen.model import CrossModal

recipe_hint = "flow"

_WAYS = ("multistep", "euler", "heun", "raster")
"""Of `generate`, from noise to a picture."""
_SETTINGS = ("guidance", "guidance_from", "guidance_until", "steps", "precision", "temperature", "top_k", "top_p")
"""Options of a Request that these take, each its own."""


@dataclass(frozen=True, kw_only=True)
class Request:
    text: str = field(default="", metadata={"positional": True})
    """What the picture is to show; left out for a model that learned without texts, or beside `like`."""
    num: int = 1
    """Pictures to draw, 1 or more."""
    seed: int = 0
    """Another number gives other pictures; the same gives the same ones again."""
    to: str = ""
    """A second text: the pictures go from the first to it in equal parts, with the same noise."""
    candidates: int = 1
    """Pictures that are drawn for each one that is kept: the one that fits the text best."""
    judge: str = ""
    """What says how well candidates fit: a model directory that matches, or a CLIP of transformers (a folder, or a name of
    the hub); needless where the model itself matches."""
    like: Picture = None
    """A picture to begin near: its variations, or with a text what becomes of it. What is transparent in it is white."""
    strength: float | None = None
    """How much of `like` may change, above 0 to 1 (0.6, with a mask 1): 0.1 is almost the same, 1 another picture."""
    mask: Picture = None
    """Where `like` is drawn anew: where this is white or transparent. What is black stays as it is, to the bit
    (at the size of what is drawn)."""
    size: int | None = None
    """Side in pixels: a multiple of what the model learned to draw, each of whose pixels becomes a block."""
    without: str = ""
    """What the pictures are not to show: guidance leads away from it. This and the options down to top-p are for models whose
    pictures come of noise: along a flow (recipe `flow`; only these take like with a text, and mask), or code by code (`gpt-vqvae`)."""
    method: str | None = None
    """How noise becomes a picture: euler, heun or multistep, the default, along a flow (few steps: euler); raster for codes."""
    guidance: float | None = None
    """How much closer to the text than learned, 0 or more (along a flow 4, of codes 3; of a model that learned it,
    `flow-distilled`, 1): 1 is as learned, more is truer and less varied."""
    guidance_from: float | None = None
    """Along a flow: the part of the way, from 0 (noise) to 1, from which on guidance leads (0); later leaves more variety.
    For class names 0.2, until 1, with a guidance of 12."""
    guidance_until: float | None = None
    """Along a flow: the part of the way, from 0 (noise) to 1, up to which guidance leads (0.5); 1: all the way,
    which leaves more specks. No matter where guidance does not lead, at 1 and below."""
    steps: int | None = None
    """Along a flow: steps from noise to picture, 1 or more (20; of a model that learned to draw in few, as many as it
    learned): fewer are faster and coarser."""
    precision: str | None = None
    """What the network computes in (float32); bfloat16, or auto: bfloat16 where this machine multiplies faster in it. Along a
    flow the same seed then gives nearly the same picture; codes may differ."""
    temperature: float | None = None
    """Of codes: below 1 prefers what is probable, above 1 is bolder (1)."""
    top_k: int | None = None
    """Of codes: only the k most probable ones (0: all); 1 always takes the most probable."""
    top_p: float | None = None
    """Of codes: only the fewest that together are so probable (1: all)."""

    def __post_init__(self) -> None:
        for name in ("text", "to", "without"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it takes words, for example 'a red circle'")
        at_least(1, num=self.num, candidates=self.candidates)
        at_least(0, seed=self.seed)
        if self.seed >= 2**63:
            raise ConfigError(f"seed is {self.seed}; it is below 2 ** 63, for example seed=5")
        if self.strength is not None and not 0 < self.strength <= 1:
            raise ConfigError(f"strength is {self.strength}; it is above 0 and at most 1, for example strength=0.6")
        for name, (needs, example) in _NEEDS.items():
            if self.has(name) and not self.has(needs):
                raise ConfigError(f"{name} has no effect without {needs}; add {example}, or leave {name} out")
        if self.to and self.num < 2:
            raise ConfigError(
                f"num is {self.num}; from one text to another it takes at least 2 pictures, for example num=8"
            )
        if self.to and self.candidates > 1:
            raise ConfigError("candidates are compared with one text; leave out candidates or to")
        walk(self)  # refuses what cannot be, before anything is loaded

    def has(self, name: str) -> bool:
        """Whether an option was set."""
        value, [default] = getattr(self, name), [f.default for f in fields(self) if f.name == name]
        plain = value.strip() if isinstance(value, str) else value
        return not (plain is default or (isinstance(plain, str | int) and plain == default))

    def require_text(self) -> None:
        """Raises CannotError where nothing is said."""
        if not self.text.strip():
            raise CannotError('this model draws of a text only; say what to draw: tuwen draw MODEL "a red circle"')

    @property
    def all(self) -> int:
        """Pictures that are drawn, those included that are not kept."""
        return self.num * self.candidates

    @property
    def change(self) -> float:
        """The strength, or what it is where it is left out; 1 without a picture."""
        if self.like is None:
            return 1.0
        return self.strength if self.strength is not None else 0.6 if self.mask is None else 1.0


_MOST_GB = 4
"""Of pictures that a request may ask for."""

_NEEDS = {
    "to": ("text", "the text to begin with"),
    "without": ("text", "what the pictures are to show"),
    "guidance": ("text", "what the pictures are to show"),
    "guidance_from": ("text", "what the pictures are to show"),
    "guidance_until": ("text", "what the pictures are to show"),
    "candidates": ("text", "what the pictures are to show"),
    "judge": ("candidates", "candidates=8"),
    "strength": ("like", "like='photo.jpg'"),
    "mask": ("like", "like='photo.jpg'"),
}
"""Field -> another one without which it has no effect, and what to add."""


@dataclass(frozen=True, kw_only=True)
class Response:
    pictures: tuple[Picture, ...]
    """What was drawn, each (H, W, 1 or 3) uint8."""
    seed: int
    """Gives the same pictures again."""
    match: tuple[float, ...] = field(default=(), metadata={"asked": "candidates"})
    """Cosine of each picture with the text, -1 to 1, by what chose among the candidates."""
    notes: tuple[str, ...] = ()
    """What of the texts had no effect: what stands behind the last word that is read, and what was never learned."""


def able(model: CrossModal) -> bool:
    """Whether it makes pictures of a text, or of nothing."""
    return bool(route_from(model, "image", {"text"}) or at_once.prior_of(model)[0])


def run(
    model: CrossModal, requests: Sequence[Request], *, emit: Emit | None = None, cancelled: Cancelled | None = None
) -> list[Response]:
    """Draws. A picture depends on its own request alone; several are drawn side by side, as many as fit the memory.

    Args:
        emit: gets "step 3 of 20" after each step from noise, for each request that is being drawn.
        cancelled: asked before each step; requests that are not done then get no pictures.
    Returns:
        One Response a Request, in their order.
    Raises:
        CannotError: the model was not trained to draw, or cannot with (or without) a text, a picture, candidates.
        ConfigError: settings of another kind of model; a size that it cannot draw.
        DataError: a picture or mask cannot be read, or the two do not belong together.
    """
    model.require("draw")
    stop, decoder, way = cancelled or (lambda: False), model.decoders["image"], route_from(model, "image", {"text"})
    blocks = [_block(int(decoder.side), request) for request in requests]  # type: ignore[arg-type]
    drawn: Sequence[Sequence[Picture]]
    with asking(model):
        judges = {one.judge: judge_of(model, one.judge) for one in requests if one.candidates > 1}
        if way and hasattr(maker(model, way), "ways"):
            drawn = OfNoise(model, way, requests, walk, emit or (lambda number, text: None), stop).draw()
        else:
            drawn = [() if stop() else at_once.draw(model, request) for request in requests]
        responses = []
        for one, some, block in zip(requests, drawn, blocks, strict=True):
            match: tuple[float, ...] = ()
            if some and one.candidates > 1:
                some, match = best(judges[one.judge], one.text, some, one.candidates)
            large = tuple(pixels.repeat(block, 0).repeat(block, 1) for pixels in some)
            said = notes(model, (one.text, one.to, one.without))
            responses.append(Response(pictures=large, seed=one.seed, match=match, notes=said))
    return responses


def _block(side: int, request: Request) -> int:
    """Side of the block that a pixel becomes."""
    size = side if request.size is None else request.size
    if size < side or size % side:
        raise ConfigError(
            f"size is {size}, and this model draws {side} x {side} pixels; it can be that or a multiple: {side}, {2 * side}, "
            f"{4 * side}"
        )
    held_gb = 3 * (request.all * side**2 + 2 * request.num * size**2) / 1e9  # a sheet of them stands beside them
    if held_gb > _MOST_GB:
        raise ConfigError(
            f"{request.all} pictures, {request.num} of them of {size} x {size} pixels, take {held_gb:,.0f} GB, and at most "
            f"{_MOST_GB} are drawn at a time; ask for a smaller size, or for fewer of them, with another seed each time"
        )
    return size // side


def walk(request: Request, ways: Sequence[str] = _WAYS, usual: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """The way from noise to a picture that a request asks for; without a text nothing is to be closer to.

    Args:
        ways: those that there are; the first that takes what is asked for is taken.
        usual: the method and settings that the model has learned to be drawn with, of those that are not asked for.
    Raises:
        ConfigError: there is no such way, or its settings cannot be.
    """
    asked = {name: value for name in _SETTINGS if (value := getattr(request, name)) is not None}
    asked |= {} if request.text.strip() else {"guidance": 0.0}
    method, asked = request.method or usual.get("method"), {**usual, **asked}
    asked.pop("method", None)
    if method not in (None, *ways):
        raise ConfigError(f"method is {method!r}.{did_you_mean(str(method), ways)} It can be {', '.join(ways)}.")
    if request.without and (guidance := asked.get("guidance", 2.0)) <= 1:
        learned = ", and this model has learned to draw so" if request.guidance is None else ""
        raise ConfigError(
            f"without leads away from a text only where guidance is above 1, and it is {guidance:g}{learned}; set a larger one, "
            f"for example guidance={2 if learned else 3}"
        )
    tried = ways if method is None else (method,)
    takes = {way: {f.name for f in fields(registry.get("generate", way).Config)} for way in tried}
    for way, known in takes.items():
        if asked.keys() <= known:
            return registry.get("generate", way).Config(**asked).build()
    way, known = next(iter(takes.items()))
    raise ConfigError(
        f"{way} takes {', '.join(name for name in _SETTINGS if name in known)}; "
        f"leave out {' and '.join(name for name in asked if name not in known)}"
    )


def call(model: CrossModal, text: Any = "", **options: Any) -> Any:
    """`model.draw("a red circle", num=4)` gives a Response; of a list of texts, a list of them."""
    return ask(sys.modules[__name__], model, text, "text", options)


def about(request: Request) -> dict[str, Any]:
    """What gives the same pictures again, beside `like` and `mask`: the text, the seed, and every other option that was set."""
    asked = {f.name: (getattr(request, f.name), f.default) for f in fields(request) if f.name not in ("like", "mask")}
    return {name: value for name, (value, default) in asked.items() if name in ("text", "seed") or value != default}


def picture(model: CrossModal, request: Request, response: Response) -> Image:
    """What was drawn, several on one sheet, with the text, the recipe, the seed and the options.

    Raises:
        ConfigError: nothing was drawn.
    """
    if not response.pictures:
        raise ConfigError("nothing was drawn: it was cancelled before it began; ask again")
    found = {"match": ", ".join(map(str, response.match)), "notes": "\n".join(response.notes)}
    known = {name: value for name, value in found.items() if value}
    return as_image(sheet(response.pictures), {"model": model.recipe.name, **about(request), **known})


def show(response: Response) -> str:
    """How many pictures, and their size; below, what there is to be known."""
    if not response.pictures:
        return "nothing was drawn"
    height, width = response.pictures[0].shape[:2]
    many = len(response.pictures)
    said = f"{many} picture{'s' if many > 1 else ''} of {width} x {height} pixels, seed {response.seed}"
    if response.match:
        said += f", match {', '.join(f'{one:.3f}' for one in response.match)}"
    return "\n".join([said, *response.notes])


__all__ = ["AT_ONCE", "Request", "Response", "able", "about", "call", "picture", "recipe_hint", "run", "show", "walk"]
