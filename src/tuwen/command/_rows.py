"""Where bulk answers go: a table, JSON lines, or a text file a picture. A killed job goes on where it stood."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from tuwen.errors import ConfigError, DataError

_log = logging.getLogger("tuwen")
KEY = "image"
"""Name of the column that says which picture a row is about."""
_FOUND = ("match", "notes")
"""What a picture says of itself that was not asked for."""


class Rows(Protocol):
    """Takes answers, a batch at a time; `done` holds the pictures that have one already."""

    done: set[str]

    def write(self, answers: Sequence[tuple[str, Mapping[str, Any], str]]) -> None:
        """Adds (picture, fields of the answer, its text to read); on the disk when this returns."""

    def close(self) -> None: ...


def open_rows(
    out: str,
    columns: Sequence[str],
    pictures: Iterable[tuple[str, Path]],
    *,
    overwrite: bool = False,
    made: str = "",
) -> Rows:
    """The writer that a name asks for.

    Args:
        out: FILE.csv, FILE.jsonl, or FOLDER/ for one .txt a picture.
        columns: fields of an answer.
        pictures: (path as typed, path below the folder that was typed) of every picture.
        overwrite: what is there already is written anew.
        made: field of an answer that holds a picture: a folder then gets it as .png.
    Raises:
        ConfigError: a name that says neither, or a file that holds something else.
        DataError: two pictures would have one .txt.
    """
    path, suffix = Path(out), Path(out).suffix.lower()
    if out.endswith(("/", os.sep)) or path.is_dir() or not suffix:
        return (
            PictureFiles(path, pictures, made, overwrite=overwrite)
            if made
            else TextFiles(path, pictures, overwrite=overwrite)
        )
    if suffix not in (".csv", ".jsonl"):
        raise ConfigError(
            f"-o {out} ends in {suffix}; it can be FILE.csv, FILE.jsonl, or FOLDER/ for one .txt a picture."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return Table(path, columns, overwrite=overwrite) if suffix == ".csv" else JsonLines(path, overwrite=overwrite)


class _Appended:
    """A file that grows by whole records; half a record at its end, from a kill, is cut off.

    Nothing changes before the first record comes, so that what cannot even begin takes no earlier answers away.

    Args:
        length: bytes of it that stay.
        head: what comes before the first record.
    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, length: int, head: bytes = b""):
        self.path, self.length, self.head = path, length, head
        self.file: IO[bytes] | None = None
        if path.exists():
            path.open("r+b").close()
        elif not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def append(self, data: bytes) -> None:
        if not data:
            return
        if self.file is None:
            self.file = self.path.open("r+b" if self.path.exists() else "w+b")
            self.file.truncate(self.length)
            self.file.seek(self.length)
            data = self.head + data
        self.file.write(data)
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


class Table(_Appended):
    """A CSV with a header, in UTF-8 with a mark at its start, which Excel needs and pandas takes."""

    def __init__(self, path: Path, columns: Sequence[str], *, overwrite: bool = False):
        self.columns = [KEY, *columns]
        old, head = b"" if overwrite else _read(path), b"\xef\xbb\xbf" + self._line(self.columns)
        length = _whole_records(old)
        records = _records(old[:length].decode("utf-8-sig", "surrogateescape"))
        begun = head.startswith(old)  # nothing but a part of the header, from a kill
        if records[:1] != [self.columns] and not begun:
            raise ConfigError(
                f"{path} is there and its first line is not {','.join(self.columns)}; name another file with -o, "
                "or replace it with --overwrite."
            )
        self.done = {record[0] for record in records[1:] if record}
        super().__init__(path, length, b"" if records else head)

    def write(self, answers: Sequence[tuple[str, Mapping[str, Any], str]]) -> None:
        lines = [self._line([name, *(_cell(fields[c]) for c in self.columns[1:])]) for name, fields, _ in answers]
        self.append(b"".join(lines))

    @staticmethod
    def _line(cells: Sequence[Any]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text).writerow(cells)
        return text.getvalue().encode("utf-8", "surrogateescape")


class JsonLines(_Appended):
    """One JSON object a line."""

    def __init__(self, path: Path, *, overwrite: bool = False):
        old = b"" if overwrite else _read(path)
        length, start = old.rfind(b"\n") + 1, f'{{"{KEY}": "'.encode()
        try:
            self.done = {
                json.loads(line)[KEY] for line in old[:length].decode("utf-8", "surrogateescape").split("\n") if line
            }
            if not length and not (old.startswith(start) or start.startswith(old)):
                raise ValueError("not even the beginning of a line of ours")
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                f"{path} is there and not every line is an object with {KEY!r}; name another file with -o, or "
                "replace it with --overwrite."
            ) from None
        super().__init__(path, length)

    def write(self, answers: Sequence[tuple[str, Mapping[str, Any], str]]) -> None:
        self.append(
            "".join(to_json({KEY: name, **fields}) + "\n" for name, fields, _ in answers).encode(
                "utf-8", "surrogateescape"
            )
        )


class TextFiles:
    """One .txt a picture, of the same stem, in a folder that mirrors the pictures' own; none is ever replaced.

    What was held back gets none, also none from before: a folder of texts is read as captions, and a reason is none."""

    suffix = ".txt"

    def __init__(self, folder: Path, pictures: Iterable[tuple[str, Path]], *, overwrite: bool = False):
        if folder.is_file():
            raise ConfigError(
                f"-o {folder} is a file; it can be FILE.csv, FILE.jsonl, or FOLDER/ for one {self.suffix} a picture."
            )
        self.places: dict[str, Path] = {}
        taken: dict[Path, str] = {}
        for name, below in pictures:
            place = folder / below.with_suffix(self.suffix)
            if place in taken:
                raise DataError(f"{taken[place]} and {name} would both have {place}; use -o FILE.csv for them.")
            self.places[name], taken[place] = place, name
        self.done = set() if overwrite else {name for name, place in self.places.items() if place.exists()}

    def write(self, answers: Sequence[tuple[str, Mapping[str, Any], str]]) -> None:
        from tuwen._files import write_atomic

        for name, fields, text in answers:
            if fields.get("abstained"):
                self.places[name].unlink(missing_ok=True)
                continue
            self.places[name].parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.places[name], text + "\n")

    def close(self) -> None:
        """Nothing is open."""


class PictureFiles(TextFiles):
    """The same with one .png a picture; an answer that made none gets a .txt."""

    suffix = ".png"

    def __init__(self, folder: Path, pictures: Iterable[tuple[str, Path]], made: str, *, overwrite: bool = False):
        pictures = list(pictures)
        super().__init__(folder, pictures, overwrite=overwrite)
        read = {os.path.realpath(name) for name, _ in pictures}
        if lost := next((place for place in self.places.values() if os.path.realpath(place) in read), None):
            raise ConfigError(f"{lost} would be replaced, and is read; name another folder than {folder}")
        self.made = made

    def write(self, answers: Sequence[tuple[str, Mapping[str, Any], str]]) -> None:
        from tuwen._files import write_atomic

        for name, fields, text in answers:
            place, pixels = self.places[name], fields[self.made]
            place.parent.mkdir(parents=True, exist_ok=True)
            if pixels is None:
                write_atomic(place.with_suffix(".txt"), text + "\n")
            else:
                write_atomic(place, png(pixels))


class DrawnFiles:
    """The pictures that are made of texts: NAME.png in a folder, of several NAME-1.png and so on."""

    def __init__(
        self, folder: Path, notes: Mapping[str, Mapping[str, Any]], made: str, num: int, *, overwrite: bool = False
    ):
        if folder.is_file() or folder.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
            raise ConfigError(f"-o {folder} is one file, and --texts makes many; name a folder, as in -o pictures/")
        self.folder, self.notes, self.made, self.num = folder, notes, made, num
        self.done: set[str] = set()
        if not overwrite:
            self.done.update(name for name in notes if all(path.exists() for path in self._places(name)))
            self._check_made_so()

    def _places(self, name: str) -> list[Path]:
        if self.num == 1:
            return [self.folder / f"{name}.png"]
        return [self.folder / f"{name}-{number}.png" for number in range(1, self.num + 1)]

    def _check_made_so(self) -> None:
        """Raises ConfigError where a picture that is there was made of something else: it is no answer, and not ours to lose."""
        for name in self.done:
            wanted = _normal({key: str(value) for key, value in self.notes[name].items()})
            for place in self._places(name):
                found = _normal(_known_of(place))
                if odd := [key for key in {**wanted, **found} if wanted.get(key) != found.get(key)]:
                    was, now = (some.get(odd[0], "as usual") for some in (found, wanted))
                    raise ConfigError(
                        f"{place} was made otherwise: {odd[0]} was {was!r}, and is {now!r} now; name another folder, or "
                        "draw all of them anew with --overwrite"
                    )

    def write(self, answers: Sequence[tuple[str, Mapping[str, Any], str]]) -> None:
        """Each with what is known of it as text inside; what is to be known of a text is said, too."""
        from tuwen._files import write_atomic

        self.folder.mkdir(parents=True, exist_ok=True)
        for name, fields, _ in answers:
            about = {
                **self.notes[name],
                **({"notes": notes} if (notes := "\n".join(fields.get("notes") or ())) else {}),
            }
            if notes:
                _log.warning("%s: %s", name, notes)
            for i, (place, pixels) in enumerate(zip(self._places(name), fields[self.made], strict=True)):
                match = {"match": fields["match"][i]} if fields.get("match") else {}
                write_atomic(place, png(pixels, {**about, **match}))

    def close(self) -> None:
        """Nothing is open."""


def _known_of(place: Path) -> dict[str, str]:
    """The text inside of a PNG that says how it was made; nothing where it says nothing."""
    from PIL import Image

    try:
        with Image.open(place) as picture:
            return {key: value for key, value in getattr(picture, "text", {}).items() if key not in _FOUND}
    except (OSError, SyntaxError, ValueError):
        return {}


def _normal(notes: dict[str, str]) -> dict[str, str]:
    """With the path of the model in one spelling."""
    return {**notes, **({"model": os.path.normpath(notes["model"])} if "model" in notes else {})}


def png(pixels_HWC: Any, about: Mapping[str, Any] | None = None) -> bytes:
    """(H, W, 1 or 3) uint8 as the bytes of a PNG file, with what is known of it as text inside."""
    from tuwen.task._pictures import image

    file, made = io.BytesIO(), image(pixels_HWC, about)
    made.save(file, format="PNG", pnginfo=png_notes(made))
    return file.getvalue()


def png_notes(made: Any) -> Any:
    """What is known of a PIL image, as text for a PNG file."""
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    for name, value in made.info.items():
        if isinstance(value, str):
            notes.add_itxt(name, value)
    return notes


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _records(text: str) -> list[list[str]]:
    """The records of a CSV, whose cells may be as long as they like: a map of attention is a long one."""
    usual = csv.field_size_limit(max(len(text), 1))
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    finally:
        csv.field_size_limit(usual)


def _whole_records(data: bytes) -> int:
    """Length of the part of a CSV that ends with a whole record: a line end outside of quotes."""
    end, quotes = 0, 0
    start = 0
    while (stop := data.find(b"\n", start)) >= 0:
        quotes += data.count(b'"', start, stop)
        start = stop + 1
        if quotes % 2 == 0:
            end = start
    return end


def _cell(value: Any) -> Any:
    """A value as a cell: what is nested is JSON, what is empty is empty."""
    if value is None or (isinstance(value, list | tuple | dict) and not value):
        return ""
    return to_json(value) if isinstance(value, list | tuple | dict) else value


def to_json(value: Any) -> str:
    """One line of JSON; what is no finite number is null, a path is its text, a picture its PNG file in base64."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if getattr(value, "ndim", 0) == 3:
        return base64.b64encode(png(value)).decode("ascii")
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
