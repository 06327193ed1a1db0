"""Asking one task about many texts: reading them from a file, naming what is made of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuwen.errors import DataError

if TYPE_CHECKING:
    from tuwen.data._problem import Problem


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every verb that makes pictures of a text."""

    out: str = ""
    """FILE.png, .jpg or .webp; several pictures stand on one sheet. For `texts` FOLDER/, where each is a .png of its own;
    what is there is not drawn again."""
    texts: str = ""
    """A file of texts, in place of one: FILE.txt with one a line, or a table (.csv, .tsv, .json, .jsonl, .parquet) with a
    column of texts."""
    on_error: Literal["stop", "skip"] = "stop"
    """For `texts`. stop: end at the first row without a text; skip: leave it out, count it and name it."""
    overwrite: bool = False
    """Draw anew where -o names a folder with pictures that are there."""


def find_texts(file: str, on_error: Literal["stop", "skip"]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """(name of its files, text) of every row: 00002-a-red-circle; and which rows were left out -> why.

    Raises:
        DataError: the file cannot be read, has no column of texts or no text, or a row has none (on_error="stop").
    """
    from tuwen.data._problem import SKIP, Problem

    problems = list[Problem]()
    try:
        rows = list(_rows(Path(file), on_error, problems))
    except DataError as error:
        raise DataError(str(error).replace(SKIP, "Leave such rows out with --on-error skip.")) from None
    if not rows:
        raise DataError(f"{file} holds no text; it needs one a line, or a column `text`.")
    found = [(f"{number:05d}-{_slug(text)}".strip("-"), text) for number, text in rows]
    return found, {problem.where: str(problem) for problem in problems if problem.left_out}


def _rows(file: Path, on_error: Literal["stop", "skip"], problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Number and text, counted from 1; empty lines of a .txt are left out."""
    from tuwen.data._columns import texts_of
    from tuwen.data._config import Data
    from tuwen.data._problem import Problem, leave_out
    from tuwen.data._rows import SUFFIXES, lines_of, rows_of

    if not file.is_file():
        raise DataError(f"there is no file {str(file)!r}; --texts is FILE.txt with a text a line, or a table of texts.")
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(f"{file} ends in {file.suffix!r}; texts are read from {', '.join(sorted(SUFFIXES))}.")
    if file.suffix.lower() == ".txt":
        yield from ((number, line) for number, line in enumerate(lines_of(file), 1) if line.strip())
        return
    options = Data(on_error="skip" if on_error == "skip" else "raise")
    for where, text in texts_of(list(rows_of(file, options, problems)), file.name):
        if text:
            yield int(re.findall(r"\d+", where)[0]), text  # "row 3 of ..."
        else:
            leave_out(Problem(where, "has no text", "Give it one."), options, problems)


def _slug(text: str) -> str:
    """The first words of a text as they can stand in the name of a file, in any script.

    Example:
        >>> _slug("A red circle: left/right!"), _slug("红色的圆")
        ('a-red-circle-left-right', '红色的圆')
    """
    return re.sub(r"[\W_]+", "-", text.lower())[:40].strip("-")


__all__ = ["Options", "find_texts"]
