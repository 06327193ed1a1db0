"""Pictures that the model made, beside those that they should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuwen.report._html import Html, number, tag
from tuwen.report._look import Look
from tuwen.report.examples import examples
from tuwen.report.pictures import card, tile

if TYPE_CHECKING:
    from tuwen.model import CrossModal
    from tuwen.types import Route

TITLE = "Reconstructions"


def section(look: Look) -> Html:
    """The best, the worst and some; empty where the model makes no pictures."""
    names = list(dict.fromkeys(name for row in look.found.rows for name in row if name.endswith("mse")))
    if look.model is None or not names:
        return Html()
    first = "mse" if "mse" in names else names[0]
    rows = [row for row in look.rows(first) if row["key"] in look.by_key]

    def show(row: Mapping[str, Any], score: float) -> Html:
        errors = ", ".join(f"{name} {number(row[name])}" for name in names if name in row)
        return card(tag("div", *_made(look, row["key"]), class_="pair"), score=errors, key=row["key"])

    about = "mean squared error of the pixels"
    return examples(rows, [-float(row[first]) for row in rows], show, about=about)


def _routes(model: CrossModal) -> dict[str, Route]:
    """Routes that make whole pictures."""
    pixelwise = {name for name, part in model.decoders.items() if getattr(part, "pixelwise", False)}
    return {name: route for name, route in model.routes.items() if route.make in pixelwise}


def _made(look: Look, key: str) -> list[Html]:
    """What a row should be, and what each route makes of it."""
    from tuwen.task._asking import asking

    model = look.model
    assert model is not None
    routes = _routes(model)
    with asking(model):
        made = model(model.batch([look.by_key[key]], targets=True), routes)
    found: list[Html] = []
    for name, decoded in made.routes.items():
        decoder: Any = model.decoders[str(routes[name].make)]
        target, prediction = (decoder.pictures(of[:1])[0] for of in (decoded.target, decoded.prediction))
        given = " and ".join(routes[name].given)
        if not found:
            found.append(tile(target, "as it is", f"Picture of row {key}"))
        found.append(tile(prediction, f"from {given}", f"Picture of row {key}, made from its {given}"))
    return found
