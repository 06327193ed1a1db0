"""Pictures drawn from the descriptions of rows, beside the pictures that these describe, with what is right in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuwen.report._html import Html, join, tag
from tuwen.report._look import Look, words
from tuwen.report.examples import examples
from tuwen.report.page import note
from tuwen.report.pictures import SIDE, card, tile

TITLE = "Drawn from descriptions"

_TRAITS = 5
"""What is said of a thing: shape, colour, size, fill, place."""


def section(look: Look) -> Html:
    """The best, the worst and some; empty where nothing was drawn."""
    rows = [row for row in look.rows("drawn") if row["key"] in look.by_key]
    if look.model is None or not rows:
        return Html()

    def show(row: Mapping[str, Any], score: float) -> Html:
        return _card(look, row["key"], row["drawn"])

    about = "the share of what the text says that the picture shows; what nobody asked for counts against it"
    cards = examples(rows, [_score(row["drawn"]) for row in rows], show, about=about)
    return join([_table(look.found.tables.get("prompt_truth", [])), cards])


def _table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Kinds of texts, and the shares of what they say that is so; empty without rows."""
    if not rows:
        return Html()
    columns = [name for name in rows[0] if name not in ("text", "num")]
    heads = [tag("th", name.replace("_", " "), class_="number", scope="col") for name in ("texts", *columns)]
    head = tag("thead", tag("tr", tag("th", "texts of", scope="col"), *heads))
    body = []
    for row in rows:
        shares = ["" if row[name] is None else f"{100 * row[name]:.0f} %" for name in columns]
        cells = [tag("td", cell, class_="number") for cell in (row["num"], *shares)]
        body.append(tag("tr", tag("th", row["text"], scope="row"), *cells))
    about = "Share of the texts that are drawn exactly, of what they say of each kind that is so, and of the pictures that show "
    about += "nothing else. An unseen pair: a thing whose shape and colour never occur together in training."
    return join([note(about), tag("div", tag("table", head, tag("tbody", *body)), class_="wide")])


def _card(look: Look, key: str, drawn: Mapping[str, Any]) -> Html:
    from tuwen.data._picture import open_picture

    text, raw, made = drawn["text"], look.by_key[key].fields.get("image"), look.drawn(key, drawn)
    pair = [tile(made, "drawn from the text", f"Drawn for row {key}: {text}")]
    if raw is not None:
        pair.append(tile(open_picture(raw, side=SIDE), "what it describes", f"Picture of row {key}"))
    return card(tag("div", *pair, class_="pair"), said=words(text), score=verdict(drawn), key=key)


def verdict(drawn: Mapping[str, Any]) -> Html:
    """What is right, wrong, missing and too much in a picture, as the judge of drawings tells it."""
    if drawn["exact"]:
        return tag("span", "all as it is said, and nothing else", class_="good")
    count = f"{len(drawn['right'])} of {_asked(drawn)} right"
    faults = {"wrong": list(map(_fault, drawn["wrong"])), "missing": drawn["missing"], "not asked for": drawn["extra"]}
    said = [f"{name}: {', '.join(found)}" for name, found in faults.items() if found]
    return tag("span", "; ".join([count, *said]), class_="bad")


def _fault(statement: str) -> str:
    """A statement that the picture does not keep, in words.

    Example:
        >>> _fault("place: red circle top left"), _fault("relation: red circle above blue star")
        ('place of the red circle', 'red circle above blue star')
    """
    kind, _, rest = statement.partition(": ")
    return rest if kind == "relation" else f"{kind} of the {' '.join(rest.split()[:2])}"


def _asked(drawn: Mapping[str, Any]) -> int:
    return len(drawn["right"]) + len(drawn["wrong"]) + _TRAITS * len(drawn["missing"])


def _score(drawn: Mapping[str, Any]) -> float:
    return len(drawn["right"]) / (_asked(drawn) + len(drawn["extra"]) or 1)
