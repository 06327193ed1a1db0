"""A data set in memory: rows with undecoded pictures, their splits, facts, fingerprint and problems."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from statistics import median
from typing import Any, overload

from tuwen import registry
from tuwen.data import _split
from tuwen.data._clean import clean
from tuwen.data._columns import is_given
from tuwen.data._config import Data
from tuwen.data._picture import check_picture
from tuwen.data._problem import Problem
from tuwen.data._samples import samples_from_rows
from tuwen.data._words import count_words
from tuwen.errors import DataError
from tuwen.types import Facts, Sample

SIDES = ("train", "val", "test")


class Dataset(Sequence[Sample]):
    """Rows in a fixed order. Nothing is decoded; contents are hashed when a split or the fingerprint is asked for.

    Example:
        >>> data = open_data([{"image": None, "text": "a red circle"}])
        >>> len(data), data[0].fields["text"]
        (1, ['a red circle'])
    """

    def __init__(
        self,
        samples: Iterable[Sample],
        *,
        name: str = "data",
        options: Data | None = None,
        problems: Iterable[Problem] = (),
        sides: Sequence[str] | None = None,
        hashes: Sequence[str] | None = None,
    ):
        self.name, self.options = name, options or Data()
        self._samples, self._found = list(samples), list(problems)
        if sides is not None:
            self._sides = list(sides)
        if hashes is not None:
            self.hashes = list(hashes)

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        return self.take(range(len(self))[index]) if isinstance(index, slice) else self._samples[index]

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} rows, fields {', '.join(self.fields)})"

    def take(self, index: Iterable[int]) -> Dataset:
        """The rows of `index`, each on the side where it stands here."""
        index = list(index)
        hashes = [self.hashes[i] for i in index] if "hashes" in self.__dict__ else None
        rows = (self._samples[i] for i in index)
        side = [self._sides[i] for i in index]
        return Dataset(rows, name=self.name, options=self.options, sides=side, hashes=hashes)

    def split(self, name: str) -> Dataset:
        """The rows of one part: train, val, test or a name of the data's own; may be empty for the first three.

        Raises:
            DataError: the data has no part of that name.
        """
        if name not in SIDES and name not in self.splits:
            raise DataError(f"{self.name} has no part {name!r}; it has {self._parts()}. Name one of them.")
        part = self.take(i for i, side in enumerate(self._sides) if side == name)
        part._samples = [sample if sample.split == name else replace(sample, split=name) for sample in part._samples]
        return part

    @property
    def splits(self) -> dict[str, int]:
        """Part -> number of its rows, train, val and test first, without empty ones."""
        names = [*SIDES, *sorted(set(self._sides) - set(SIDES))]
        return {name: n for name in names if (n := self._sides.count(name))}

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Fields that some row has a value of: image and text first, others as the data has them."""
        found: dict[str, None] = {}
        for sample in self._samples:
            found |= {key: None for key, value in sample.fields.items() if is_given(value)}
        return tuple(sorted(found, key=lambda field: (field != "image", field != "text")))

    @property
    def problems(self) -> list[Problem]:
        """What is wrong: found while reading, and pictures that stand on two sides."""
        return self._found + self._leaks

    def facts(self) -> Facts:
        """What a recipe is made from. Reads the headers of at most 200 pictures."""
        train = [sample for sample, side in zip(self._samples, self._sides, strict=True) if side == "train"]
        captions = [caption for sample in train for caption in sample.fields["text"]]
        words = [count_words(caption) for caption in captions]
        side, channels = _side_and_channels(train or self._samples, self.options.max_pixels)
        return Facts(
            num_train=len(train),
            num_captions=len(captions),
            num_pairs=sum(is_given(one.fields.get("image")) and bool(one.fields["text"]) for one in train),
            fields=self.fields,
            picture_side=side,
            picture_channels=channels,
            words_per_caption=sum(words) / len(words) if words else 10.0,
            split=self.splits,
            num_labels=len({label for sample in train for label in labels(sample)}),
        )

    def fingerprint(self) -> str:
        """32 hexadecimal digits of keys, fields and picture contents, in order; the place on disk does not count."""
        hasher = blake2b(digest_size=16)
        for sample, digest in zip(self._samples, self.hashes, strict=True):
            other = {key: value for key, value in sample.fields.items() if key != "image"}
            row = [sample.key, digest, other]
            hasher.update(json.dumps(row, sort_keys=True, default=_split.plain).encode())
        return hasher.hexdigest()

    @cached_property
    def hashes(self) -> list[str]:
        """One content hash a row: of its picture, or of its key where it has none."""
        return _split.content_hashes(self._samples)

    @cached_property
    def _sides(self) -> list[str]:
        own = [sample.split for sample in self._samples]
        hashes = self.hashes if _split.needs_hashes(own, self.options) else ()
        return _split.sides(own, hashes, self.options)

    @cached_property
    def _leaks(self) -> list[Problem]:
        if len(self.splits) < 2 or not any(sample.split for sample in self._samples):
            return []
        return list(_split.leaks(self._samples, self._sides, self.hashes))

    def _parts(self) -> str:
        return ", ".join(f"{name} ({count} rows)" for name, count in self.splits.items()) or "no rows"


def open_data(
    path: str | os.PathLike | Dataset | Sequence[dict], options: Data | None = None, *, reader: str = ""
) -> Dataset:
    """Reads whatever `path` is: the reader of `tuwen list data` that recognises it most surely.

    Args:
        path: a folder, a file, the name of a made world, a list of {"image": ..., "text": ..., ...}, or a Dataset,
            which is returned as it is.
        options: the `data` section of a recipe.
        reader: name of a reader, where recognising is not wanted.
    Raises:
        DataError: nothing is there, no reader recognises it, or a row cannot be used (see `Data.on_error`).
        UnknownNameError: there is no such reader.
    """
    if isinstance(path, Dataset):
        return path
    options, problems = options or Data(), list[Problem]()
    if isinstance(path, str | os.PathLike):
        name = Path(path).name or Path(path).resolve().name
        module = registry.get("data", reader or _recognise(str(path)))
        rows: Iterable[Sample] = module.read(str(path), options, problems)
    else:
        name = "rows"
        numbered = [(f"row {i}", row) for i, row in enumerate(path, 1)]
        rows = samples_from_rows(numbered, Path(options.root or "."), "the list", options, problems)
    data = Dataset(clean(rows, options, problems), name=name, options=options, problems=problems)
    _check_whole(data, str(path) if isinstance(path, str | os.PathLike) else "the list")
    return data


def labels(sample: Sample) -> list[str]:
    """The labels of a row: none, one or several."""
    value = sample.fields.get("label")
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _check_whole(data: Dataset, path: str) -> None:
    """What only shows when all rows are there."""
    if not len(data):
        why = f" {len(data._found)} were left out, the first: {data._found[0]}" if data._found else ""
        raise DataError(f"{path} holds no rows that can be used.{why} One row at least has a picture or a caption.")


def _recognise(path: str) -> str:
    """The surest reader; of equally sure ones the first by name.

    From the surest down: what a layout has for itself (Flickr's captions, hub:, saved data sets, IDX files, Karpathy's JSON,
    the word scenes, .tar files), COCO's JSON, which may lie beside Karpathy's, folders of Parquet files of splits and of
    shards, a table by its ending, a folder with metadata, with texts, a folder of one table, a folder of pictures.
    """
    sure = {name: float(registry.get("data", name).recognise(path)) for name in registry.names("data")}
    best = max(sure, key=lambda name: sure[name], default="")
    if best and sure[best] > 0:
        return best
    layouts = "; ".join(f"{name} ({registry.summary('data', name).rstrip('.')})" for name in sure)
    raise DataError(f"{_what_is_there(Path(path))} Layouts that can be read: {layouts}.")


def _what_is_there(path: Path) -> str:
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        if not names:
            return f"{path} is an empty folder."
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        return f"{path} is a folder that no reader recognises; it holds {shown}."
    if path.is_file():
        return f"{path} is a file of {path.stat().st_size:,} bytes that no reader recognises."
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, beside, n=1)
    hint = f" Did you mean {str(path.parent / near[0])!r}?" if near else ""
    return f"there is no file or folder {str(path)!r}.{hint}"


def _side_and_channels(samples: Sequence[Sample], max_pixels: int) -> tuple[int, int]:
    """Of up to 200 pictures, evenly picked, the median of the shorter side, and 1 where all are grey; 224 and 3 where
    none can be read."""
    pictures: list[Any] = [raw for sample in samples if (raw := sample.fields.get("image")) is not None]
    found, grey = [], True
    for raw in pictures[:: max(1, len(pictures) // 200)]:
        try:
            header = check_picture(raw, max_pixels=max_pixels)
        except DataError:
            continue
        found.append(min(header.width, header.height))
        grey = grey and header.mode in ("1", "L")
    return (int(median(found)), 1 if grey else 3) if found else (224, 3)
