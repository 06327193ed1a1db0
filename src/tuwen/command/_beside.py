"""Another system on the same rows: differences of figures, with intervals from samples that take the same rows of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuwen.errors import DataError

if TYPE_CHECKING:
    from tuwen.command._extra import Extra, Pictures
    from tuwen.evaluation import Evaluation
    from tuwen.judge._rates import Rates, Weighted


@dataclass(frozen=True, kw_only=True)
class Beside:
    """How much better or worse the other system is."""

    name: str
    """What it was called."""
    figures: dict[str, float] = field(default_factory=dict)
    """The other system's own."""
    differences: dict[str, float] = field(default_factory=dict)
    """Figure -> ours - theirs."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Figure -> 95 % interval of the difference, by paired bootstrap; without 0 in it, these rows are enough to show it."""


def beside(name: str, ours: Sequence[Rates | Weighted], theirs: Sequence[Rates | Weighted]) -> Beside:
    """The two compared, figure by figure.

    Args:
        name: of the other system.
        ours, theirs: what the figures of each come from, on the same rows in the same order.
    """
    from tuwen.judge._rates import paired

    found = Beside(name=name)
    for other in theirs:
        found.figures.update(other.figures)
        for own in ours:
            if (pair := paired(own, other)) is not None:
                found.differences.update(pair.figures)
                found.intervals.update(pair.intervals())
    return found


def captions_rates(rows: Sequence[Mapping[str, Any]], extra: Extra, pictures: Pictures) -> list[Rates]:
    """What figures of captions come from: those that every evaluation gives, and the metrics that were asked for."""
    from tuwen.judge.captions import caption_rates

    told = [row for row in rows if any(text.strip() for text in row["references"])]
    always = [caption_rates([row["caption"] for row in told], [row["references"] for row in told])] if told else []
    return [*always, *(extra.rates(name, rows, pictures) for name in extra.names)]


def against_captions(path: str, found: Evaluation, extra: Extra, pictures: Pictures) -> Beside:
    """Compares with the captions in a file: a report of `tuwen evaluate -o`, or COCO results.

    Raises:
        DataError: it cannot be read, or lacks a caption of a row.
    """
    said = read_captions(path)
    rows = [row for row in found.rows if "caption" in row]
    if lacking := [row["key"] for row in rows if row["key"] not in said]:
        raise DataError(
            f"{path} has no caption for {len(lacking)} of {len(rows)} rows, such as {', '.join(lacking[:3])}; a comparison "
            "takes the same rows of both: evaluate the other system on the same part of the data."
        )
    theirs = [{**row, "caption": said[row["key"]]} for row in rows]
    return beside(path, captions_rates(rows, extra, pictures), captions_rates(theirs, extra, pictures))


def read_captions(path: str) -> dict[str, str]:
    """Key -> caption. Errors: as `against_captions`."""
    from tuwen.command._coco import read_results

    try:
        raw = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError):
        raw = None  # read_results says what is wrong
    if isinstance(raw, dict) and isinstance(raw.get("rows"), list):
        return {row["key"]: row["caption"] for row in raw["rows"] if "caption" in row}
    return {str(key): text for key, text in read_results(path).items()}
