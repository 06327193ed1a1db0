"""Line charts as SVG, and the curves of a training run from its log.jsonl."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuwen.report._html import Html, join, number, tag
from tuwen.report.page import folded, note
from tuwen.report.pictures import card, tile

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 30
"""Pixels around the plot for ticks and labels."""
POINTS = 300
"""Most points of a drawn line; more are averaged in groups."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points that belong together."""

    name: str
    points: Sequence[tuple[float, float]]
    """(x, y), x ascending; those that are not finite are left out."""
    dots: bool = False
    """Each point is marked."""


def chart(
    title: str, lines: Sequence[Line], *, x: str = "step", level: float | None = None, square: bool = False
) -> Html:
    """A line chart with a legend.

    Args:
        title: stands above it, and is read aloud with the first and last value of each line.
        x: what the horizontal axis counts.
        level: height of a dashed line: what chance gives.
        square: both axes go from 0 to 1.
    Returns:
        A figure; empty where no line has a point.
    """
    kept = [Line(name=one.name, points=_thinned(one.points), dots=one.dots) for one in lines]
    kept = [one for one in kept if one.points]
    if not kept:
        return Html()
    xs = [point[0] for one in kept for point in one.points]
    ys = [point[1] for one in kept for point in one.points] + ([] if level is None else [level])
    box = (0.0, 1.0, 0.0, 1.0) if square else (min(xs), max(xs), *_around(min(ys), max(ys)))
    drawn = [_grid(box, x), *(_drawn(one, i, box) for i, one in enumerate(kept))]
    if level is not None:
        y = _place(box, box[0], level)[1]
        drawn.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="chance"))
    said = "; ".join(f"{o.name} from {number(o.points[0][1])} to {number(o.points[-1][1])}" for o in kept)
    picture = tag("svg", *drawn, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=f"{title}: {said}")
    names = [tag("span", tag("i", class_=f"b{i % 4}"), one.name) for i, one in enumerate(kept)]
    if level is not None:
        names.append(tag("span", f"- - chance {number(level)}"))
    return tag("figure", tag("h3", title), picture, tag("div", *names, class_="legend"))


def training_curves(log: Path, chance: Mapping[str, float] | None = None) -> Html:
    """Every term of the loss over the steps, and every figure of the evaluations; empty without a log.

    Args:
        log: the log.jsonl of a model directory; half a line at its end is passed over.
        chance: figure -> what chance gives.
    """
    steps = [event for event in events(log) if event["kind"] == "step"]
    looks = [event for event in events(log) if event["kind"] == "evaluation"]
    ends = {name: value for event in steps for name, value in event.items() if name not in _NO_TERM}
    terms = [name for name, value in ends.items() if isinstance(value, float)]
    terms = ["loss"] if len(terms) == 2 and "loss" in terms else terms  # a single term is the loss
    figures = dict.fromkeys(name for event in looks for name in event["figures"])
    level = chance or {}
    learned = [
        chart(name, [_steps(steps, name), _looks(looks, name)], level=level.get(name))
        for name in sorted(terms, key=lambda name: name != "loss")
    ]
    others = [name for name in figures if name not in ends and not name.startswith("num_")]
    seen = [chart(name, [_looks(looks, name)], level=level.get(name)) for name in others if len(looks) > 1]
    drawn = _sheets(log.parent, [event for event in looks if "drawn" in event])
    if not any(learned) and not any(seen) and not drawn:
        return Html()
    words = note("Training is measured on the batch of a step; validation on rows that are not trained on.")
    every = folded("Every figure of the validation part", _together(seen))
    return join([words, _together([*learned, chart("learning rate", [_steps(steps, "lr")])]), every, drawn])


SHEETS = 6
"""Evaluations of which it is shown what the model drew."""


def _sheets(folder: Path, looks: Sequence[Mapping[str, Any]]) -> Html:
    """What the model drew of the same texts as it learned, at some evaluations from the first to the last."""
    from PIL import Image

    there = [(event["step"], folder / event["drawn"]) for event in looks if (folder / event["drawn"]).is_file()]
    last = len(there) - 1
    some = sorted({round(i * last / (SHEETS - 1)) for i in range(SHEETS)}) if there else []
    cards, texts = [], list[str]()
    for step, path in (there[i] for i in some):
        with Image.open(path) as sheet:
            texts = json.loads(sheet.info.get("texts", "[]"))
            pixels = np.asarray(sheet.convert("RGB"))
        cards.append(card(tile(pixels, f"step {step}", f"Drawn at step {step}"), key=path.name))
    if not cards:
        return Html()
    told = [tag("li", text) for text in texts if text]
    words = "The same noise every time" + (", for these texts, row by row:" if told else ".")
    shown = tag("div", *cards, class_="cards small")
    return join([tag("h3", "What it drew on the way"), note(words), tag("ol", *told) if told else None, shown])


_NO_TERM = ("kind", "step", "steps", "lr", "rows_per_s", "left_s", "memory_mb")
"""Fields of a step that are no term of the loss."""


def events(log: Path) -> list[dict[str, Any]]:
    """The events of a training run; none without a log, and none for half a line at its end."""
    found = []
    for line in log.read_text("utf-8", errors="replace").split("\n") if log.is_file() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def _steps(events: Sequence[Mapping[str, Any]], name: str) -> Line:
    return Line(name="training", points=[(event["step"], event[name]) for event in events if name in event])


def _looks(events: Sequence[Mapping[str, Any]], name: str) -> Line:
    points = [(event["step"], event["figures"][name]) for event in events if name in event["figures"]]
    return Line(name="validation", points=points, dots=True)


def _together(charts: Sequence[Html]) -> Html:
    return tag("div", *charts, class_="grid") if any(charts) else Html()


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Finite points, at most `POINTS`: the means of neighbours."""
    kept = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    size = -(-len(kept) // POINTS)
    groups = [kept[start : start + size] for start in range(0, len(kept), max(1, size))]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _around(low: float, high: float) -> tuple[float, float]:
    """The range with a little air; never empty."""
    air = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return low - air, high + air


def _place(box: tuple[float, float, float, float], x: float, y: float) -> tuple[float, float]:
    """A point of the data in pixels."""
    x_low, x_high, y_low, y_high = box
    across = (x - x_low) / ((x_high - x_low) or 1.0)
    up = (y - y_low) / ((y_high - y_low) or 1.0)
    return (
        round(LEFT + across * (WIDTH - LEFT - RIGHT), 1),
        round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1),
    )


def _drawn(line: Line, index: int, box: tuple[float, float, float, float]) -> Html:
    places = [_place(box, *point) for point in line.points]
    path = tag("polyline", points=" ".join(f"{x},{y}" for x, y in places), class_=f"line c{index % 4}")
    dots = [tag("circle", cx=x, cy=y, r=2.8, class_=f"f{index % 4}") for x, y in places] if line.dots else []
    return join([path, *dots])


def _grid(box: tuple[float, float, float, float], x_name: str) -> Html:
    """Lines at round numbers, with these."""
    parts = []
    for value in ticks(box[2], box[3]):
        y = _place(box, box[0], value)[1]
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="axis"))
        parts.append(tag("text", f"{value:g}", x=LEFT - 6, y=y + 3.5, text_anchor="end"))
    for value in ticks(box[0], box[1]):
        x = _place(box, value, box[2])[0]
        parts.append(tag("text", f"{value:g}", x=x, y=HEIGHT - BOTTOM + 14, text_anchor="middle"))
    parts.append(tag("text", x_name, x=WIDTH - RIGHT, y=HEIGHT - 3, text_anchor="end"))
    return join(parts)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two others, at most `most` of them.

    Example:
        >>> ticks(0.0, 1.0), ticks(13, 1180)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [500.0, 1000.0])
    """
    rough = (high - low) / (most - 1)
    if not math.isfinite(rough) or rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, math.floor(high / step + 1e-9) + 1)]
