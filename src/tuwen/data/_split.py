"""Which side a row stands on: from the data, or from a hash of the picture's content, never of the caption."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tuwen.data._config import Data
from tuwen.data._picture import pixels
from tuwen.data._problem import Problem
from tuwen.data._stored import Stored, loaded
from tuwen.errors import DataError
from tuwen.types import Located, Picture, Sample

SMALL = 200
"""Up to this many different pictures the shares are counted out; above, they are thresholds of the hash, so that a
picture stays on its side when others are added."""


def content_hash(raw: Picture | Located) -> str:
    """32 hexadecimal digits of a picture's content: of the bytes of a file, or of the pixels in memory.

    Raises:
        DataError: the file cannot be opened, or a picture of PIL not be decoded.
    """
    hasher, raw = blake2b(digest_size=16), loaded(raw.raw if isinstance(raw, Located) else raw)
    if isinstance(raw, bytes | bytearray | memoryview):
        hasher.update(raw)
    elif isinstance(raw, str | os.PathLike):
        try:
            with open(raw, "rb") as file:
                while block := file.read(1 << 20):
                    hasher.update(block)
        except OSError as error:
            raise DataError(f"{raw} cannot be opened: {error.strerror}. Check that it is there and readable.") from None
    else:
        array = pixels(raw) if isinstance(raw, Image.Image) else np.asarray(raw)
        hasher.update(f"{array.shape} {array.dtype}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def content_hashes(samples: Sequence[Sample]) -> list[str]:
    """One hash a row: of its picture, else of its sound, else of its key. Read by several threads."""

    def some(start: int) -> list[str]:  # one by one, the pool would take longer than small pictures do
        rows = [(sample.key, _content(sample)) for sample in samples[start : start + 64]]
        return [_hash_of(key, raw) for key, raw in rows]

    with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:
        return [digest for found in pool.map(some, range(0, len(samples), 64)) for digest in found]


def _hash_of(key: str, raw: Any) -> str:
    """A file that cannot be opened stands for itself: who reads it says what is wrong with it."""
    named = f"key {key}".encode("utf-8", "surrogateescape")
    try:
        return content_hash(named if raw is None else raw)
    except DataError:
        return content_hash(named)


def _content(sample: Sample) -> Any:
    """The picture of a row, or its sound where that lies in a file."""
    sound = sample.fields.get("audio")
    is_file = isinstance(sound, bytes | os.PathLike | Stored)
    return sound if sample.fields.get("image") is None and is_file else sample.fields.get("image")


def needs_hashes(own: Sequence[str | None], options: Data) -> bool:
    """True where the data leaves it to the hash which rows validate."""
    return _carves(own) and (options.val > 0 or (options.test > 0 and not any(own)))


def sides(own: Sequence[str | None], hashes: Sequence[str], options: Data) -> list[str]:
    """The side of each row. Rows of one hash that the data leaves free share a side.

    Args:
        own: what the data says: a name, or None.
        hashes: of the content; read only where `needs_hashes`.
    """
    if not needs_hashes(own, options):
        return [name or "train" for name in own]
    shares = {"val": options.val, "test": 0.0 if any(own) else options.test}
    free = {hashes[i] for i, name in enumerate(own) if name in (None, "train")}
    drawn = _count_out(free, shares) if len(free) <= SMALL else _by_threshold(free, shares)
    return [drawn[hashes[i]] if name in (None, "train") else name for i, name in enumerate(own)]


def leaks(samples: Sequence[Sample], side: Sequence[str], hashes: Sequence[str]) -> Iterable[Problem]:
    """One problem for each picture or sound that stands on several sides."""
    seen: dict[str, dict[str, Sample]] = {}
    for sample, name, digest in zip(samples, side, hashes, strict=True):
        if _content(sample) is not None:
            seen.setdefault(digest, {}).setdefault(name, sample)
    for by_side in seen.values():
        if len(by_side) > 1:
            kind = "sound" if any(sample.fields.get("image") is None for sample in by_side.values()) else "picture"
            yield Problem(
                " and ".join(f"{sample.key} ({name})" for name, sample in by_side.items()),
                f"are the same {kind} on two sides: a leak",
                "Figures of such a split are too good: move them to one side, or drop the split column.",
            )


def _carves(own: Sequence[str | None]) -> bool:
    """Whether rows to learn from are there, which those are too of which the data says nothing, and none that validate."""
    named = {name or "train" for name in own}
    return "train" in named and "val" not in named


def _count_out(free: set[str], shares: dict[str, float]) -> dict[str, str]:
    """By rank of the hash. One picture at least validates, and one at least is left to train on."""
    ranked, drawn = sorted(free), {}
    for side, share in shares.items():
        wanted = round(share * len(free))
        if side == "val" and share > 0:
            wanted = max(1, wanted)
        for _ in range(min(wanted, len(ranked) - 1)):
            drawn[ranked.pop()] = side
    return drawn | dict.fromkeys(ranked, "train")


def _by_threshold(free: set[str], shares: dict[str, float]) -> dict[str, str]:
    drawn = {}
    for digest in free:
        place = int(digest[:15], 16) / 16**15
        drawn[digest] = "val" if place < shares["val"] else "test" if place < sum(shares.values()) else "train"
    return drawn


def plain(value: Any) -> Any:
    """A value of any field as something that JSON can hold, for the fingerprint."""
    if isinstance(value, bytes | bytearray | np.ndarray | Stored):
        return content_hash(value)
    return Path(value).name if isinstance(value, os.PathLike) else str(value)
