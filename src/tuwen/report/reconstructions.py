"""Pictures that the model made, beside those that they should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tuwen.report._html import Html, number, tag
from tuwen.report._look import Look
from tuwen.report.examples import examples
from tuwen.report.pictures import address, card

if TYPE_CHECKING:
    from tuwen.model import CrossModal
    from tuwen.types import Route

TITLE = "Reconstructions"
SIDE = 112
"""Pixels that smaller pictures are enlarged to, about."""


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
    return {name: route for name, route in model.recipe.routes.items() if route.make in pixelwise}


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
            found.append(_picture(target, "as it is", f"Picture of row {key}"))
        found.append(_picture(prediction, f"from {given}", f"Picture of row {key}, made from its {given}"))
    return found


def _picture(pixels_HWC: np.ndarray, under: str, alt: str) -> Html:
    """(H, W, 1 or 3) uint8, enlarged where it is small, over a word."""
    times = max(1, SIDE // pixels_HWC.shape[0])
    whole_HWC = np.broadcast_to(pixels_HWC, (*pixels_HWC.shape[:2], 3)).repeat(times, 0).repeat(times, 1)
    return tag(
        "div", tag("img", src=address(np.ascontiguousarray(whole_HWC)), alt=alt), tag("div", under, class_="score")
    )
