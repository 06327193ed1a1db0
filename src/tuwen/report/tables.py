"""Tables: figures with their intervals beside what chance gives, and coloured grids of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuwen.report._html import Html, join, number, tag

Interval = tuple[float, float]


def figures_table(figures: Mapping[str, float], intervals: Mapping[str, Interval], chance: Mapping[str, float]) -> Html:
    """Figure, value, 95 % interval, chance; and a bar for those that lie between 0 and 1.

    Returns:
        A table, empty where there are no figures.
    """
    if not figures:
        return Html()
    rows = [_row(name, value, intervals.get(name), chance.get(name)) for name, value in figures.items()]
    numeric = [tag("th", name, class_="number", scope="col") for name in ("value", "95 % interval", "chance")]
    head = tag("thead", tag("tr", tag("th", "figure", scope="col"), *numeric, tag("th", "0 to 1", scope="col")))
    return tag("div", tag("table", head, tag("tbody", *rows)), class_="wide")


def _row(name: str, value: float, interval: Interval | None, chance: float | None) -> Html:
    between = f"{number(interval[0])} to {number(interval[1])}" if interval else ""
    cells = (number(value), between, "" if chance is None else number(chance))
    numbers = [tag("td", cell, class_="number") for cell in cells]
    return tag("tr", tag("th", name, scope="row"), *numbers, tag("td", _bar(value, interval, chance)))


def _bar(value: float, interval: Interval | None, chance: float | None) -> Html:
    """The interval as a bar, the value as a dot, chance as a stroke; empty where something lies outside 0 to 1."""
    there = [value, *(interval or ()), *(() if chance is None else (chance,))]
    if len(there) < 2 or not all(0 <= one <= 1 for one in there):
        return Html()

    def x(share: float) -> str:
        return f"{5 + 110 * share:.1f}"

    parts = [tag("line", x1=5, x2=115, y1=8, y2=8, class_="axis")]
    if interval:
        parts.append(tag("line", x1=x(interval[0]), x2=x(interval[1]), y1=8, y2=8, class_="bar c0", stroke_opacity=0.4))
    if chance is not None:
        parts.append(tag("line", x1=x(chance), x2=x(chance), y1=2, y2=14, class_="c1", stroke_width=2))
    parts.append(tag("circle", cx=x(value), cy=8, r=3.2, class_="f0"))
    return tag("svg", *parts, viewBox="0 0 120 16", width=120, height=16, aria_hidden="true")


def heat(
    values: Sequence[Sequence[float]],
    rows: Sequence[Html | str],
    columns: Sequence[Html | str],
    *,
    own: Sequence[Sequence[int]] = (),
    digits: int = 2,
) -> Html:
    """A table whose cells are the darker, the higher their number.

    Args:
        values: (R, C).
        rows, columns: what stands beside and above; R and C of them.
        own: for each row, the columns that belong to it; they get a frame. The highest of a row is bold.
        digits: after the point.
    """
    flat = [value for row in values for value in row]
    low, high = min(flat, default=0.0), max(flat, default=1.0)
    head = tag("thead", tag("tr", tag("td"), *(tag("th", column, scope="col") for column in columns)))
    body = []
    for i, (name, row) in enumerate(zip(rows, values, strict=True)):
        best = max(row, default=0.0)
        mine = own[i] if own else ()
        cells = []
        for j, value in enumerate(row):
            share = (value - low) / (high - low) if high > low else 0.0
            marks = " ".join(name for name, on in (("own", j in mine), ("best", value == best)) if on)
            style = f"background: color-mix(in srgb, var(--heat) {90 * share:.0f}%, var(--panel))"
            style += "; color: #fff" if share > 0.8 else ""
            cells.append(tag("td", f"{round(value, digits) + 0.0:.{digits}f}", class_=marks or None, style=style))
        body.append(tag("tr", tag("th", name, scope="row"), *cells))
    return tag("div", tag("table", head, tag("tbody", join(body)), class_="heat"), class_="wide")
