"""Where vectors go: a Parquet table, or a NumPy array with JSON lines beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuwen.errors import ConfigError, MissingExtraError

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
    """One table; the vectors are lists of a fixed length, as vector stores read them."""

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
        names = {name: [getattr(one, name) for one in made] for name in ("key", "field", "text")}
        place = arrow.array([one.place for one in made], arrow.list_(arrow.float32(), len(made[0].place)))
        table = arrow.table({**names, "vector": place})
        if self.writer is None:
            self.writer = self.stack.enter_context(arrow.parquet.ParquetWriter(self.temporary, table.schema))
        self.writer.write_table(table)

    def __exit__(self, *error: Any) -> None:
        self.stack.__exit__(*error)


class _Numpy:
    """FILE.npy (N, D) float32, and FILE.jsonl with key, field and text of each of its rows."""

    def __init__(self, path: Path):
        self.path, self.places, self.lines = path, list[Any](), list[str]()

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


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("writing Parquet (-o vectors.npy needs nothing)", "parquet") from None
    return pyarrow
