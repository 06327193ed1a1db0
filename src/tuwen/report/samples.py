"""Drawn pictures beside their texts, the real pictures of these, and the nearest training pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuwen.report._html import Html, join, tag
from tuwen.report._look import Look, words
from tuwen.report.examples import pick
from tuwen.report.page import note
from tuwen.report.pictures import SIDE, card, tile

if TYPE_CHECKING:
    from tuwen.model import CrossModal

TITLE = "Drawn pictures"
SHOWN = 12
"""Rows that are shown where drawn pictures were not compared with real ones."""


def section(look: Look) -> Html:
    """Those nearest to the training part, and some; the first rows where nothing was compared; empty where the model does not
    draw."""
    rows = [row for row in look.rows("sample") if row["key"] in look.by_key]
    if look.model is None or (not rows and look.rows("drawn")):
        return Html()
    if not rows:
        return _first(look, look.model)

    picked = {"": list(range(min(SHOWN, len(rows))))}
    if all("nearer" in row["sample"] for row in rows):
        some = pick([row["sample"]["nearer"] for row in rows])
        picked = {
            "Nearest to the training part: copies would be here": some["worst"],
            "Picked at random": some["random"],
        }
    parts = []
    for name, numbers in picked.items():
        cards = [_card(look, rows[i]["key"], rows[i]["sample"]) for i in numbers]
        parts += [tag("h3", name) if name else None, tag("div", *cards, class_="cards") if cards else None]
    return join(parts)


def _first(look: Look, model: CrossModal) -> Html:
    """Pictures that are drawn for the page, of the texts of the first rows."""
    from tuwen.judge._drawn import drawable, request

    if not (rows := drawable(model, look.samples[: 4 * SHOWN])[:SHOWN]):
        return Html()
    asked = [request(model, row) for row in rows]
    cards = [_card(look, row.key, {"text": one.text, "seed": one.seed}) for row, one in zip(rows, asked, strict=True)]
    about = f"Of the first {len(rows)} rows. `--features NETWORK` compares drawn pictures with real ones."
    return join([note(about), tag("div", *cards, class_="cards")])


def _card(look: Look, key: str, said: Mapping[str, Any]) -> Html:
    from tuwen.data._picture import open_picture

    text, made = said["text"], look.drawn(key, said)
    shown = [tile(made, "drawn", f"Drawn for row {key}: {text}")]
    raw = look.by_key[key].fields.get("image")
    if raw is not None and text:
        shown.append(tile(open_picture(raw, side=SIDE), "what it describes", f"Picture of row {key}"))
    known = look.learned_by_key.get(said.get("nearest", ""))
    if known is not None:
        near = open_picture(known.fields["image"], side=SIDE)
        shown.append(tile(near, "nearest training picture", f"Picture of training row {known.key}"))
    return card(tag("div", *shown, class_="pair"), said=words(text), score=_verdict(said), key=key)


def _verdict(said: Mapping[str, Any]) -> str:
    found = []
    if "nearer" in said:
        found.append(f"{100 * said['nearer']:.0f} % of the real pictures are nearer to a training picture")
    if "fits" in said:
        found.append("fits its text best" if said["fits"] >= 1 else "fits another text as well or better")
    return "; ".join(found)
