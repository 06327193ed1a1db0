"""Which rows to show: the best, the worst, and some that nobody chose."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuwen.report._html import Html, join, tag
from tuwen.report.page import note

SHOWN = 6
"""Rows of each kind."""

Row = Mapping[str, Any]


def pick(scores: Sequence[float], *, num: int = SHOWN, seed: int = 0) -> dict[str, list[int]]:
    """Best, worst, random -> numbers of rows; no row stands twice, and few rows are shared out.

    Args:
        scores: one a row; higher is better. Rows of the same score keep their order.
    Example:
        >>> pick([0.1, 0.9, 0.5, 0.4], num=1)
        {'best': [1], 'worst': [0], 'random': [3]}
    """
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    some = min(num, -(-len(order) // 3))
    best, left = order[:some], order[some:]
    worst, left = left[max(0, len(left) - some) :], left[: max(0, len(left) - some)]
    return {
        "best": best,
        "worst": worst[::-1],
        "random": sorted(random.Random(seed).sample(left, min(some, len(left)))),
    }


def examples(
    rows: Sequence[Row],
    scores: Sequence[float],
    show: Callable[[Row, float], Html],
    *,
    about: str,
    num: int = SHOWN,
) -> Html:
    """Cards of the picked rows under their headings; empty where there are no rows.

    Args:
        scores: one a row; higher is better.
        show: makes the card of a row.
        about: by what they were ordered.
    """
    if not rows:
        return Html()
    titles = {"best": "Best", "worst": "Worst", "random": "Picked at random"}
    parts = []
    for name, picked in pick(scores, num=num).items():
        cards = [show(rows[i], scores[i]) for i in picked]
        parts += [tag("h3", titles[name]), tag("div", *cards, class_="cards")] if cards else []
    return join([note(f"{len(rows)} rows, ordered by {about}."), *parts])
