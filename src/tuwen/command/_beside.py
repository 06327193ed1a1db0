"""Captions of another system on the same rows, from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tuwen.errors import DataError

if TYPE_CHECKING:
    from tuwen.command._extra import Extra, Pictures
    from tuwen.evaluation import Evaluation


def captions_of(path: str, found: Evaluation, extra: Extra, pictures: Pictures) -> Evaluation:
    """What the captions in a file are worth on the rows of an evaluation.

    Args:
        path: a report of `tuwen evaluate -o`, or COCO results.
        extra: metrics besides those that every evaluation of captions gives.
    Raises:
        DataError: it cannot be read, or lacks a caption of a row.
    """
    from tuwen.evaluation import Evaluation
    from tuwen.judge.captions import caption_rates
    from tuwen.metric._captions import with_references

    said = read_captions(path)
    rows = [row for row in found.rows if "caption" in row]
    if lacking := [row["key"] for row in rows if row["key"] not in said]:
        raise DataError(
            f"{path} has no caption for {len(lacking)} of {len(rows)} rows, such as {', '.join(lacking[:3])}; a comparison "
            "takes the same rows of both: evaluate the other system on the same part of the data."
        )
    theirs = Evaluation(figures={}, rows=[{**row, "caption": said[row["key"]]} for row in rows])
    if told := with_references(theirs.rows):
        theirs.rates.append(caption_rates([row["caption"] for row in told], [row["references"] for row in told]))
    extra.add(theirs, pictures, chance=False)
    return theirs


def read_captions(path: str) -> dict[str, str]:
    """Key -> caption. Errors: as `captions_of`."""
    from tuwen.command._coco import read_results

    try:
        raw = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError):
        raw = None  # read_results says what is wrong
    if isinstance(raw, dict) and isinstance(raw.get("rows"), list):
        return {row["key"]: row["caption"] for row in raw["rows"] if "caption" in row}
    return {str(key): text for key, text in read_results(path).items()}
