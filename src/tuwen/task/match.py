"""Says how well texts fit a picture.

A line a text, the best first: its share among the given texts (which fits best, not whether any does), its cosine (from -1
to 1, comparable between pictures), the text.

Example:
    tuwen match MODEL photo.jpg --text "a dog runs" --text "a red car"
    tuwen match MODEL,ANOTHER photo.jpg --text "a dog runs" --text "a red car"
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuwen.errors import ConfigError
from tuwen.task._asking import ROWS, Cancelled, Emit, ask, asking, pictures
from tuwen.types import Picture

if TYPE_CHECKING:
    from tuwen.model import CrossModal
    from tuwen.types import Latent

recipe_hint = "coca"
several = "match"
"""What several models do as one (`tuwen.matchers`)."""


@dataclass(frozen=True, kw_only=True)
class Request:
    image: Picture
    """The picture."""
    text: tuple[str, ...] = ()
    """A text to compare with the picture; give several."""

    def __post_init__(self) -> None:
        if isinstance(self.text, str):
            object.__setattr__(self, "text", (self.text,))
        object.__setattr__(self, "text", tuple(self.text))
        if not self.text or not all(isinstance(text, str) and text.strip() for text in self.text):
            raise ConfigError(
                f"text is {list(self.text)}; a match takes one or more texts: --text 'a dog' --text 'a car', in "
                "Python text=['a dog', 'a car']"
            )


@dataclass(frozen=True, kw_only=True)
class Score:
    text: str
    """The text, as it was given."""
    cosine: float
    """Cosine of picture and text in the shared space, -1 to 1; comparable between pictures."""
    share: float
    """Softmax among the given texts, 0 to 1; says which fits best, not whether any does."""


@dataclass(frozen=True, kw_only=True)
class Response:
    best: str
    """The text that fits best."""
    scores: tuple[Score, ...]
    """One for each text, in the order given."""


def able(model: CrossModal) -> bool:
    """Whether the model has pictures and texts in one space."""
    if not {"image", "text"} <= set(model.encoders.keys()):
        return False
    compared = {(getattr(o, "first", None), getattr(o, "second", None)) for o in model.recipe.objective.values()}
    return ("image", "text") in compared or ("text", "image") in compared


def run(
    model: CrossModal, requests: Sequence[Request], *, emit: Emit | None = None, cancelled: Cancelled | None = None
) -> list[Response]:
    """Compares pictures with texts; each text is encoded once for all requests.

    Args:
        emit, cancelled: taken as every task takes them; there is nothing to stream or stop.
    Returns:
        One Response a Request, in their order.
    Raises:
        CannotError: the model was not trained to match.
        DataError: a picture cannot be read; it is named.
    """
    return [
        _response(request.text, cosine, logit)
        for request, (cosine, logit) in zip(requests, _compared(model, requests), strict=True)
    ]


def cosines(model: CrossModal, requests: Sequence[Request]) -> list[list[float]]:
    """Of each request the cosines of its texts, as they are; raises as `run`."""
    return [cosine.tolist() for cosine, _ in _compared(model, requests)]


def _compared(model: CrossModal, requests: Sequence[Request]) -> list[tuple[Any, Any]]:
    """(T,) cosines and logits of the texts of each request."""
    model.require("match")
    texts = list(dict.fromkeys(text for request in requests for text in request.text))
    place = {text: i for i, text in enumerate(texts)}
    made: list[tuple[Any, Any]] = []
    with asking(model):
        words = [_texts(model, texts[start : start + ROWS]) for start in range(0, len(texts), ROWS)]
        for start in range(0, len(requests), ROWS):
            part = requests[start : start + ROWS]
            latent = model.latent("image", pictures(model, [request.image for request in part]).inputs["image"])
            cosine, logit = _compare(latent, words)
            for row, request in enumerate(part):
                columns = [place[text] for text in request.text]
                made.append((cosine[row, columns], logit[row, columns]))
    return made


def _texts(model: CrossModal, texts: Sequence[str]) -> Latent:
    from tuwen.types import Sample

    batch = model.batch([Sample(str(i), {"text": text}) for i, text in enumerate(texts)])
    return model.latent("text", batch.inputs["text"])


def _compare(image: Latent, words: Sequence[Latent]) -> tuple[Any, Any]:
    """Cosines and logits of all pairs, both (P, number of texts)."""
    import dataclasses

    import torch

    from tuwen.objective.contrastive import pair_logits

    bare = dataclasses.replace(image, scale=None, bias=None)
    cosine = torch.cat([pair_logits(bare, some) for some in words], 1)
    return cosine, torch.cat([pair_logits(image, some) for some in words], 1)


def _response(texts: Sequence[str], cosine: Any, logit: Any) -> Response:
    shares = logit.softmax(0).tolist()
    numbers = zip(texts, cosine.tolist(), shares, strict=True)
    scores = tuple(Score(text=text, cosine=round(c, 4), share=round(share, 4)) for text, c, share in numbers)
    return Response(best=texts[int(logit.argmax())], scores=scores)


def call(model: CrossModal, image: Any, text: Any = (), **options: Any) -> Any:
    """`model.match("a.jpg", ["a dog", "a car"])` gives a Response; of a list of pictures, a list of them."""
    return ask(sys.modules[__name__], model, image, "image", {"text": text, **options})


def show(response: Response) -> str:
    """One text a line, the best first: share, cosine, text."""
    ranked = sorted(response.scores, key=lambda score: -score.share)
    return "\n".join(f"{score.share:6.1%}  {score.cosine:+.3f}  {score.text}" for score in ranked)


__all__ = ["Request", "Response", "Score", "able", "call", "recipe_hint", "run", "several", "show"]
