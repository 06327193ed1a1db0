"""IDX files of pictures and labels, as those of MNIST.

    train-images-idx3-ubyte.gz      (N, H, W) or (N, H, W, C) uint8; packed with gzip or not
    train-labels-idx1-ubyte.gz      N numbers of classes; without this file there are pictures alone
    t10k-images-idx3-ubyte.gz       the test part (t10k or test), where there is one; val is read too
    classes.txt                     or labels.txt: the name of each class, from class 0, one a line

The path is the folder, or one file of pictures. The field label is the name of the class, which is the caption too; the
names are those of data.classes, else of the file, else the digits. A packed file is unpacked in memory, once, when the
first picture is asked for; one that is not packed is mapped. Rows hold numbers of pictures only.
Source: yann.lecun.com/exdb/mnist, "File formats for the MNIST database".
"""

import gzip
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

import numpy as np

from tuwen.data._config import Data
from tuwen.data._files import split_name
from tuwen.data._labels import CLASS_FILES, class_names, label_of, names_in
from tuwen.data._problem import Problem
from tuwen.data._stored import Stored
from tuwen.errors import DataError
from tuwen.types import Sample

_NAME = re.compile(r"(?:(?P<part>.+?)[-_.])?images[-_.]idx(?P<axes>[34])[-_.]ubyte(?:\.gz)?", re.IGNORECASE)
_UINT8 = 8
_MOST_OPEN = 6
_OPEN: dict[tuple[str, int], np.ndarray] = {}
_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class Pixels(Stored):
    """Picture `index` of a file of pictures: (H, W) or (H, W, C) uint8."""

    file: str
    index: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{Path(self.file).name}:{self.index}"

    def load(self) -> np.ndarray:
        """
        Raises:
            DataError: the file has gone or is cut.
        """
        return np.asarray(_opened(self.file)[self.index])


def recognise(path: str) -> float:
    """1 for a file of pictures called as above, or a folder that holds one."""
    return 1.0 if _files(Path(path)) else 0.0


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a picture, in the order of the files.

    Raises:
        DataError: no IDX file, one that is cut, or as many labels as there are not pictures; names the file.
    """
    files = _files(Path(path))
    if not files:
        raise DataError(f"{path} holds no file of pictures, as train-images-idx3-ubyte or train-images-idx3-ubyte.gz.")
    names = class_names(options.classes) or _names_beside(files[0].parent)
    for file in sorted(files, key=lambda file: _split(file) != "train"):
        count, split = _shape(file)[0], _split(file)
        numbers = _labels(file, count)
        for i in range(count):
            label = label_of(int(numbers[i]), names) if numbers is not None else None
            fields = {"image": Pixels(str(file), i), "text": label, "label": label}
            yield Sample(f"{split or 'picture'}-{i:05d}", fields, split, f"picture {i} of {file.name}")


def _files(path: Path) -> list[Path]:
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in found if _NAME.fullmatch(file.name) and file.is_file()]


def _split(file: Path) -> str | None:
    part = cast(re.Match, _NAME.fullmatch(file.name))["part"] or ""
    word = re.split(r"[-_.]", part)[-1].lower()
    return "test" if word == "t10k" else split_name(word)


def _names_beside(folder: Path) -> list[str]:
    return next((names_in(folder / name) for name in CLASS_FILES if (folder / name).is_file()), [])


def _labels(file: Path, count: int) -> Sequence[int] | None:
    """The N numbers beside a file of pictures; None where there is no such file.

    Raises:
        DataError: it is cut, or holds another number of labels.
    """
    name = re.sub(r"idx[34]", "idx1", file.name.replace("images", "labels").replace("Images", "Labels"))
    bare = name.removesuffix(".gz")
    beside = next((file.with_name(n) for n in (name, bare, bare + ".gz") if file.with_name(n).is_file()), None)
    if beside is None:
        return None
    numbers = np.asarray(_opened(str(beside)))
    if numbers.shape != (count,):
        raise DataError(
            f"{beside} holds {numbers.shape[0]:,} labels and {file.name} {count:,} pictures; they go together one by "
            "one. Download both again."
        )
    return cast(Sequence[int], numbers.tolist())


def _opened(file: str) -> np.ndarray:
    """All of a file, mapped where it is not packed; the last few stay open."""
    try:
        key = file, os.stat(file).st_mtime_ns
    except OSError as error:
        raise DataError(f"{file} cannot be opened: {error.strerror}. Check that it is there and readable.") from None
    found = _OPEN.get(key)
    if found is None:
        with _LOCK:  # else each thread would unpack it
            found = _OPEN.get(key)
            if found is None:
                while len(_OPEN) >= _MOST_OPEN:
                    del _OPEN[next(iter(_OPEN))]
                found = _OPEN[key] = _array(Path(file))
    return found


def _array(path: Path) -> np.ndarray:
    shape = _shape(path)
    if not _is_packed(path):
        return np.memmap(path, np.uint8, "r", offset=4 + 4 * len(shape), shape=shape)
    try:
        with gzip.open(path) as stream:
            raw = stream.read()
    except (OSError, EOFError, ValueError) as error:
        raise _cut(path, str(error)) from None
    if len(raw) != _length(shape):
        raise _cut(path, f"{len(raw):,} bytes unpacked, its header says {_length(shape):,}")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _shape(file: Path) -> tuple[int, ...]:
    """The shape in the header, checked against the length of the file.

    Raises:
        DataError: no IDX file of bytes, or another length than its header says.
    """
    packed = _is_packed(file)
    try:
        with cast(BinaryIO, gzip.open(file) if packed else open(file, "rb")) as stream:
            start = stream.read(4)
            sizes = stream.read(4 * start[3]) if len(start) == 4 else b""
    except (OSError, EOFError) as error:
        raise _cut(file, str(error)) from None
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] != _UINT8 or len(sizes) < 4 * start[3]:
        raise DataError(f"{file} is no IDX file of bytes: it begins with {start!r}. Download it again.")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    with open(file, "rb") as stream:
        if packed:  # the last four bytes of a gzip file are its length when unpacked
            stream.seek(-4, 2)
            length = int.from_bytes(stream.read(4), "little")
        else:
            length = stream.seek(0, 2)
    if length != _length(shape) % (1 << 32 if packed else 1 << 62):
        raise _cut(file, f"{length:,} bytes, its header says {_length(shape):,}")
    return shape


def _length(shape: Sequence[int]) -> int:
    return 4 + 4 * len(shape) + math.prod(shape)


def _is_packed(file: Path) -> bool:
    with open(file, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _cut(file: Path, why: str) -> DataError:
    return DataError(f"{file} is cut or damaged: {why}. Download it again.")
