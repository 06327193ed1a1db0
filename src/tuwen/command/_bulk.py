"""Asking one task about many pictures: finding them, answering in batches, leaving out what cannot be read."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from tuwen.data._files import UNREAD_SUFFIXES, is_picture, walk
from tuwen.data._problem import LIMIT
from tuwen.errors import DataError

SMALLER = "Make it smaller first."
"""Advice about a picture that is too large, for who asks a model: what it was trained with stays."""
ROWS = 64
"""Pictures that are answered, and written, at once."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every verb that takes pictures."""

    out: str = ""
    """Where answers go: FILE.csv, FILE.jsonl, or FOLDER/ for one .txt a picture (one .png where pictures are
    made); what is there is not asked again. FILE.png is the one picture that was made."""
    on_error: Literal["stop", "skip"] = "stop"
    """stop: end at the first picture that cannot be read; skip: leave it out, count it and name it."""
    overwrite: bool = False
    """Begin anew where -o names something that is there."""


@dataclass(slots=True)
class Summary:
    """What became of the pictures."""

    written: int = 0
    """Pictures that were answered."""
    skipped: int = 0
    """Pictures that had an answer from an earlier run."""
    abstained: int = 0
    """Of the answers that were written, those that say why there is none."""
    failed: dict[str, str] = field(default_factory=dict)
    """Picture -> why it cannot be read."""
    seconds: float = 0.0

    def __str__(self) -> str:
        silent = f" ({self.abstained} of them without an answer: too unsure)" if self.abstained else ""
        text = f"{self.written} written{silent}, {self.skipped} were there already, {len(self.failed)} failed"
        text += f", {self.seconds:.1f} s"
        shown = list(self.failed)[:10]
        more = f" and {len(self.failed) - 10} more" if len(self.failed) > 10 else ""
        return text + (f"; failed: {', '.join(shown)}{more}" if shown else "")


def find_pictures(given: Sequence[str]) -> list[tuple[str, Path]]:
    """(path as it is named in the answers, path below what was given) of files, and of all pictures in folders.

    Returns:
        In the order given, folders sorted and with all below them; each picture once.
    Raises:
        DataError: a path is not there, or a folder holds no picture.
    """
    found: dict[str, Path] = {}
    for one in given:
        path = Path(one)
        if path.is_dir():
            inside = list(walk(path))
            pictures = [file for file in inside if is_picture(file.name)]
            if not pictures:
                raise DataError(
                    f"{one} holds no pictures.{_unread(inside)} Name a folder of .jpg, .png, .webp, ... files."
                )
            for file in pictures:
                found.setdefault(str(file), file.relative_to(path))
        elif path.exists():
            found.setdefault(str(path), Path(path.name))
        else:
            hint = " It is an address: download the picture first." if "://" in one else ""
            raise DataError(f"there is no file or folder {one!r}.{hint} IMAGE is a picture, or a folder of pictures.")
    return list(found.items())


def _unread(files: Sequence[Path]) -> str:
    count = sum(file.suffix.lower() in UNREAD_SUFFIXES for file in files)
    return f" {count} are in formats that cannot be read ({', '.join(sorted(UNREAD_SUFFIXES))})." if count else ""


def answers(
    run: Callable[[list[Any]], list[Any]], requests: Sequence[tuple[str, Any]], on_error: str, rows: int = ROWS
) -> Iterator[list[tuple[str, Any]]]:
    """Batches of (name, Response), or (name, DataError) for a picture that cannot be read.

    Raises:
        DataError: such a picture, with on_error="stop"; the answers before it are given first.
    """
    for start in range(0, len(requests), rows):
        made = list(_answer(run, requests[start : start + rows]))
        broken = [error for _, error in made if isinstance(error, DataError)]
        if broken and on_error == "stop":
            before = next(i for i, (_, answer) in enumerate(made) if isinstance(answer, DataError))
            yield made[:before]
            hint = " Leave such pictures out with --on-error skip." if len(requests) > 1 else ""
            raise DataError(f"{broken[0]}{hint}")
        yield made


def _answer(run: Callable[[list[Any]], list[Any]], requests: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Halves a batch that fails until the pictures that cannot be read stand alone."""
    try:
        responses = run([request for _, request in requests])
    except DataError as error:
        if len(requests) == 1:
            yield requests[0][0], DataError(str(error).replace(LIMIT, SMALLER))
            return
        half = len(requests) // 2
        yield from _answer(run, requests[:half])
        yield from _answer(run, requests[half:])
        return
    yield from zip((name for name, _ in requests), responses, strict=True)


class Ticker:
    """How far a job is, on stderr: one line that is rewritten on a terminal, a line every 10 seconds elsewhere."""

    def __init__(self, total: int, stream: TextIO | None = None):
        self.total, self.done, self.began = total, 0, time.monotonic()
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.said = self.began

    def add(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        if now := self._due():
            rate = self.done / max(1e-6, now - self.began)
            left = (self.total - self.done) / max(1e-6, rate)
            self._write(f"{self.done} of {self.total}, {rate:.1f} a second, {left:.0f} s left")

    def tell(self, text: str) -> None:
        """What is done of those that are under way."""
        if self._due():
            self._write(text if self.total == 1 else f"{self.done} of {self.total}, {text}")

    def _due(self) -> float:
        """The time where something may be said again; else 0."""
        now = time.monotonic()
        if not self.live and now - self.said < 10:
            return 0.0
        self.said = now
        return now

    def _write(self, text: str) -> None:
        self.stream.write(f"\r\x1b[K{text}" if self.live else text + "\n")
        self.stream.flush()

    def close(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
