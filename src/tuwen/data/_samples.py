"""Rows of a table -> samples: captions of one picture put together."""

import ast
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuwen.data._clean import usable_captions
from tuwen.data._columns import OWN_ROW, TEXT_NAMES, Columns, choose
from tuwen.data._config import Data
from tuwen.data._files import find_root, picture_path, split_name
from tuwen.data._labels import class_names, label_of
from tuwen.data._problem import Problem
from tuwen.data._rows import Row
from tuwen.data._stored import Stored
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
    files = columns.image or next((column for column, kind in columns.named.items() if kind == "audio"), None)
    names = [_file_name(row.get(files)) for _, row in rows[:200]] if files else []
    classes = class_names(options.classes)
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
        yield _sample(group, columns, differing, root, split, texts, classes)


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
    kept = dict.fromkeys((*OWN_ROW, columns.label or "", *columns.named))
    own = tuple(repr(row[key]) for key in kept if row.get(key) is not None)
    return name, row.get(columns.split) if columns.split else None, own


def _file_name(value: Any) -> str | None:
    return str(value) if isinstance(value, str | os.PathLike) and str(value) else None


def _differing(groups: list[list[Row]], columns: Columns) -> set[str]:
    """Other columns that differ between rows of one picture: they become lists, in every sample."""
    found: set[str] = set()
    for group in groups:
        first = group[0][1]
        found |= {
            key
            for _, row in group[1:]
            for key in row.keys() | first.keys()
            if repr(row.get(key)) != repr(first.get(key))
        }
    return {key for key in found if key not in columns.used}


def _sample(
    group: list[Row],
    columns: Columns,
    differing: set[str],
    root: Path,
    split: str | None,
    texts: list[str],
    classes: Sequence[str],
) -> Sample:
    where, first = group[0]
    other = {key: value for key, value in first.items() if key not in columns.used}
    other |= {key: [row.get(key) for _, row in group] for key in differing}
    key, image = _file(first.get(columns.image) if columns.image else None, root)
    fields: dict[str, Any] = {"image": image, "text": texts}
    if columns.label:
        fields["label"] = label_of(first.get(columns.label), classes)
    for column, kind in columns.named.items():
        value = other.pop(column, None)
        name, fields[kind] = _file(value, root) if kind == "audio" else ("", value)
        key = key or name
    own = split_name(first.get(columns.split)) if columns.split else None
    return Sample(key or where, fields | _renamed(other, fields), own or split, where)


def _renamed(other: dict[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """Columns whose names are fields already, with an underscore behind."""
    return {f"{column}_" if column in taken else column: value for column, value in other.items()}


def _file(value: Any, root: Path) -> tuple[str, Any]:
    """Key and raw value of a cell that holds a picture or a sound."""
    if isinstance(value, dict):  # how the hub's libraries write one: {"bytes": ..., "path": ...}
        name = value.get("path") or ""
        return (name, value["bytes"]) if value.get("bytes") else _file(name or None, root)
    if isinstance(value, Stored):
        return value.name, value
    if name := _file_name(value):
        return name, picture_path(root, name)
    return "", value if not isinstance(value, str) else None
