"""What lies where in a tar, on this machine or behind a URL; large and distant ones are looked through only once."""

import contextlib
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from tuwen._files import write_atomic
from tuwen.data._files import cache_folder
from tuwen.data._stored import Stored
from tuwen.errors import DataError, MissingExtraError

WORDS = (".txt", ".text", ".caption", ".json", ".cls")
"""Endings of members whose content is kept in the index: the words, not the pictures."""
LARGE = 64 << 20
"""Bytes from which on the index of a tar on this machine is kept in the cache folder."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar."""

    name: str
    start: int
    """Byte of the tar where its content begins."""
    size: int
    content: str | None = None
    """Its text, where it is one of `WORDS`."""


@dataclass(frozen=True, slots=True)
class Part(Stored):
    """The bytes of one member, read by their place."""

    address: str
    name: str
    start: int
    size: int

    def load(self) -> bytes:
        """
        Raises:
            DataError: the tar has gone, or is shorter than it was.
            MissingExtraError: a URL without fsspec.
        """
        try:
            raw = self._read()
        except OSError as error:
            why = error.strerror or f"{type(error).__name__} {error}".strip()
            raise DataError(f"{self.name} in {self.address} cannot be read: {why}.") from None
        if len(raw) != self.size:
            raise DataError(f"{self.address} has changed: {self.name} is cut. Start again, so that it is read anew.")
        return raw

    def _read(self) -> bytes:
        if is_url(self.address):
            system, path = filesystem(self.address)
            return bytes(system.cat_file(path, self.start, self.start + self.size))
        with open(self.address, "rb") as file:
            file.seek(self.start)
            return file.read(self.size)


def is_url(address: str) -> bool:
    return "://" in address


def filesystem(address: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path there.

    Raises:
        MissingExtraError: fsspec, or what it needs for this kind of URL, is not installed.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(address)
    except ImportError as error:
        if "fsspec" in str(error) or isinstance(error, ModuleNotFoundError):
            raise MissingExtraError(f"reading {address}", "remote") from None
        raise DataError(f"{address} cannot be opened: {error}.") from None
    except ValueError as error:
        raise DataError(f"{address} cannot be opened: {error}.") from None
    return system, str(path)


def members(address: str, cache: str) -> Iterator[Member]:
    """The files in a tar, in its order.

    Args:
        cache: as `data.cache`; indexes of large and of distant tars are kept there.
    Raises:
        DataError: no tar, packed, or cut; what came before the cut has been given.
    """
    try:
        length, state = _state(address)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise DataError(f"{address} cannot be opened: {why}. Check that it is there and readable.") from None
    if not is_url(address) and length < LARGE:
        yield from _scan(address)
        return
    digest = blake2b(json.dumps([address, length, state]).encode(), digest_size=16).hexdigest()
    kept = cache_folder(cache) / f"shard-{digest}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        yield from [Member(*row) for row in json.loads(kept.read_text("utf-8"))]
        return
    found = []
    for member in _scan(address):
        found.append(member)
        yield member
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(kept, json.dumps([astuple(member) for member in found], ensure_ascii=False))


def _state(address: str) -> tuple[int, str]:
    """Length, and something else that changes when the content does."""
    if is_url(address):
        system, path = filesystem(address)
        return int(system.size(path) or 0), str(system.ukey(path))
    found = os.stat(address)
    return found.st_size, str(found.st_mtime_ns)


def _scan(address: str) -> Iterator[Member]:
    with _opened(address) as file:
        start = file.read(2)
        file.seek(0)
        if start in (b"\x1f\x8b", b"BZ", b"\xfd7", b"\x28\xb5"):
            raise DataError(
                f"{address} is packed; pictures in it cannot be read by their place. Unpack it to a plain .tar: "
                "pictures are packed already."
            )
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for info in tar:
                    if info.isreg():
                        yield Member(info.name, info.offset_data, info.size, _content(tar, info))
                file.seek(tar.offset)
                if file.read(tarfile.BLOCKSIZE).count(0) < tarfile.BLOCKSIZE:  # cut between two members
                    raise tarfile.ReadError("its end is missing")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(f"{address} is no whole tar: {error}. Copy or write it again.") from None


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str | None:
    if os.path.splitext(info.name)[1].lower() not in WORDS:
        return None
    file = tar.extractfile(info)
    raw = file.read() if file else b""
    return raw.decode("utf-8-sig", "surrogateescape")


def _opened(address: str) -> IO[bytes]:
    if not is_url(address):
        return Path(address).open("rb")
    system, path = filesystem(address)
    return system.open(path, "rb")  # type: ignore[no-any-return]
