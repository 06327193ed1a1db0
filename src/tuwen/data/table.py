"""CSV, TSV, JSON list, JSON lines or Parquet with a column of picture paths and one of captions.

    train.csv                 filepath,title              the names of columns are guessed, or given by
    photos/0001.jpg           photos/0001.jpg,A red bus    data.image_column and data.text_column
                              photos/0001.jpg,A bus        (rows of one picture become one sample)

Paths start from the folder of the table, from data.root, or from a folder beside the table. Captions: one a row, a
list in one cell, or columns `caption_0`, `caption_1`, ... A column `split` says train, val or test; `label` (or labels,
class, category, or data.label_column) is the class, several with | between or as a list; `question`, `answer` and
`audio` (paths of sounds) are fields of these names. Every other column becomes a field of its own name, with an
underscore behind where that is taken. A folder with one such table, or with tables called train, val, test, is read too.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tuwen.data._columns import IMAGE_NAMES, NAMED, TEXT_NAMES
from tuwen.data._config import Data
from tuwen.data._files import is_split, split_name
from tuwen.data._problem import Problem
from tuwen.data._rows import SUFFIXES, head, rows_of
from tuwen.data._samples import samples_from_rows
from tuwen.errors import DataError
from tuwen.types import Sample

_NAMES = {
    kind: re.compile(rf"(?<![a-z])({'|'.join(names)})(_?\d+)?(?![a-z])")
    for kind, names in (("image", IMAGE_NAMES), ("text", TEXT_NAMES), ("audio", NAMED["audio"]))
}


def recognise(path: str) -> float:
    """0.9 for a file of rows; for a folder with such files less, so that a reader of folders can be surer."""
    place = Path(path)
    if place.is_file():
        return _surely(place)
    if not place.is_dir():
        return 0.0
    tables = _tables(place)
    if len(tables) == 1:
        return 0.6
    return 0.7 if tables and all(is_split(file.stem) for file in tables) else 0.0


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a picture.

    Raises:
        DataError: a column is missing, a line is broken; names the file and the row.
    """
    place = Path(path)
    files = _tables(place) if place.is_dir() else [place]
    if not files:
        raise DataError(f"{path} holds no table. Endings that are read: {', '.join(sorted(SUFFIXES))}.")
    for file in files:
        rows = list(rows_of(file, options, problems))
        if not rows:
            raise DataError(f"{file} has no rows below its header. It needs one line a picture.")
        split = split_name(file.stem) if len(files) > 1 else None
        yield from samples_from_rows(rows, file.parent, file.name, options, problems, split)


def _tables(folder: Path) -> list[Path]:
    """Files of rows directly in a folder that name a column of pictures or sounds."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES and file.is_file()]
    few = [file for file in files if file.suffix != ".txt"] if len(files) > 20 else files
    few = [file for file in few[:20] if not file.name.startswith((".", "metadata."))]
    sure = [file for file in few if _surely(file)]
    return [file for file in sure if file.suffix == ".parquet" or _names(file, "image") or _names(file, "audio")]


def _surely(file: Path) -> float:
    suffix = file.suffix.lower()
    if suffix in (".csv", ".tsv", ".tab", ".jsonl", ".ndjson"):
        return 0.9
    if suffix == ".parquet":
        with file.open("rb") as stream:
            return 0.95 if stream.read(4) == b"PAR1" else 0.0
    if suffix == ".json":
        return (
            0.9
            if re.match(r"\s*\[\s*(\{|\])", start := head(file)) or re.match(r"\s*\{[^\n]*\}\s*\n\s*\{", start)
            else 0.0
        )
    if suffix == ".txt":  # image,caption on the first line, as some data sets are handed out
        return 0.6 if _names(file, "image", 1) and _names(file, "text", 1) else 0.0
    return 0.0


def _names(file: Path, kind: str, lines: int = 40) -> bool:
    """True where the start of the file has a known name of a column."""
    first = "\n".join(head(file).split("\n")[: 1 if file.suffix.lower() in (".csv", ".tsv", ".tab") else lines])
    return bool(_NAMES[kind].search(first.lower()))
