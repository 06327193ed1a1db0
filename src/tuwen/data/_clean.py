"""What every reader's rows go through: pictures looked for, captions trimmed, nothing lost without a word."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuwen.data._config import Data
from tuwen.data._problem import Problem, leave_out, place, torn
from tuwen.data._words import count_words
from tuwen.types import Sample

FILES = ("image", "audio")
"""Fields whose values may be paths."""


def clean(samples: Iterable[Sample], options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """Rows with unique keys, pictures and sounds that are there, and `text` as a list of captions without empty ones.

    Raises:
        DataError: with on_error="raise", at a missing file or a caption that is no text or far too long.
    """
    seen: dict[str, int] = {}
    for sample in samples:
        fields = dict(sample.fields)
        for name in FILES:
            if isinstance(fields.get(name), str):
                fields[name] = Path(fields[name])
        if isinstance(fields.get("image"), list | tuple):
            detail = f"{len(fields['image'])} of them"
            several = Problem(sample.where or sample.key, "has several pictures", "Give each a row of its own.", detail)
            leave_out(several, options, problems)
            continue
        if any(_is_missing(sample, fields.get(name), options, problems) for name in FILES):
            continue
        where = sample.where or sample.key
        fields = {name: _whole(name, value, where, problems) for name, value in fields.items()}
        fields["text"] = list(usable_captions(fields.get("text"), where, options, problems))
        seen[sample.key] = seen.get(sample.key, 0) + 1
        key = sample.key if seen[sample.key] == 1 else f"{sample.key}#{seen[sample.key]}"
        yield replace(sample, key=key, fields={"image": None, **fields})


def _whole(name: str, value: Any, where: str, problems: list[Problem]) -> Any:
    """Labels, questions and answers as UTF-8 can hold them: the name of a folder may be of another encoding."""
    if name in (*FILES, "text"):
        return value
    if isinstance(value, list | tuple):
        return type(value)(_whole(name, one, where, problems) for one in value)
    if not isinstance(value, str) or not torn(value):
        return value
    readable = value.encode("utf-8", "backslashreplace").decode()
    remedy = f"It is written as {readable!r}; rename it in UTF-8."
    problems.append(Problem(where, f"has a {name} with half a character", remedy, f"{value[:40]!r}"))
    return readable


def _is_missing(sample: Sample, raw: Any, options: Data, problems: list[Problem]) -> bool:
    if not isinstance(raw, os.PathLike) or os.path.isfile(raw):
        return False
    remedy = "Set data.root to the folder that the paths start from."
    leave_out(Problem(place(_short(str(raw)), sample.where), "is not there", remedy), options, problems)
    return True


def _short(name: str) -> str:
    """Bytes as text that stand where a path is meant are long."""
    return name if len(name) <= 300 else f"{name[:80]}... ({len(name):,} characters)"


def usable_captions(raw: Any, where: str, options: Data, problems: list[Problem]) -> Iterator[str]:
    """The captions of a value, trimmed; those that are empty, far too long or no text are listed or raised."""
    values = [] if raw is None else [raw] if isinstance(raw, str) else list(raw)
    for value in values:
        if not isinstance(value, str):
            what = Problem(where, "has a caption that is no text", "Give a string.", f"{type(value).__name__}")
            leave_out(what, options, problems)
        elif torn(value):
            what = Problem(where, "has a caption with half a character", "Write it again.", f"{value[:40]!r}")
            leave_out(what, options, problems)
        elif not (caption := value.strip()):
            remedy = "It was dropped, the row stays; write one or remove it."
            problems.append(Problem(where, "has an empty caption", remedy))
        elif (length := _too_long(caption, options.max_words)) > 0:
            remedy = (
                f"A caption longer than data.max_words={options.max_words} looks like a mistake: cut it or raise it."
            )
            detail = f"{length:,} words, {caption[:40]!r}..."
            leave_out(Problem(where, "has a caption that is too long", remedy, detail), options, problems)
        else:
            yield caption


def _too_long(caption: str, max_words: int) -> int:
    """The number of words where it is above the limit, else 0; short strings are not counted."""
    if len(caption) <= max_words:
        return 0
    length = count_words(caption)
    return length if length > max_words else 0
