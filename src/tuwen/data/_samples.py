"""Rows of a table -> samples: captions of one picture put together."""

import ast
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuwen.data._clean import usable_captions
from tuwen.data._columns import OWN_ROW, TEXT_NAMES, Columns, choose
from tuwen.data._config import Data
from tuwen.data._files import find_root, picture_path, split_name
from tuwen.data._problem import Problem
from tuwen.data._rows import Row
from tuwen.types import Sample


def samples_from_rows(
    rows: Sequence[Row], folder: Path, name: str, options: Data, problems: list[Problem], split: str | None = None
) -> Iterator[Sample]:
    """Rows -> samples; rows of one picture that differ in their caption only become one sample.

    Args:
        folder: where relative picture paths start, unless data.root says otherwise.
        name: of the table, for messages.
        split: side of all rows, where there is no column for it.
    Raises:
        DataError: a column that the user named is not there, none can be guessed, or pictures are addresses.
    """
    if not rows:
        return
    columns = choose(rows, folder, name, options)
    names = [_file_name(row.get(columns.image)) for _, row in rows[:200]] if columns.image else []
    root = Path(options.root) if options.root else find_root(folder, [n for n in names if n])
    groups: dict[Any, list[Row]] = {}
    for i, (where, row) in enumerate(rows):
        groups.setdefault(_group(row, columns, i), []).append((where, row))
    differing = _differing(list(groups.values()), columns)
    for group in groups.values():
        texts = [
            caption
            for where, row in group
            for column in columns.text
            for caption in usable_captions(captions_of(row.get(column)), where, options, problems)
        ]
        yield _sample(group, columns, differing, root, split, texts)


def captions_of(value: Any) -> list[Any]:
    """The captions in one cell: a string, a list, a list written as JSON or Python, objects with `raw`.

    Example:
        >>> captions_of('["a cat", "a pet"]'), captions_of("a cat"), captions_of(None)
        (['a cat', 'a pet'], ['a cat'], [])
    """
    if value is None or (isinstance(value, float) and value != value):  # nan: an empty cell of a data frame
        return []
    if isinstance(value, str):
        listed = _written_list(value)
        return [value] if listed is None else listed
    if isinstance(value, dict):
        inner = next((value[key] for key in ("raw", *TEXT_NAMES) if key in value), None)
        return [value] if inner is None else captions_of(inner)  # kept, to be refused where captions are checked
    if isinstance(value, list | tuple):
        return [caption for item in value for caption in captions_of(item)]
    return [str(value)] if isinstance(value, int | float) else [value]


def _written_list(value: str) -> list[Any] | None:
    if not (value.startswith("[") and value.rstrip().endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return found
    return None


def _group(row: dict[str, Any], columns: Columns, number: int) -> Any:
    """Rows with the same answer are one sample."""
    name = _file_name(row.get(columns.image)) if columns.image else None
    if not name or not columns.text:
        return number
    own = tuple(repr(row[key]) for key in OWN_ROW if row.get(key) is not None)
    return name, row.get(columns.split) if columns.split else None, own


def _file_name(value: Any) -> str | None:
    return str(value) if isinstance(value, str | os.PathLike) and str(value) else None


def _differing(groups: list[list[Row]], columns: Columns) -> set[str]:
    """Other columns that differ between rows of one picture: they become lists, in every sample."""
    used = {columns.image, columns.split, *columns.text}
    found: set[str] = set()
    for group in groups:
        first = group[0][1]
        found |= {
            key
            for _, row in group[1:]
            for key in row.keys() | first.keys()
            if repr(row.get(key)) != repr(first.get(key))
        }
    return found - used


def _sample(
    group: list[Row], columns: Columns, differing: set[str], root: Path, split: str | None, texts: list[str]
) -> Sample:
    where, first = group[0]
    used = {columns.image, columns.split, *columns.text}
    other = {key: value for key, value in first.items() if key not in used}
    other |= {key: [row.get(key) for _, row in group] for key in differing}
    key, image = _picture(first.get(columns.image) if columns.image else None, root)
    own = split_name(first.get(columns.split)) if columns.split else None
    other = {f"{key}_" if key in ("image", "text") else key: value for key, value in other.items()}
    return Sample(key or where, {"image": image, "text": texts, **other}, own or split, where)


def _picture(value: Any, root: Path) -> tuple[str, Any]:
    """Key and raw value of a picture cell."""
    if isinstance(value, dict):  # how the hub's libraries write a picture: {"bytes": ..., "path": ...}
        name = value.get("path") or ""
        return (name, value["bytes"]) if value.get("bytes") else _picture(name or None, root)
    if name := _file_name(value):
        return name, picture_path(root, name)
    return "", value if not isinstance(value, str) else None
