"""What frozen parts make of a picture, and pictures decoded once: memory-mapped, keyed by weights, preprocessing, content.

A cache is two files. `KEY.bin` holds rows of one shape, `KEY.idx` the content hash of each; rows are only ever
appended, data before index, so a kill loses at most the last batch. A changed picture has another hash and is made anew.
Other views of a picture are rows of their own, under a hash of its content and the name of the view.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tuwen._files import alone
from tuwen.data._config import Data, View
from tuwen.data._files import cache_folder
from tuwen.data._split import content_hash
from tuwen.data._views import view_of
from tuwen.errors import DataError
from tuwen.recipe import dump_part
from tuwen.types import Located, Sample

_HASH = 32
"""Characters of a content hash."""
_BATCH = 64

Skip = Callable[[int, DataError], None]
"""Called with the row and the error of a picture that cannot be read."""


class Cache:
    """Rows of one shape and type on disk, found by content hash."""

    def __init__(self, folder: Path, key: str, shape: Sequence[int], dtype: np.dtype[Any]):
        folder.mkdir(parents=True, exist_ok=True)
        self.data_path, self.index_path = folder / f"{key}.bin", folder / f"{key}.idx"
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.row_bytes = int(np.prod(self.shape)) * self.dtype.itemsize
        self._place: dict[str, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Reads the index again; rows that a kill left half written do not count."""
        text = self.index_path.read_text("ascii", "replace") if self.index_path.exists() else ""
        held = self.data_path.stat().st_size // self.row_bytes if self.data_path.exists() else 0
        hashes = list(takewhile(lambda line: len(line) == _HASH, text.split("\n")))[:held]
        self._place = {name: i for i, name in enumerate(hashes)}
        self._count = len(hashes)
        self._map = (
            np.memmap(self.data_path, self.dtype, "r", shape=(self._count, *self.shape)) if self._count else None
        )

    def __contains__(self, name: str) -> bool:
        return name in self._place

    def place(self, name: str) -> int:
        """Row number of a content hash."""
        return self._place[name]

    def read(self, places: Sequence[int]) -> torch.Tensor:
        """(P, *shape) copies of the rows at these numbers."""
        if self._map is None:
            return torch.empty(0)
        out = np.empty((len(places), *self.shape), self.dtype)
        for i, place in enumerate(places):  # row by row: fancy indexing of a memory map is several times slower
            out[i] = self._map[place]
        return torch.from_numpy(out)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Callable[[Sequence[str], np.ndarray], None]]:
        """Gives `append(hashes, rows)`; one process writes at a time, others wait and then find its rows."""
        lock = self.index_path.with_suffix(".lock")
        lock.touch()
        with alone(lock, wait=True):
            self.refresh()
            self._map = None
            with open(self.data_path, "ab") as data, open(self.index_path, "ab") as index:
                data.truncate(self._count * self.row_bytes)
                index.truncate(self._count * (_HASH + 1))

                def append(hashes: Sequence[str], rows: np.ndarray) -> None:
                    data.write(np.ascontiguousarray(rows, self.dtype).tobytes())
                    data.flush()
                    index.write("".join(f"{name}\n" for name in hashes).encode())
                    index.flush()

                yield append
        self.refresh()


class _Row(NamedTuple):
    """A row of the cache that is to be made."""

    name: str
    sample: int
    """Number of the sample whose picture it is."""
    view: View | None


class Cached:
    """One field of the samples, read from a cache: features of a frozen encoder, or decoded pictures of any other.

    Args:
        precision: what features are computed in; those of another are others.
    """

    bound = False

    def __init__(self, field: str, part: Any, options: Data, precision: str = "float32"):
        self.field, self.part, self.options, self.precision = field, part, options, precision
        self.encoded = bool(getattr(part, "frozen", False))
        self.cache: Cache
        self.places: dict[str, list[int]] = {}
        """Key of a sample -> row of its picture, then those of the other views of it, where they were made."""

    def place(self, key: str, view: int = 0) -> int:
        """Row of a sample's picture; of one of its views, counted from 1, where they were made."""
        return self.places[key][view]

    def read(self, places: Sequence[int]) -> torch.Tensor:
        """(P, ...) what lies in these rows."""
        return self.cache.read(places)

    def build(
        self,
        samples: Sequence[Sample],
        run: Callable[[torch.Tensor], torch.Tensor],
        *,
        skip: Skip,
        progress: Callable[[int, int], None],
        learned: int = 0,
    ) -> None:
        """Makes what is missing.

        Args:
            run: prepared pictures -> features, in the precision of the run; used for frozen encoders only.
            skip: takes rows that cannot be read; may raise.
            progress: called with (done, of) pictures.
            learned: how many of the samples, the first, are learned from: only these have other views.
        """
        rows = [i for i, sample in enumerate(samples) if sample.fields.get(self.field) is not None]
        hashes = self._hashes(samples, rows, skip)
        probe = self._probe(samples, hashes, run, skip)
        if probe is None:
            return
        folder = cache_folder(self.options.cache)
        self.cache = Cache(folder, self._key(probe), probe.shape[1:], probe.dtype)
        wanted = {i: self._rows(i, name, i < learned) for i, name in hashes.items()}
        first = {row.name: row for rows in reversed(wanted.values()) for row in rows}
        missing = [row for row in first.values() if row.name not in self.cache]
        if missing:
            self._fill(samples, missing, run, skip, progress, hashes)
        self.places = {samples[i].key: [self.cache.place(row.name) for row in wanted[i]] for i in hashes}

    def _rows(self, sample: int, name: str, views: bool) -> list[_Row]:
        """The rows of a picture: itself, and its other views where it has them."""
        others = self.options.views if views else ()
        named = [(blake2b(f"{name} {view}".encode(), digest_size=_HASH // 2).hexdigest(), view) for view in others]
        return [_Row(name, sample, None), *(_Row(other, sample, view) for other, view in named)]

    def _hashes(self, samples: Sequence[Sample], rows: Sequence[int], skip: Skip) -> dict[int, str]:
        def one(row: int) -> str | DataError:
            try:
                return content_hash(samples[row].fields[self.field])[:_HASH]
            except (OSError, DataError) as error:
                return DataError(f"{samples[row].where or samples[row].key} cannot be read: {error}")

        found: dict[int, str] = {}
        with ThreadPoolExecutor(max(1, self.options.workers)) as pool:
            for row, name in zip(rows, pool.map(one, rows), strict=True):
                if isinstance(name, DataError):
                    skip(row, name)
                else:
                    found[row] = name
        return found

    def _fill(
        self,
        samples: Sequence[Sample],
        missing: Sequence[_Row],
        run: Callable[[torch.Tensor], torch.Tensor],
        skip: Skip,
        progress: Callable[[int, int], None],
        hashes: dict[int, str],
    ) -> None:
        done = 0
        with self.cache.writing() as append, ThreadPoolExecutor(max(1, self.options.workers)) as pool:
            # others may have written some of it while this one waited
            left = [row for row in missing if row.name not in self.cache]
            todo = iter(sorted(left, key=lambda row: row.sample))
            chunks = iter(lambda: list(islice(todo, _BATCH)), [])
            ahead = [pool.submit(self._prepare, samples, chunk) for chunk in islice(chunks, 3)]
            while ahead:
                good, data, bad = ahead.pop(0).result()
                for chunk in islice(chunks, 1):
                    ahead.append(pool.submit(self._prepare, samples, chunk))
                for broken, error in bad:
                    name = hashes.get(broken.sample)  # None where another view of it was found broken before
                    for sample in [i for i, other in hashes.items() if other == name]:
                        del hashes[sample]
                        skip(sample, error if sample == broken.sample else self._error(samples[sample]) or error)
                if good:
                    append([row.name for row in good], self._stored(run(data) if self.encoded else data))
                done += len(good) + len(bad)
                progress(done, len(missing))

    def _prepare(
        self, samples: Sequence[Sample], chunk: Sequence[_Row]
    ) -> tuple[list[_Row], torch.Tensor, list[tuple[_Row, DataError]]]:
        good, made, bad = [], [], []
        for row in chunk:
            try:
                made.append(view_of(self.part.prepare, self._located(samples[row.sample]), row.view))
                good.append(row)
            except DataError as error:
                bad.append((row, error))
        return good, torch.cat(made) if made else torch.empty(0), bad

    def _error(self, sample: Sample) -> DataError | None:
        """What is wrong with a picture that is the same as a broken one, by its own name."""
        try:
            self.part.prepare([self._located(sample)])
        except DataError as error:
            return error
        return None

    def _located(self, sample: Sample) -> Located:
        return Located(sample.fields[self.field], sample.where, self.options.max_pixels)

    def _probe(
        self, samples: Sequence[Sample], hashes: dict[int, str], run: Callable[[torch.Tensor], torch.Tensor], skip: Skip
    ) -> np.ndarray | None:
        """What is made of the first picture that can be read; None where there is none."""
        for row in list(hashes):
            try:
                data = self.part.prepare([self._located(samples[row])])[0]
            except DataError as error:
                del hashes[row]
                skip(row, error)
            else:
                return self._stored(run(data) if self.encoded else data)
        return None

    @staticmethod
    def _stored(data: torch.Tensor) -> np.ndarray:
        if data.is_floating_point():
            data = data.float().clamp(-65504, 65504).half()
        return data.cpu().numpy()

    def _key(self, probe: np.ndarray) -> str:
        learned = self.part.learned() if hasattr(self.part, "learned") else {}
        config = dump_part(self.part.config)
        config.pop("source", None)
        digest = blake2b(
            json.dumps([config, learned, list(probe.shape[1:]), str(probe.dtype)], sort_keys=True).encode(),
            digest_size=12,
        )
        if self.encoded:
            digest.update(self.precision.encode())
            for name, tensor in sorted(self.part.state_dict().items()):
                digest.update(name.encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return f"{self.field}-{'features' if self.encoded else 'pixels'}-{digest.hexdigest()}"

    def estimate_bytes(self, num_rows: int) -> int:
        """Size of the cache for this many rows, each with its views, as far as known."""
        return num_rows * (1 + len(self.options.views)) * self.cache.row_bytes if hasattr(self, "cache") else 0
