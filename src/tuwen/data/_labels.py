"""Classes: a number or name, one or several -> text; names of the classes from a setting or a file."""

import ast
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuwen.errors import DataError

CLASS_FILES = ("classes.txt", "labels.txt", "class_names.txt")
"""Files beside numbered labels that name them, one a line."""


def class_names(setting: str) -> list[str]:
    """The names in `data.classes`.

    Raises:
        DataError: a file that is not there, empty, or not UTF-8.
    Example:
        >>> class_names("cat, dog"), class_names("")
        (['cat', 'dog'], [])
    """
    if setting and (setting.endswith(".txt") or os.path.isfile(setting)):
        return names_in(Path(setting))
    return [name.strip() for name in setting.split(",")] if setting.strip() else []


def names_in(file: Path) -> list[str]:
    """One name a line, blank lines left out.

    Raises:
        DataError: the file is not there, empty, or not UTF-8.
    """
    try:
        names = [line.strip() for line in file.read_text("utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as names of classes: {error}. It holds one name a line.") from None
    if not names:
        raise DataError(f"{file} holds no names of classes. It holds one name a line, that of class 0 first.")
    return names


def label_of(value: Any, names: Sequence[str] = ()) -> str | list[str] | None:
    """A label as text; a list where there are several.

    Args:
        value: a name, a number, a list of them, or several in one text: `cat|dog`, `["cat", "dog"]`.
        names: of the classes; a whole number that stands in a row stands for one of them.
    Example:
        >>> label_of("cat|dog"), label_of(1, ["cat", "dog"]), label_of("7"), label_of(" ")
        (['cat', 'dog'], 'dog', '7', None)
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, str) and (listed := _written(value)) is not None:
        value = listed
    if isinstance(value, list | tuple):
        found = [one for item in value if isinstance(one := label_of(item, names), str)]
        return list(dict.fromkeys(found))
    if value is None or value != value:  # nan: an empty cell of a data frame
        return None
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    return names[int(text)] if text.isdecimal() and int(text) < len(names) else text or None


def _written(value: str) -> list[Any] | None:
    """Several labels in one cell."""
    if value.startswith("[") and value.rstrip().endswith("]"):
        for parse in (json.loads, ast.literal_eval):  # as pandas writes a column of lists, too
            try:
                return list(parse(value))
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
        return None
    return value.split("|") if "|" in value else None
