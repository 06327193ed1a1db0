"""The rows that a verb looks at: read as the model's recipe reads them, with the user's own settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuwen.data._problem import bare
from tuwen.errors import ConfigError, DataError
from tuwen.types import Located

if TYPE_CHECKING:
    from tuwen.data._config import Data
    from tuwen.data._dataset import Dataset
    from tuwen.recipe import Recipe
    from tuwen.types import Batch, Sample

_ROWS = 64
"""Rows that a model reads at once."""


def read_rows(verb: str, recipe: Recipe, data: str, *, split: str, settings: Sequence[str], rows: int) -> Dataset:
    """Rows of one part of a data set.

    Args:
        verb: for messages.
        recipe: of the model; says how the data is read.
        split: name of the part; empty: all rows.
        settings: PATH=VALUE of the data section.
        rows: the first ones only; 0: all.
    Raises:
        ConfigError: a setting of something else.
        DataError: the data cannot be read, or the part is empty.
    """
    return part_of(read_all(verb, recipe, data, settings=settings), data, split=split, rows=rows)


def read_all(verb: str, recipe: Recipe, data: str, *, settings: Sequence[str]) -> Dataset:
    """All rows of a data set. Arguments and errors: as `read_rows`."""
    from tuwen.data._dataset import open_data

    return open_data(data, changed(verb, recipe, settings).data)


def changed(verb: str, recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """With settings of how data is read. Arguments and errors: as `read_rows`."""
    for setting in settings:
        if not setting.startswith("data."):
            raise ConfigError(
                f"--set {setting} has no effect here; {verb} takes settings of the data, as in data.text_column=title"
            )
        recipe = recipe.with_setting(setting)
    return recipe


def part_of(whole: Dataset, data: str, *, split: str, rows: int) -> Dataset:
    """One part of a data set that was read. Arguments and errors: as `read_rows`."""
    if rows < 0:
        raise ConfigError(f"--rows is {rows}; give a number of rows, as in --rows 200, or 0 for all")
    part = whole.split(split) if split else whole
    part = part[:rows] if rows else part
    if not len(part):
        raise DataError(
            f"{data} has no rows in its part {split!r}; it has {', '.join(whole.splits)}. Name one with --split."
        )
    return part


def batches(
    model: Any, rows: Dataset, broken: dict[str, str], *, targets: bool = False
) -> Iterator[tuple[list[Sample], Batch]]:
    """Full batches of the rows that can be read, as if the others were not there, beside these rows.

    Args:
        broken: takes key -> why of rows that cannot be read, where data.on_error is "skip".
        targets: as of `CrossModal.batch`.
    Raises:
        DataError: a row cannot be read and data.on_error is "raise", or none can.
    """
    left = list(rows)
    while left:
        some, left = left[:_ROWS], left[_ROWS:]
        try:
            batch = model.batch(some, targets=targets, options=rows.options)
        except DataError:
            bad = _unread(model, some, rows.options, targets=targets) if rows.options.on_error == "skip" else {}
            if not bad:
                raise
            broken |= bad
            left = [row for row in some if row.key not in bad] + left
        else:
            yield some, batch
    if len(broken) == len(rows):
        raise DataError(f"none of {len(rows)} rows can be read; the first: {_first(broken)}")


def located(rows: Iterable[Sample], options: Data) -> list[Sample]:
    """The rows with pictures that say themselves how large they may be: for what reads them again and does not know."""

    def one(row: Sample) -> Sample:
        raw = row.fields.get("image")
        if raw is None or isinstance(raw, list | tuple):
            return row
        return replace(row, fields={**row.fields, "image": Located(raw, row.where, options.max_pixels)})

    return [one(row) for row in rows]


def left_out(broken: Mapping[str, str], rows: int) -> str:
    """What is said of rows that `batches` could not read; nothing where it read all.

    Args:
        rows: how many there were.
    """
    if not broken:
        return ""
    named = ", ".join(list(broken)[:10]) + (f" and {len(broken) - 10} more" if len(broken) > 10 else "")
    return f"{len(broken)} of {rows} rows cannot be read and are left out ({named}); the first: {_first(broken)}"


def _unread(model: Any, rows: Sequence[Sample], options: Data, *, targets: bool) -> dict[str, str]:
    """Key -> why of the rows that cannot be read alone."""
    found = {}
    for row in rows:
        try:
            model.batch([row], targets=targets, options=options)
        except DataError as error:
            found[row.key] = str(error)
    return found


def _first(broken: Mapping[str, str]) -> str:
    """Why the first row cannot be read, without the advice to skip it."""
    return bare(next(iter(broken.values())))
