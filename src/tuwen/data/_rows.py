"""Files of rows -> (where, {column: value}): CSV, TSV, JSON lists, JSON lines, Parquet."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tuwen.data._config import Data
from tuwen.data._files import is_picture
from tuwen.data._problem import Problem, leave_out
from tuwen.errors import DataError, MissingExtraError

Row = tuple[str, dict[str, Any]]
"""Where the row stands ('row 231 of train.csv') and its values by column."""

SUFFIXES = frozenset((".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson", ".parquet"))
_DELIMITERS = ",\t;|"


def rows_of(file: Path, options: Data, problems: list[Problem]) -> Iterator[Row]:
    """The rows of a file, by its ending; a .json file may hold a list or one object a line.

    Raises:
        DataError: not UTF-8, not JSON, an open quote, a row with too many cells; names the line or row.
        MissingExtraError: Parquet without pyarrow.
    """
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        return _parquet(file)
    text = _text(file)
    if not text.strip():
        raise DataError(f"{file} is empty. It needs a line of column names and one line a row.")
    if suffix in (".jsonl", ".ndjson") or (suffix == ".json" and text.lstrip().startswith("{")):
        return _jsonl(file, text, options, problems)
    if suffix == ".json":
        return _json(file, text, options, problems)
    return _csv(file, text, options, problems)


def lines_of(file: Path) -> list[str]:
    """The lines of a text file, without their ends; what else some call an end (U+2028, a form feed) stays within a line.

    Raises:
        DataError: not UTF-8; names the line.
    """
    return [line.rstrip("\r") for line in _text(file).split("\n")]


def head(file: Path, size: int = 4096) -> str:
    """The start of a text file, byte order mark removed; what is not UTF-8 is replaced."""
    with file.open("rb") as stream:
        return stream.read(size).decode("utf-8", "replace").lstrip("\ufeff")


def delimiter_of(header: str) -> str:
    """The delimiter that gives a header line the most columns; the comma where none does.

    Example:
        >>> delimiter_of("filepath;title"), delimiter_of("filepath")
        (';', ',')
    """
    return max(_DELIMITERS, key=lambda mark: len(_cells(header, mark)))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _text(file: Path) -> str:
    raw = file.read_bytes()
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = f"0x{raw[error.start]:02x}"
        raise DataError(f"{file}, line {line}: byte {byte} is not UTF-8. Save the file as UTF-8.") from None


def _csv(file: Path, text: str, options: Data, problems: list[Problem]) -> Iterator[Row]:
    records = _records(file, text, options, problems)
    columns = [name.strip() for name in next(records)]
    if any(map(is_picture, columns)):
        raise DataError(
            f"{file} begins with a row and not with the names of its columns ({', '.join(columns)[:60]}). Write one line above "
            "it, such as file_name,text"
        )
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise DataError(f"{file} has two columns called {twice[0]!r}. Rename one of them.")
    for number, cells in enumerate(records, 1):
        where = f"row {number} of {file.name}"
        if len(cells) > len(columns):
            remedy = "Put quotes around cells that hold the delimiter."
            detail = f"{len(cells)} cells for {len(columns)} columns"
            leave_out(Problem(where, "has too many cells", remedy, detail), options, problems)
        elif cells:
            cells += [""] * (len(columns) - len(cells))
            yield where, {name: cell or None for name, cell in zip(columns, cells, strict=True) if name}


def _records(file: Path, text: str, options: Data, problems: list[Problem]) -> Iterator[list[str]]:
    """The records of a CSV file, header first. A line with a broken quote costs that line, not the rest."""
    lines = list(io.StringIO(text, newline=""))
    start = header = next((i for i, line in enumerate(lines) if line.strip()), 0)
    delimiter = "\t" if file.suffix.lower() in (".tsv", ".tab") else delimiter_of(lines[start])
    while start < len(lines):
        reader = csv.reader(islice(lines, start, None), delimiter=delimiter, strict=True)
        done = 0
        try:
            for cells in reader:
                yield cells
                done = reader.line_num
            return
        except csv.Error as error:
            remedy = 'Close the quote, or double a quote inside a cell ("").'
            line = start + done
            what = Problem(
                f"{file.name}, line {line + 1}", "has an open quote", remedy, f"{error}; {lines[line].strip()[:60]}"
            )
            if line == header:
                raise DataError(str(what)) from None
            leave_out(what, options, problems)
            start = line + 1


def _json(file: Path, text: str, options: Data, problems: list[Problem]) -> Iterator[Row]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}: not JSON, {error.msg}. Correct that line.") from None
    if not isinstance(rows, list):
        raise DataError(f"{file} holds {_kind(rows)}; a table is a list of objects: [{{...}}, ...].")
    for number, row in enumerate(rows, 1):
        yield from _checked(f"row {number} of {file.name}", row, options, problems)


def _jsonl(file: Path, text: str, options: Data, problems: list[Problem]) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"row {number} of {file.name}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            what = Problem(where, "is not JSON", "Each line holds one whole object: {...}.", f"{error.msg}")
            leave_out(what, options, problems)
            continue
        yield from _checked(where, row, options, problems)


def _checked(where: str, row: Any, options: Data, problems: list[Problem]) -> Iterator[Row]:
    if isinstance(row, dict):
        yield where, row
        return
    remedy = 'A row is an object of columns: {"image": "a.jpg", "text": "..."}.'
    leave_out(Problem(where, "is no object", remedy, f"it is {_kind(row)}"), options, problems)


def _kind(value: Any) -> str:
    return {"dict": "an object", "list": "a list", "str": "a string"}.get(type(value).__name__, repr(value))


def _parquet(file: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError(f"reading {file.name}", "parquet") from None
    number = 0
    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number} of {file.name}", row
    except (ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read as Parquet: {str(error).splitlines()[0]} Write it again.") from None
