"""Which column of a table holds what: by what the user said, by its name, by what is in it."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image

from tuwen.data._config import Data
from tuwen.data._files import is_picture, is_sound, is_split, picture_path
from tuwen.data._rows import Row
from tuwen.data._stored import Stored
from tuwen.errors import DataError, did_you_mean

IMAGE_NAMES = (
    "image",
    "filepath",
    "file_path",
    "path",
    "file",
    "filename",
    "file_name",
    "img",
    "image_path",
    "img_path",
    "image_file",
    "image_name",
    "picture",
    "photo",
    "images",
    "jpg",
    "png",
)
TEXT_NAMES = (
    "text",
    "caption",
    "captions",
    "title",
    "description",
    "alt",
    "alt_text",
    "sentence",
    "sentences",
    "raw",
    "texts",
    "comment",
    "prompt",
)
LABEL_NAMES = ("label", "labels", "class", "category")
NAMED = {
    "question": ("question", "questions"),
    "answer": ("answer", "answers"),
    "audio": ("audio", "audio_path", "audio_file", "sound", "recording"),
}
"""Field -> names of the column that becomes it, where image, text, split and label have not taken it."""
SPLIT_NAMES = ("split", "subset", "partition", "set")
ADDRESS_NAMES = ("url", "image_url", "img_url", "picture_url")
OWN_ROW = ("question", "questions", "answer", "answers", *LABEL_NAMES, "history", "dialog", "dialogue", "scene")
"""Columns whose different values are different rows even of one picture; they are never taken for captions."""
_NUMBERED = re.compile(rf"({'|'.join(TEXT_NAMES)})[_ ]?\d+")


@dataclass(frozen=True)
class Columns:
    """What the columns of a table hold."""

    image: str | None
    text: tuple[str, ...]
    split: str | None
    label: str | None = None
    named: Mapping[str, str] = field(default_factory=dict)
    """Column -> field, for those of `NAMED`."""

    @property
    def used(self) -> set[str | None]:
        """Columns of image, text, split and label; all others become fields of their own."""
        return {self.image, self.split, self.label, *self.text}


def is_given(value: Any) -> bool:
    """True where a cell or field holds something; 0 and False do."""
    return value is not None and not (isinstance(value, str | list | tuple) and len(value) == 0)


def choose(rows: Sequence[Row], folder: Path, name: str, options: Data) -> Columns:
    """The columns by what the user said, else by their names, else by what is in them."""
    known = list(dict.fromkeys(key for _, row in rows[:1000] for key in row))
    for option in ("image_column", "text_column", "split_column", "label_column"):
        _check_named(getattr(options, option), option, known, name)
    image = options.image_column or _image_column(known, rows, folder)
    if image is None or _is_address(_first(rows, image)):
        _refuse_addresses(image, known, rows, name)
    rest = [column for column in known if column != image]
    split = options.split_column or _split_column(rest, rows)
    label = options.label_column or next(iter(_by_name([c for c in rest if c != split], LABEL_NAMES)), None)
    named = _named([column for column in rest if column not in (split, label)], rows)
    free = [column for column in rest if column not in (split, label, *named)]
    text = (options.text_column,) if options.text_column else _text_columns(free, rows)
    if image is None and not (text or label or named or set(OWN_ROW) & set(known)):
        raise DataError(
            f"{name}: cannot tell which column holds pictures or captions. Columns: {', '.join(known) or 'none'}. "
            "Set data.image_column and data.text_column."
        )
    return Columns(image, text, split, label, named)


def texts_of(rows: Sequence[Row], name: str) -> list[tuple[str, str]]:
    """(where it stands, its text) of every row; of several texts the first, and nothing where there is none.

    Raises:
        DataError: no column looks as if it held texts.
    """
    known = list(dict.fromkeys(key for _, row in rows[:1000] for key in row))
    columns = _text_columns(known, rows)
    if not columns:
        raise DataError(
            f"{name}: cannot tell which column holds texts. Columns: {', '.join(known) or 'none'}. Call one `text`."
        )
    values = ((where, row.get(columns[0])) for where, row in rows)
    firsts = ((where, next(iter(value), None) if isinstance(value, list) else value) for where, value in values)
    return [(where, str(value).strip() if is_given(value) else "") for where, value in firsts]


def _named(known: list[str], rows: Sequence[Row]) -> dict[str, str]:
    """Column -> field, by name; sounds also by their endings."""
    found = {}
    for kind, names in NAMED.items():
        if columns := _by_name(known, names):
            found[columns[0]] = kind
    sounds = [column for column in known if _all(_values(rows, column, 20), is_sound)]
    if "audio" not in found.values() and sounds:
        found[sounds[0]] = "audio"
    return found


def _all(values: list[Any], fits: Callable[[str], bool]) -> bool:
    return bool(values) and all(isinstance(value, str) and fits(value) for value in values)


def _check_named(column: str, option: str, known: list[str], name: str) -> None:
    if column and column not in known:
        near = did_you_mean(column, known)
        raise DataError(
            f"{name} has no column {column!r}.{near} Columns: {', '.join(known)}. Set data.{option} to one of them."
        )


def _values(rows: Sequence[Row], column: str, most: int = 200) -> list[Any]:
    found = (row[column] for _, row in rows if is_given(row.get(column)))
    return [value for value, _ in zip(found, range(most), strict=False)]


def _first(rows: Sequence[Row], column: str) -> Any:
    return next(iter(_values(rows, column, 1)), None)


def _by_name(known: list[str], names: Sequence[str]) -> list[str]:
    """Columns with one of the names, in the order of the names; spaces and case do not count."""
    lower = {column.strip().lower().replace(" ", "_"): column for column in reversed(known)}
    return [lower[name] for name in names if name in lower]


def _image_column(known: list[str], rows: Sequence[Row], folder: Path) -> str | None:
    named = _by_name(known, IMAGE_NAMES)
    for column in named:
        if _is_like_picture(_first(rows, column)):
            return column
    for column in known:
        values = _values(rows, column, 20)
        if values and all(_is_like_picture(value) for value in values):
            there = [
                v for v in values if not isinstance(v, str) or is_picture(v) or os.path.isfile(picture_path(folder, v))
            ]
            if len(there) == len(values):
                return column
    addresses = [column for column in named if _is_address(_first(rows, column))]
    return next(iter(addresses or [c for c in named if c.lower() in ("image", "filepath", "image_path")]), None)


def _is_like_picture(value: Any) -> bool:
    """A value that can hold a picture: pixels, bytes, or a name that ends as pictures do."""
    if isinstance(value, str):
        return is_picture(value) and not _is_address(value)
    if isinstance(value, dict):
        return bool({"bytes", "path"} & value.keys())
    return value is not None and (
        isinstance(value, bytes | os.PathLike | Stored | Image.Image) or hasattr(value, "__array_interface__")
    )


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.lower().startswith(("http://", "https://", "s3://", "gs://"))


def _refuse_addresses(image: str | None, known: list[str], rows: Sequence[Row], name: str) -> None:
    candidates = [image] if image else _by_name(known, ADDRESS_NAMES)
    for column in candidates:
        if _is_address(first := _first(rows, column)):
            raise DataError(
                f"{name}: column {column!r} holds addresses ({first[:60]}); pictures are read from files only. "
                "Download them into a folder, and name their paths in the table."
            )


def _split_column(known: list[str], rows: Sequence[Row]) -> str | None:
    for column in _by_name(known, SPLIT_NAMES):
        if any(isinstance(value, str) and is_split(value) for value in _values(rows, column, 1000)):
            return column
    return None


def _text_columns(known: list[str], rows: Sequence[Row]) -> tuple[str, ...]:
    if numbered := [column for column in known if _NUMBERED.fullmatch(column.strip().lower())]:
        return (*_by_name(known, TEXT_NAMES)[:1], *numbered)
    if named := [column for column in _by_name(known, TEXT_NAMES) if _values(rows, column, 1)]:
        return (named[0],)
    weights = {column: _like_captions(column, _values(rows, column)) for column in known}
    best = max(weights, key=lambda column: weights[column], default=None)
    return (best,) if best is not None and weights[best] > 0 else ()


def _like_captions(column: str, values: list[Any]) -> float:
    """Mean length times the share of different values: long and varied is a caption, a category is neither."""
    short = column.strip().lower()
    if short in OWN_ROW or short.endswith(("id", "url", "path")) or not values:
        return 0.0
    if not all(isinstance(value, str) and any(map(str.isalpha, value)) for value in values):
        return 0.0
    if any(_is_address(value) or is_picture(value) for value in values[:20]):
        return 0.0
    return fmean(map(len, values)) * len(set(values)) / len(values)
