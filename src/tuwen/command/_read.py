"""The rows that a verb looks at: read as the model's recipe reads them, with the user's own settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuwen.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tuwen.data._dataset import Dataset
    from tuwen.recipe import Recipe


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

    for setting in settings:
        if not setting.startswith("data."):
            raise ConfigError(
                f"--set {setting} has no effect here; {verb} takes settings of the data, as in data.text_column=title"
            )
        recipe = recipe.with_setting(setting)
    return open_data(data, recipe.data)


def part_of(whole: Dataset, data: str, *, split: str, rows: int) -> Dataset:
    """One part of a data set that was read. Arguments and errors: as `read_rows`."""
    part = whole.split(split) if split else whole
    part = part[:rows] if rows else part
    if not len(part):
        raise DataError(
            f"{data} has no rows in its part {split!r}; it has {', '.join(whole.splits)}. Name one with --split."
        )
    return part
