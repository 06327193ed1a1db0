"""Says in a sentence what a picture shows.

Example:
    tuwen caption MODEL photo.jpg
    tuwen caption MODEL photos/ -o captions.csv --min-confidence 0.5
    tuwen caption MODEL photo.jpg --words "red,ball" --method constrained
    tuwen caption MODEL photo.jpg --method sampling --top-p 0.9 --best 3 --prompt "a dog"
    tuwen caption MODEL photo.jpg --beam 1 --stream
    tuwen caption MODEL photo.jpg --attention -o looked.png
    tuwen caption MODEL,ANOTHER,MATCHES photo.jpg --method mbr --neighbours vectors.npy
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError, ConfigError
from tuwen.task._asking import Cancelled, Emit, alike, ask, asking, at_least, pictures
from tuwen.task._attention import Look, draw, looks
from tuwen.task._confidence import calibrated, confidences, require
from tuwen.task._writing import build, check, check_matchers, check_stream, match_of, method_of
from tuwen.types import Picture, Route

if TYPE_CHECKING:
    from PIL.Image import Image

    from tuwen.generate._written import Written
    from tuwen.model import CrossModal
    from tuwen.types import Latent

recipe_hint = "coca"
several = "caption"
"""What several models do as one (`tuwen.ensemble`)."""


@dataclass(frozen=True, kw_only=True)
class Request:
    image: Picture
    """The picture."""
    method: str = "beam"
    """How captions are written. beam: the most probable ones; greedy: the fastest; diverse: several that differ;
    sampling: at random; contrastive: without loops; constrained: with given words; mbr: what many
    probable ones agree on, often the best CIDEr, slower than beam."""
    beam: int = 5
    """Sentences that are followed at once; 1: greedy, the fastest. For beam, diverse, constrained and mbr."""
    max_tokens: int = 128
    """Most tokens of a caption, 1 or more; never more than the model was trained to write."""
    min_tokens: int = 0
    """Tokens before which a caption may not end, 0 or more."""
    length_penalty: float = 1.0
    """0 prefers short captions, above 1 long ones; has no effect with beam=1."""
    best: int = 1
    """How many captions to give, 1 to beam; the others stand in `alternatives`. For sampling any number, for mbr up to
    beam + samples. Diverse and mbr give fewer where fewer differ."""
    prompt: str = ""
    """Beginning that the caption goes on from; its tokens do not count in max_tokens and min_tokens."""
    words: str = ""
    """Words that the caption must hold, with commas between: "red,fire truck". For constrained."""
    without: str = ""
    """Words that it may not hold, with commas between."""
    no_repeat: int = 0
    """Size of the runs of tokens that may not come twice, for example 3; 0: any may."""
    groups: int | None = None
    """Groups of beams that keep away from each other's words; divides beam. For diverse; else each beam is one."""
    diversity: float | None = None
    """What a word costs that an earlier group has in its place, in nats; 0.5 if not given. For diverse."""
    temperature: float | None = None
    """Above 0: below 1 prefers what is probable, above 1 is bolder; 1 if not given, 0.5 for mbr. For sampling
    and mbr."""
    top_k: int | None = None
    """Draws from the k most probable tokens only. For sampling and mbr."""
    top_p: float | None = None
    """Draws from the fewest tokens that have this probability together, 0 to 1. For sampling and mbr."""
    min_p: float | None = None
    """Draws from tokens at least this share as probable as the most probable one, 0 to 1. For sampling and mbr."""
    typical: float | None = None
    """Draws from the tokens nearest to the expected surprise that have this probability together, 0 to 1. For
    sampling and mbr."""
    seed: int | None = None
    """Another number gives other captions, the same one the same; 0 if not given. For sampling and mbr."""
    samples: int | None = None
    """Captions that are drawn, of which the best are given; best if not given, and for mbr 16, beside those of the beam."""
    similarity: str | None = None
    """How captions are compared: cider, by their words, or embedding, by what matches. For mbr."""
    neighbours: str = ""
    """File of pictures whose captions have a voice too where the pictures are alike: vectors of the training part, made
    with what matches here, one model or all that do: tuwen embed MATCHES,ANOTHER DATA --split train -o FILE.npy. For mbr."""
    candidates: int | None = None
    """Tokens that are tried at every step; 5 if not given. For contrastive."""
    penalty: float | None = None
    """Weight against saying again what was said, 0 to 1; 0.6 if not given. For contrastive."""
    precision: str = "float32"
    """What a transformer computes in while it writes: float32, bfloat16, or auto, which is bfloat16 where this machine
    multiplies faster in it. In bfloat16 a few captions differ by a word."""
    rerank: bool = False
    """Give those captions of all that were followed or drawn that match the picture best, in that order; for models
    that match."""
    attention: bool = False
    """Also say where the model looked for each word; for decoders with soft attention, as in recipe show-attend-tell."""
    min_confidence: float = 0.0
    """Says nothing of pictures whose caption has a lower confidence, 0 to 1; the row stays, with the reason, and
    -o FOLDER/ gets no .txt of it. For models that `tuwen evaluate --calibrate` has fitted it for."""

    def __post_init__(self) -> None:
        at_least(1, beam=self.beam, max_tokens=self.max_tokens, best=self.best)
        at_least(0, min_tokens=self.min_tokens)
        for name in ("words", "without"):
            if not isinstance(getattr(self, name), str):
                object.__setattr__(self, name, ",".join(getattr(self, name)))
        if self.best > self.beam and self.method == "beam":
            raise ConfigError(
                f"best is {self.best} and beam is {self.beam}; best is at most beam. Set beam={self.best}."
            )
        if self.min_tokens > self.max_tokens:
            raise ConfigError(
                f"min_tokens is {self.min_tokens} and max_tokens is {self.max_tokens}; set "
                f"max_tokens={self.min_tokens}."
            )
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(
                f"min_confidence is {self.min_confidence}; it is a probability from 0 to 1, for example min_confidence=0.5"
            )
        check(self)


@dataclass(frozen=True, kw_only=True)
class Text:
    caption: str
    """The sentence."""
    logprob: float
    """Mean log-probability of its tokens after the prompt, in nats; nearer to 0 is surer."""
    match: float | None = field(default=None, metadata={"asked": "rerank"})
    """Cosine of picture and sentence, -1 to 1, with rerank."""


@dataclass(frozen=True, kw_only=True)
class Response(Text):
    alternatives: tuple[Text, ...] = field(default=(), metadata={"asked": "best"})
    """The next best captions, where best is above 1."""
    attention: tuple[Look, ...] = field(default=(), metadata={"asked": "attention"})
    """Each word of the caption with what the model looked at, where attention was asked for."""
    confidence: float | None = None
    """Probability that the caption is acceptable, where the model is calibrated for this way of writing; acceptable is
    what its references find better (by CIDEr) than half of the captions of the validation part."""
    abstained: str = field(default="", metadata={"asked": "min_confidence"})
    """Why there is no caption; empty where there is one."""


def route_of(model: CrossModal) -> Route | None:
    """The route that makes text from a picture alone; None where the model has none."""
    found = [route for route in model.routes.values() if route.make == "text" and "image" in route.given]
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
        emit: gets the captions while they are written (greedy, sampling and contrastive token by token).
        cancelled: True ends each caption where it is.
    Returns:
        One Response a Request, in their order. A caption does not depend on the other requests.
    Raises:
        CannotError: the model was not trained to caption, or has no attention that it could tell of.
        DataError: a picture cannot be read; it is named.
    """
    model.require("caption")
    if any(request.rerank for request in requests):
        model.matcher.require("match", verb="rerank captions")
    for request in requests if model.matcher is not model else ():
        check_matchers(model, method_of(request), rerank=request.rerank)
    made: dict[int, Response] = {}
    with asking(model):
        for numbers, part in alike(requests, "image"):
            made.update(zip(numbers, _answers(model, numbers, part, emit, cancelled), strict=True))
    return [made[number] for number in range(len(requests))]


def _answers(
    model: CrossModal, numbers: Sequence[int], part: Sequence[Request], emit: Emit | None, cancelled: Cancelled | None
) -> list[Response]:
    """Responses to requests that differ in nothing but their pictures."""
    first, decoder = part[0], model.decoders["text"]
    if first.min_confidence:
        require(model, method_of(first), first)
    images, write = [request.image for request in part], build(model, method_of(first))
    latent = latent_of(model, pictures(model, images))
    given: list[int] = decoder.spelled(first.prompt) if first.prompt.strip() else []  # type: ignore[operator]
    later = first.rerank or first.min_confidence > 0  # only the whole caption tells whether it is said
    stream = _text_emitter(decoder, given, numbers, emit) if emit and not later else None
    written = write(decoder, latent, emit=stream, cancelled=cancelled)
    found = [list(zip(some, _texts(decoder, given, some), strict=True)) for some in written]
    if first.rerank:
        found = _reranked(model, images, found, first.best)
    sure: list[float | None] = [None] * len(part)
    if calibrated(model, method_of(first), rerank=first.rerank):
        sure = [*confidences(model, latent, [some[0][0] for some in found])]
    rows = [[*given, *some[0][0].tokens] for some in found]
    looked = looks(decoder, latent, rows) if first.attention else [()] * len(part)
    made = [
        _response([text for _, text in some], look, one, first.min_confidence)
        for some, look, one in zip(found, looked, sure, strict=True)
    ]
    for number, response in zip(numbers, made, strict=True):
        if emit and later:
            emit(number, response.caption)
    return made


def _response(some: Sequence[Text], look: tuple[Look, ...], sure: float | None, least: float) -> Response:
    """The best of a picture's texts with the others, or why nothing is said."""
    if sure is not None and sure < least:
        silent, why = replace(some[0], caption=""), f"confidence {sure:.2f} is below {least:g}"
        return Response(**vars(silent), confidence=sure, abstained=why)
    return Response(**vars(some[0]), alternatives=tuple(some[1:]), attention=look, confidence=sure)


def _reranked(
    model: CrossModal, images: Sequence[Any], found: Sequence[Sequence[tuple[Written, Text]]], best: int
) -> list[list[tuple[Written, Text]]]:
    """The best of each picture, those that match it best first."""
    matches = match_of(model, images, [[text.caption for _, text in some] for some in found])
    ranked = []
    for some, cosines in zip(found, matches, strict=True):
        different: dict[str, tuple[float, Written, Text]] = {}
        for (one, text), cosine in zip(some, cosines, strict=True):  # the more probable first
            different.setdefault(text.caption, (cosine, one, replace(text, match=round(cosine, 4))))
        first = sorted(different.values(), key=lambda found: -found[0])[:best]
        ranked.append([(one, text) for _, one, text in first])
    return ranked


def latent_of(model: CrossModal, batch: Any) -> Latent:
    """What the text decoder reads of the pictures of a batch."""
    route = route_of(model)
    if route is None:
        raise CannotError("this model has no route from a picture to text; `tuwen info MODEL` shows its routes.")
    latent = model.latent("image", batch.inputs["image"])
    return model.fusions[route.fuse]({"image": latent}, len(batch)) if route.fuse else latent


def mean_logprob(written: Written) -> float:
    """Mean over the tokens, the end included, in nats."""
    return written.score()


def _texts(decoder: Any, given: Sequence[int], written: Sequence[Written]) -> list[Text]:
    captions = decoder.texts([[*given, *one.tokens] for one in written])
    return [
        Text(caption=caption, logprob=round(mean_logprob(one), 4))
        for caption, one in zip(captions, written, strict=True)
    ]


def _text_emitter(decoder: Any, given: Sequence[int], numbers: Sequence[int], emit: Emit) -> Any:
    said: dict[int, list[int]] = {}

    def add(row: int, token: int) -> None:
        said.setdefault(row, list(given)).append(token)
        [text] = decoder.texts([said[row]])
        if not text.endswith("\ufffd"):  # the rest of a letter is still to come
            emit(numbers[row], text)

    return add


def call(model: CrossModal, image: Any, **options: Any) -> Any:
    """`model.caption("a.jpg", beam=5)` gives a Response; of a list of pictures, a list of them. With `beam=1` or
    `method="sampling"` `emit=print` takes the caption as it grows."""
    return ask(sys.modules[__name__], model, image, "image", options)


def picture(model: CrossModal, request: Request, response: Response) -> Image:
    """Where the model looked for each word: what `-o looked.png` writes.

    Raises:
        ConfigError: attention was not asked for, or there is no caption.
    """
    if response.abstained:
        raise ConfigError(f"there is no caption to draw for: {response.abstained}")
    if request.attention and not response.attention:
        raise ConfigError("the caption is empty, so that there is nothing to draw for; try another --method")
    if not response.attention:
        raise ConfigError(
            "-o to a picture draws where the model looked, which was not asked for; add --attention, or write captions "
            "with -o FILE.csv"
        )
    return draw(model, request.image, response.attention)


def show(response: Response) -> str:
    """The caption; with alternatives, one a line; or why there is none, in brackets."""
    if response.abstained:
        return f"[no caption: {response.abstained}]"
    return "\n".join(text.caption for text in (response, *response.alternatives))


__all__ = [
    "Request", "Response", "Text", "able", "call", "check_stream", "method_of", "picture", "recipe_hint", "run", "several",
    "show",
]  # fmt: skip
