"""A data set of the Hugging Face hub, or one that its library saved.

    hub:OWNER/NAME                              downloaded, or found in the cache of an earlier download
    hub:OWNER/NAME:CONFIG                       one of its configurations
    saved/dataset_info.json, state.json         a folder that `save_to_disk` wrote, or one of splits
    saved/dataset_dict.json
    folder/data/train-00000-of-00001.parquet    the Parquet files of a data set, with or without data/

The package `datasets` reads it (extra hub). Features become columns, and these fields, as those of a table do
(data.image_column, data.text_column, data.label_column): a picture or sound stays in its file until it is needed, the
number of a class becomes its name. Nothing comes from the network unless the path begins with `hub:`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tuwen.data._config import Data
from tuwen.data._files import cache_folder, split_name
from tuwen.data._problem import Problem
from tuwen.data._rows import Row
from tuwen.data._samples import samples_from_rows
from tuwen.data._stored import Stored
from tuwen.errors import DataError, MissingExtraError
from tuwen.types import Sample

_SAVED = (("dataset_dict.json",), ("dataset_info.json", "state.json"))
_PARQUET = re.compile(r"(?P<split>[\w.]+)-\d{5}-of-\d{5}(-\w+)?\.parquet")


@dataclass(frozen=True, slots=True)
class Cell(Stored):
    """A picture or sound in one row of a data set."""

    column: Any
    """The data set with that column alone, undecoded."""
    name: str
    row: int

    def load(self) -> bytes:
        """
        Raises:
            DataError: the file that the row names has gone.
        """
        [value] = self.column[self.row].values()
        try:
            return bytes(value["bytes"] or Path(value["path"]).read_bytes())
        except (OSError, TypeError) as error:
            raise DataError(f"{self.name} cannot be read from its data set: {error}.") from None


def recognise(path: str) -> float:
    """1 for `hub:...` and folders that `save_to_disk` wrote, 0.95 for a folder of Parquet files of a split each."""
    if path.startswith("hub:"):
        return 1.0
    place = Path(path)
    if any(all((place / name).is_file() for name in names) for names in _SAVED):
        return 1.0
    return 0.95 if _parquet(place) else 0.0


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a row, split by split.

    Raises:
        MissingExtraError: the package is not installed.
        DataError: no such data set, no connection, a broken file; says what the package said.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError(f"reading {path}", "hub") from None
    with _quiet(datasets):
        try:
            found = _load(datasets, path, options)
        except Exception as error:  # the package raises whatever its formats, its network and its disk do
            why = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise DataError(
                f"{path} cannot be loaded as a data set: {why.rstrip('.')}. Give hub:OWNER/NAME, a folder of save_to_disk, "
                "or one of Parquet files."
            ) from error
    parts = found if isinstance(found, Mapping) else {"": found}
    for name, part in parts.items():
        rows = list(_rows(datasets, part, str(name)))
        yield from samples_from_rows(rows, Path(), f"{path} {name}".strip(), options, problems, split_name(name))


def _load(datasets: ModuleType, path: str, options: Data) -> Any:
    place = Path(path)
    if path.startswith("hub:"):
        name, _, config = path.removeprefix("hub:").partition(":")
        return datasets.load_dataset(name, config or None)
    if files := _parquet(place):
        cache = cache_folder(options.cache) / "hub"
        return datasets.load_dataset("parquet", data_files=files, cache_dir=str(cache))
    return datasets.load_from_disk(str(place))


def _parquet(folder: Path) -> dict[str, list[str]]:
    """Split -> its Parquet files, in a folder or its data/."""
    found: dict[str, list[str]] = {}
    for place in (folder, folder / "data"):
        for file in sorted(place.glob("*.parquet")) if place.is_dir() else ():
            if match := _PARQUET.fullmatch(file.name):
                found.setdefault(match["split"], []).append(str(file))
    return found


def _rows(datasets: ModuleType, part: Any, split: str) -> Iterator[Row]:
    """Rows whose pictures and sounds are `Cell`s."""
    large = {name: kind for name, kind in part.features.items() if isinstance(kind, datasets.Image | datasets.Audio)}
    columns = {
        name: part.select_columns([name]).cast_column(name, type(kind)(decode=False)) for name, kind in large.items()
    }
    empty = {name: _empty(column) for name, column in columns.items()}
    small = part.remove_columns(list(large))
    for i, values in enumerate(small if small.column_names else [{}] * len(part)):
        row: dict[str, Any] = {name: _named(part.features[name], value) for name, value in values.items()}
        for name, column in columns.items():
            row[name] = None if empty[name][i] else Cell(column, f"{split or 'row'}-{i:05d}", i)
        yield f"row {i} of {split or 'the data set'}", row


def _empty(column: Any) -> list[bool]:
    """True for rows without a value; a thousand at a time, so that the pictures are never all in memory."""
    table = column.with_format("arrow")
    starts = range(0, len(table), 1000)
    return [flag for i in starts for flag in table[i : i + 1000].column(0).is_null().to_pylist()]


def _named(kind: Any, value: Any) -> Any:
    """The names of classes where numbers stand for them; -1 stands for none."""
    if hasattr(kind, "int2str") and value is not None:
        return kind.int2str(value) if value >= 0 else None
    inner = getattr(kind, "feature", None)
    return [_named(inner, one) for one in value] if isinstance(value, list) and hasattr(inner, "int2str") else value


@contextmanager
def _quiet(datasets: ModuleType) -> Iterator[None]:
    """No progress bars of the package: a library prints nothing."""
    shown = datasets.are_progress_bars_disabled() is False
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
