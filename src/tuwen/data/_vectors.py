"""Vectors in files: a Parquet table, or a NumPy array with JSON lines beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuwen.errors import ConfigError, DataError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Vector:
    """One value of a row."""

    key: str
    """Name of its row."""
    field: str
    """image, text, ..."""
    text: str
    """The value itself where it is text, else empty."""
    place: np.ndarray
    """(D,) float32 of length 1."""


class Sink(Protocol):
    """Takes vectors, a batch at a time; the file is there when the block ends without an error."""

    def __init__(self, path: Path): ...
    def __enter__(self) -> Sink: ...
    def __exit__(self, *error: Any) -> None: ...
    def write(self, made: Sequence[Vector]) -> None: ...


class _Parquet:
    """One table; the vectors are lists of a fixed length, as vector stores read them. Names that are not UTF-8 stand with
    their bytes as \\x.. there."""

    def __init__(self, path: Path):
        _pyarrow()
        self.path, self.stack = path, ExitStack()
        self.writer: Any = None

    def __enter__(self) -> _Parquet:
        from tuwen._files import atomic

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.temporary = self.stack.enter_context(atomic(self.path))
        return self

    def write(self, made: Sequence[Vector]) -> None:
        if not made:
            return
        arrow = _pyarrow()
        names = {name: [_utf8(getattr(one, name)) for one in made] for name in ("key", "field", "text")}
        place = arrow.array([one.place for one in made], arrow.list_(arrow.float32(), len(made[0].place)))
        self._write(arrow, arrow.table({**names, "vector": place}))

    def _write(self, arrow: Any, table: Any) -> None:
        if self.writer is None:
            self.writer = self.stack.enter_context(arrow.parquet.ParquetWriter(self.temporary, table.schema))
        self.writer.write_table(table)

    def __exit__(self, *error: Any) -> None:
        if error[0] is None and self.writer is None:
            arrow = _pyarrow()
            kinds = [(name, arrow.string()) for name in ("key", "field", "text")]
            self._write(arrow, arrow.schema([*kinds, ("vector", arrow.list_(arrow.float32()))]).empty_table())
        self.stack.__exit__(*error)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


class _Numpy:
    """FILE.npy (N, D) float32, and FILE.jsonl with key, field and text of each of its rows."""

    def __init__(self, path: Path):
        self.path, self.places, self.lines = path, list[Any](), list[str]()
        if not _is_ours(beside := path.with_suffix(".jsonl")):
            raise ConfigError(
                f"-o {path} would write {beside.name} beside it, which is there and is not about vectors; name another file"
            )

    def __enter__(self) -> _Numpy:
        return self

    def write(self, made: Sequence[Vector]) -> None:
        self.places += [one.place for one in made]
        for one in made:
            about = {"key": one.key, "field": one.field, "text": one.text}
            self.lines.append(json.dumps(about, ensure_ascii=False) + "\n")

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            return
        import numpy as np

        from tuwen._files import atomic, write_atomic

        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path.with_suffix(".jsonl"), "".join(self.lines))
        with atomic(self.path) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack(self.places) if self.places else np.zeros((0, 0), np.float32))


def _is_ours(path: Path) -> bool:
    """Whether a file of lines may be replaced: it is not there, is empty, or begins with a line about a vector."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline()
        return not first or json.loads(first).keys() == {"key", "field", "text"}
    except FileNotFoundError:
        return True
    except (ValueError, AttributeError, OSError):
        return False


_SINKS: Mapping[str, type[Sink]] = {".parquet": _Parquet, ".npy": _Numpy}
"""End of a file's name -> what writes it."""


def open_sink(out: str) -> Sink:
    """What writes a file of that name; nothing is written before its block begins.

    Raises:
        ConfigError: the name ends in something else.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    suffix = Path(out).suffix.lower()
    if suffix not in _SINKS:
        raise ConfigError(f"-o {out} can be FILE.parquet or FILE.npy, for example -o vectors.parquet")
    return _SINKS[suffix](Path(out))


def read_vectors(path: str) -> list[Vector]:
    """What was written to a file, in its order.

    Raises:
        ConfigError: its name ends in something else.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
        DataError: it is not there, cannot be read, or holds something else.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _READERS:
        raise ConfigError(f"{path} is no file of vectors; {_MADE}")
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}; {_MADE}")
    try:
        return _READERS[suffix](Path(path))
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} cannot be read as vectors ({why}); make it again: {_MADE}") from None


_MADE = "such files are made by: tuwen embed MODEL DATA -o vectors.npy"


def _of_parquet(path: Path) -> list[Vector]:
    columns = _pyarrow().parquet.read_table(path, columns=["key", "field", "text", "vector"])
    about = zip(*(columns[name].to_pylist() for name in ("key", "field", "text")), strict=True)
    vectors = columns["vector"].to_numpy()
    return [
        Vector(key=key, field=field, text=text, place=place)
        for (key, field, text), place in zip(about, vectors, strict=True)
    ]


def _of_numpy(path: Path) -> list[Vector]:
    import numpy as np

    lines = path.with_suffix(".jsonl").read_text("utf-8").split("\n")[:-1]  # splitlines cuts at more than ends of lines
    return [Vector(**json.loads(line), place=place) for line, place in zip(lines, np.load(path), strict=True)]


_READERS: Mapping[str, Callable[[Path], list[Vector]]] = {".parquet": _of_parquet, ".npy": _of_numpy}
"""End of a file's name -> what reads it."""


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet (vectors.npy needs nothing)", "parquet") from None
    return pyarrow
