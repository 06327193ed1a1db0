"""A folder of pictures with captions beside them, in a folder of texts, or in a metadata file.

    photos/a.jpg            images/a.jpg            train/metadata.csv (or .jsonl, .parquet)
    photos/a.txt            texts/a.txt             train/a.jpg

A .txt of the same stem, or of the whole name (a.jpg.txt), holds one caption a line; several of one picture count
together (captions/a.txt and descriptions/a.txt). Of a.jpg and a.png, a.txt is of those without a text of their whole
name. `metadata` has a column file_name, one of captions and any others. Folders called train, val (or dev, valid,
validation) and test are the splits. Where no picture has a caption and all lie in folders, the name of the folder
becomes the field `label`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from tuwen.data._config import Data
from tuwen.data._files import (
    PICTURE_FOLDERS,
    TEXT_FOLDERS,
    UNREAD_SUFFIXES,
    is_picture,
    is_split,
    split_name,
    walk,
)
from tuwen.data._problem import Problem, leave_out
from tuwen.data._rows import SUFFIXES, rows_of
from tuwen.data._samples import samples_from_rows
from tuwen.errors import DataError
from tuwen.types import Sample

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "metadata.tsv", "metadata.json")
NOT_CAPTIONS = frozenset(
    ("readme", "license", "licence", "copying", "notes", "classes", "labels", "requirements", "sources")
)
"""Stems of text files that often lie in a folder and are no captions."""


def recognise(path: str) -> float:
    """0.9 with a metadata file, 0.8 with pictures and texts, 0.5 with pictures; looks at 2,000 entries at most."""
    if not os.path.isdir(path):
        return 0.0
    names = [name for name, _ in zip(_some_names(path), range(2000), strict=False)]
    if any(name in METADATA for name in names):
        return 0.9
    pictures = {of for name in names if is_picture(name) for of in (name, Path(name).stem)}
    texts = [Path(name).stem for name in names if name.lower().endswith(".txt")]
    if any(stem in pictures for stem in texts):
        return 0.8
    return 0.5 if pictures else 0.2 if texts else 0.0


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a picture, in sorted order.

    Raises:
        DataError: a text without its picture, a text that is not UTF-8, a broken metadata file; names the file.
    """
    root = Path(path)
    files = list(walk(root))
    for file in files:
        if file.suffix.lower() in UNREAD_SUFFIXES:
            remedy = "Convert it to JPEG or PNG."
            what = "has a picture format that is not read"
            leave_out(Problem(str(file), what, remedy), options, problems)
    tables = [file for file in files if file.name in METADATA]
    if tables:
        yield from _with_metadata(root, tables, files, options, problems)
    else:
        yield from _with_texts(root, files, options, problems)


def _some_names(path: str) -> Iterator[str]:
    """Names of files in a folder and three levels below: enough for train/images/a.jpg."""
    depth = os.path.normpath(path).count(os.sep) + 3
    for place, folders, files in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and place.count(os.sep) < depth)
        yield from (name for name in files if not name.startswith("."))


def _with_metadata(
    root: Path, tables: list[Path], files: list[Path], options: Data, problems: list[Problem]
) -> Iterator[Sample]:
    named: set[str] = set()
    for table in tables:
        rows = list(rows_of(table, options, problems))
        if not rows:
            raise DataError(f"{table} has no rows below its header. It needs one line a picture.")
        split = split_name(table.parent.name) if is_split(table.parent.name) else None
        name = table.relative_to(root).as_posix()
        rows = [(where.replace(table.name, name), row) for where, row in rows]
        for sample in samples_from_rows(rows, table.parent, name, options, problems, split):
            if isinstance(sample.fields["image"], Path):
                named.add(os.path.abspath(sample.fields["image"]))
            yield sample
    others = [file for file in files if is_picture(file.name) and os.path.abspath(file) not in named]
    if others:
        remedy = "They are kept without captions; add rows for them or move them away."
        where = f"{len(others)} pictures of {root.name}, the first {others[0].relative_to(root).as_posix()},"
        problems.append(Problem(where, "are not named in the metadata", remedy))
    yield from (_sample(root, picture, [], {}) for picture in others)


def _with_texts(root: Path, files: list[Path], options: Data, problems: list[Problem]) -> Iterator[Sample]:
    pictures = [file for file in files if is_picture(file.name)]
    texts = [file for file in files if file.suffix.lower() == ".txt"]
    aside = {*PICTURE_FOLDERS, *TEXT_FOLDERS, *_two_folders(root, pictures, texts)}
    alike: dict[tuple[str, ...], list[Path]] = {}
    for picture in pictures:
        alike.setdefault(_key(root, picture, aside), []).append(picture)
    could = {text: _nearest(text, alike.get(_key(root, text, aside), [])) for text in texts}
    for orphan in (text for text, of in could.items() if not of and text.stem.lower() not in NOT_CAPTIONS):
        remedy = "Add the picture or remove the text."
        name = orphan.relative_to(root).as_posix()
        leave_out(Problem(name, "has no picture of the same stem", remedy), options, problems)
    told = _shared_out(could)
    problems += _unread_tables(root, files) if pictures and not told else []
    labels = {} if told else _labels(root, pictures)
    for picture in pictures:
        captions = [line for text in told.get(picture, ()) for line in _lines(text, root, options, problems)]
        yield _sample(root, picture, captions, labels)


def _unread_tables(root: Path, files: list[Path]) -> list[Problem]:
    """What is said of tables beside pictures without captions: which of them counts is not known."""
    tables = [file.name for file in files if file.parent == root and file.suffix.lower() in SUFFIXES - {".txt"}]
    if not tables:
        return []
    remedy = f"Name the one that counts, as in {root / tables[0]}, or call it metadata{Path(tables[0]).suffix.lower()}."
    return [Problem(", ".join(tables[:5]), "beside the pictures may hold captions, and is not read", remedy)]


def _fit(text: Path, picture: Path) -> tuple[bool, bool]:
    """How surely a text is of a picture of its key: called as the whole picture, then beside it."""
    return text.stem == picture.name, text.parent == picture.parent


def _nearest(text: Path, pictures: list[Path]) -> list[Path]:
    """Those that a text fits best."""
    best = max((_fit(text, picture) for picture in pictures), default=None)
    return [picture for picture in pictures if _fit(text, picture) == best]


def _shared_out(could: dict[Path, list[Path]]) -> dict[Path, list[Path]]:
    """Picture -> its texts: those that fit it best, and those that are no picture's best, which would be lost.

    Args:
        could: text -> the pictures that it fits best, in sorted order of the texts.
    """
    best: dict[Path, tuple[bool, bool]] = {}
    for text, pictures in could.items():
        for picture in pictures:
            best[picture] = max(best.get(picture, (False, False)), _fit(text, picture))
    told: dict[Path, list[Path]] = {}
    for text, pictures in could.items():
        for picture in [one for one in pictures if _fit(text, one) == best[one]] or pictures:
            told.setdefault(picture, []).append(text)
    return told


def _sample(root: Path, picture: Path, captions: list[str], labels: dict[Path, str]) -> Sample:
    name = picture.relative_to(root)
    split = next((split_name(part) for part in name.parts[:-1] if is_split(part)), None)
    label = {"label": labels[picture]} if picture in labels else {}
    return Sample(name.as_posix(), {"image": picture, "text": captions, **label}, split, name.as_posix())


def _key(root: Path, file: Path, aside: set[str]) -> tuple[str, ...]:
    """What a picture and its text have in common: the path without endings and without folders like images, texts."""
    stem = file.stem if not (file.suffix.lower() == ".txt" and is_picture(file.stem)) else Path(file.stem).stem
    return (*(part for part in file.relative_to(root).parts[:-1] if part.lower() not in aside), stem)


def _two_folders(root: Path, pictures: list[Path], texts: list[Path]) -> set[str]:
    """The names of two folders below `root`, where one holds all pictures and another all texts."""
    tops = [{file.relative_to(root).parts[0] for file in files if file.parent != root} for files in (pictures, texts)]
    inside = all(file.parent != root for file in (*pictures, *texts) if file.stem.lower() not in NOT_CAPTIONS)
    if inside and len(tops[0]) == len(tops[1]) == 1 and tops[0] != tops[1]:
        return {name.lower() for top in tops for name in top}
    return set()


def _labels(root: Path, pictures: list[Path]) -> dict[Path, str]:
    """Picture -> name of its folder, where all lie in such folders and there are at least two."""
    found = {}
    for picture in pictures:
        folders = picture.relative_to(root).parts[:-1]
        parts = [part for part in folders if not is_split(part) and part.lower() not in PICTURE_FOLDERS]
        if len(parts) != 1:
            return {}
        found[picture] = parts[0]
    return found if len(set(found.values())) > 1 else {}


def _lines(text: Path, root: Path, options: Data, problems: list[Problem]) -> list[str]:
    """One caption a line; blank lines are only space between them, but a file of nothing else is an empty caption."""
    name = text.relative_to(root).as_posix()
    try:
        content = text.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"byte 0x{error.object[error.start]:02x}"
        problem = Problem(name, "is not UTF-8", "Save the file as UTF-8; the picture is kept.", detail)
        leave_out(problem, options, problems)
        return []
    except OSError as error:  # a link to nothing, say
        remedy = "Mend the file or the link; the picture is kept."
        leave_out(Problem(name, "cannot be read", remedy, error.strerror or ""), options, problems)
        return []
    return [line for line in content.split("\n") if line.strip()] or [""]
