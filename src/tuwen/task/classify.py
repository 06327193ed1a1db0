"""Names what a picture shows: classes that the model was trained on, or labels that you give.

Example:
    tuwen classify MODEL photo.jpg
    tuwen classify MODEL photos/ --label cat --label dog -o classes.csv
    tuwen classify MODEL,ANOTHER photo.jpg --label cat --label dog
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError, ConfigError
from tuwen.task._asking import Cancelled, Emit, alike, ask, asking, at_least, pictures
from tuwen.task._zero_shot import TEMPLATES, check_templates, class_latent, shares
from tuwen.task.match import able as can_match
from tuwen.types import Picture, Route

if TYPE_CHECKING:
    from tuwen.model import CrossModal
    from tuwen.types import Latent

recipe_hint = "classifier"
several = "match"
"""What several models do as one (`tuwen.matchers`)."""


@dataclass(frozen=True, kw_only=True)
class Request:
    image: Picture
    """The picture."""
    label: tuple[str, ...] = ()
    """A label to choose from; give several. None: the classes that the model was trained on."""
    template: tuple[str, ...] = TEMPLATES
    """A text with {} in place of a label that is given; of several the mean counts."""
    top: int = 5
    """How many of the likeliest classes to give, 1 or more."""
    field: str = ""
    """What to name, where the model was trained on several label fields; empty: the first."""

    def __post_init__(self) -> None:
        for name in ("label", "template"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        at_least(1, top=self.top)
        if self.template != TEMPLATES and not self.label:
            raise ConfigError(
                "template has no effect without labels to put into it; add label, two or more, or leave it out"
            )
        if self.field and self.label:
            raise ConfigError(
                f"field {self.field!r} has no effect beside label, which says itself what to choose from; leave one out"
            )
        check_templates(self.template)
        if not all(isinstance(label, str) and label.strip() for label in self.label) or len(self.label) == 1:
            raise ConfigError(
                f"label is {list(self.label)}; give two or more to choose from: --label cat --label dog, in Python "
                "labels=['cat', 'dog']; or none, for the classes that the model was trained on"
            )


@dataclass(frozen=True, kw_only=True)
class Class:
    label: str
    """Name of the class, or the label as it was given."""
    probability: float
    """0 to 1. They sum to 1 over all classes; where a picture may have several labels each stands for itself."""


@dataclass(frozen=True, kw_only=True)
class Response:
    label: str
    """The likeliest."""
    probability: float
    """Its probability, 0 to 1."""
    classes: tuple[Class, ...]
    """The likeliest classes, the best first."""


def routes_of(model: CrossModal) -> dict[str, tuple[str, Route]]:
    """Label field -> name and route of what makes it from a picture alone."""
    labels = {field for field, part in model.decoders.items() if getattr(part, "modality", "") == "label"}
    found: dict[str, tuple[str, Route]] = {}
    for name, route in model.routes.items():
        if route.make in labels and route.given == ("image",):
            found[route.make] = name, route
        elif route.make in labels and "image" in route.given and route.fuse:
            found.setdefault(route.make, (name, route))
    return found


def able(model: CrossModal) -> bool:
    """Whether the model was trained on labels of pictures, or can compare pictures with the texts of labels."""
    return "image" in model.encoders and (bool(routes_of(model)) or can_match(model))


def run(
    model: CrossModal, requests: Sequence[Request], *, emit: Emit | None = None, cancelled: Cancelled | None = None
) -> list[Response]:
    """Names classes, in batches.

    Args:
        emit, cancelled: taken as every task takes them; there is nothing to stream or stop.
    Returns:
        One Response a Request, in their order.
    Raises:
        CannotError: the model was trained on no labels, and cannot match, or labels are given and it cannot match.
        ConfigError: the model can only choose from labels, and none are given; or it has no such field.
        DataError: a picture cannot be read; it is named.
    """
    model.require("classify")
    made: dict[int, Response] = {}
    with asking(model):
        for numbers, part in alike(requests, "image"):
            first, images = part[0], [request.image for request in part]
            names, probability_PK = _given(model, first, images) if first.label else _trained(model, first, images)
            rows = (_response(names, row_K, first.top) for row_K in probability_PK)
            made.update(zip(numbers, rows, strict=True))
    return [made[number] for number in range(len(requests))]


def _given(model: CrossModal, request: Request, images: Sequence[Any]) -> tuple[Sequence[str], Any]:
    """Labels that stand in the request, by their texts."""
    if not can_match(model):
        raise CannotError(
            "this model compares no texts with pictures, so it cannot choose from labels that are given; leave them "
            "out to get the classes that it was trained on, or train one that matches: `tuwen train DATA -r coca`"
        )
    return request.label, shares(_image(model, images)[0], class_latent(model, request.label, request.template))


def _trained(model: CrossModal, request: Request, images: Sequence[Any]) -> tuple[Sequence[str], Any]:
    """Classes that the model was trained on."""
    routes = routes_of(model)
    if not routes:
        raise ConfigError(
            "this model was trained on no labels; say which to choose from: --label cat --label dog, in Python "
            "labels=['cat', 'dog']"
        )
    field = request.field or next(iter(routes))
    if field not in routes:
        raise ConfigError(f"field is {field!r}; this model names: {', '.join(routes)}.")
    latent, rows = _image(model, images)
    fuse, decoder = routes[field][1].fuse, model.decoders[field]
    made: Any = model.fusions[fuse]({"image": latent}, rows) if fuse else latent
    return decoder.classes, decoder.make(made)  # type: ignore[operator,return-value]


def _image(model: CrossModal, images: Sequence[Any]) -> tuple[Latent, int]:
    batch = pictures(model, images)
    return model.latent("image", batch.inputs["image"]), len(batch)


def _response(names: Sequence[str], probability_K: Any, top: int) -> Response:
    best = probability_K.topk(min(top, len(names)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    classes = tuple(Class(label=names[k], probability=round(value, 4)) for k, value in pairs)
    return Response(label=classes[0].label, probability=classes[0].probability, classes=classes)


def call(
    model: CrossModal, image: Any, label: Sequence[str] = (), *, labels: Sequence[str] = (), **options: Any
) -> Any:
    """`model.classify("a.jpg")` gives a Response; of a list of pictures, a list of them; `labels=[...]` to choose from.

    Args:
        label, labels: two names for the same.
    """
    return ask(sys.modules[__name__], model, image, "image", {"label": labels or label, **options})


def show(response: Response) -> str:
    """One class a line, the best first: probability, label."""
    return "\n".join(f"{one.probability:6.1%}  {one.label}" for one in response.classes)


__all__ = ["Class", "Request", "Response", "able", "call", "recipe_hint", "routes_of", "run", "several", "show"]
