"""Labels: which are taken for which, whether the model is as sure as it should be, and the pictures behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tuwen.report._html import Html, join, number, tag
from tuwen.report._look import Look, first_text, words
from tuwen.report.curves import Line, chart
from tuwen.report.examples import examples
from tuwen.report.page import folded, note
from tuwen.report.pictures import card
from tuwen.report.tables import heat

TITLE = "Labels"
CLASSES = 20
"""Most classes of the confusion matrix: the commonest."""
BINS = 10
"""Steps of the reliability diagram."""

Row = Mapping[str, Any]


def section(look: Look) -> Html:
    """What is made of each route that names labels, and of labels that are found by their texts; empty without any."""
    ends = [name for row in look.found.rows for name in row if name.endswith("named")]
    return join(_of(look, before.removesuffix("named")) for before in dict.fromkeys(ends))


def _of(look: Look, before: str) -> Html:
    """Confusion matrix, reliability diagram, figures of each class and examples; `before` stands before their names."""
    rows = _rows(look, before)
    one_each = [row for row in rows if isinstance(row["label"], str)]
    parts = [tag("h3", before.strip("_").replace("_", " "))] if before else []
    parts += [confusion(one_each), reliability(one_each)] if one_each else []
    parts.append(folded("Figures of each class", _classes(look.found.tables.get(f"{before}classes", ()))))
    scores = [_score(row) for row in rows]
    about = "whether the model is right and how sure it is: the worst are surely wrong"
    return join([*parts, examples(rows, scores, lambda row, score: _card(look, row), about=about)])


def _rows(look: Look, before: str) -> list[dict[str, Any]]:
    """key, label, named, probability of the rows that have them."""
    found = []
    for row in look.rows(f"{before}named"):
        label = row.get(f"{before}label", row.get("label"))
        named, probability = row[f"{before}named"], row.get(f"{before}probability")
        found.append({"key": row["key"], "label": label, "named": named, "probability": probability})
    return found


def _score(row: Row) -> float:
    """1 for a sure hit, -1 for a sure mistake; of several labels the share of them that both sides name."""
    if not isinstance(row["label"], str):
        both, either = set(row["label"]) & set(row["named"]), set(row["label"]) | set(row["named"])
        return len(both) / len(either) if either else 1.0
    sure = 1.0 if row["probability"] is None else float(row["probability"])
    return sure if row["named"] == row["label"] else -sure


def _card(look: Look, row: Row) -> Html:
    right = set(_several(row["named"])) == set(_several(row["label"]))
    named, label = ", ".join(_several(row["named"])) or "nothing", ", ".join(_several(row["label"])) or "nothing"
    sample = look.by_key.get(row["key"])
    alt = f"Picture of row {row['key']}, taken for {named}, labelled {label}"
    text = "" if sample is None else first_text(sample.fields.get("text"))
    shown = look.picture(row["key"], alt) or tag("p", words(text))
    sure = "" if row["probability"] is None else f"probability {number(row['probability'])}"
    said = tag("span", named, class_="good" if right else "bad")
    return card(shown, said=said, score=sure, more=() if right else (f"it is {label}",), key=row["key"])


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def confusion(rows: Sequence[Row]) -> Html:
    """Share of the rows of each label (beside) that are taken for each (above)."""
    counts = Counter((row["label"], row["named"]) for row in rows)
    of = Counter(row["label"] for row in rows)
    names = sorted(name for name, _ in of.most_common(CLASSES))
    values = [[counts[name, named] / of[name] for named in names] for name in names]
    about = "Beside: the label; above: what it is taken for; cells: the share of the label's rows."
    about += f" The {len(names)} commonest of {len(of)} labels." if len(names) < len(of) else ""
    sides = [f"{name} ({of[name]})" for name in names]
    own = [[i] for i in range(len(names))]
    return join([tag("h3", "Which is taken for which"), note(about), heat(values, sides, names, own=own)])


def reliability(rows: Sequence[Row]) -> Html:
    """How often the model is right when it gives what it names a probability: on the diagonal it is as sure as it should be.

    Source:
        Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row in rows:
        sure = float(row["probability"])
        bins.setdefault(min(BINS - 1, int(sure * BINS)), []).append((sure, row["named"] == row["label"]))
    if not bins:
        return Html()
    points = []
    for _, members in sorted(bins.items()):
        said, right = (sum(one[k] for one in members) / len(members) for k in (0, 1))
        points.append((said, right))
    lines = [Line(name="this model", points=points, dots=True), Line(name="ideal", points=[(0.0, 0.0), (1.0, 1.0)])]
    drawn = chart("Share of right ones by probability", lines, x="probability", square=True)
    return tag("div", drawn, class_="grid")


def _classes(table: Sequence[Row]) -> Html:
    """Figures of each class, as the judge of labels makes them."""
    if not table:
        return Html()
    names = ("num", "precision", "recall", "f1", "average_precision")
    head = tag("tr", tag("th", "label"), *(tag("th", name.replace("_", " "), class_="number") for name in names))
    body = []
    for row in table:
        values = [row.get(name) for name in names]
        cells = [tag("td", "" if value is None else number(value), class_="number") for value in values]
        body.append(tag("tr", tag("th", row["label"], scope="row"), *cells))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide")
