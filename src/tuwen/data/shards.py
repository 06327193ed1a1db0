"""Tar files in the layout of WebDataset, on this machine or behind URLs.

    train-0000.tar    0001.jpg  0001.txt  0001.json  0002.jpg  0002.txt ...      files of one stem are one row
    train-0001.tar    ...
    val-0000.tar      ...        or folders train/, val/, test/ of .tar

.txt holds one caption a line, .cls a number or name of a class, .json an object whose keys are columns as those of a
table (caption, label, split, ...); .jpg, .png, ... the picture, .flac, .wav, ... the sound. The path is a .tar, a
folder, or a pattern: `data/train-{0000..0012}.tar`, `data/*.tar`, `https://host/{train,val}-0.tar`, `s3://bucket/*.tar`
(URLs need the extra remote). train, val or test in the name of a shard or its folder is the split. A shard is looked
through once, for what lies where; pictures stay in it until they are needed, and nothing is written beside it.
Source: github.com/webdataset/webdataset, "The WebDataset Format".
"""

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuwen.data._columns import TEXT_NAMES
from tuwen.data._config import Data
from tuwen.data._files import is_picture, is_sound, is_split, split_name, walk
from tuwen.data._problem import Problem, leave_out, torn
from tuwen.data._rows import Row
from tuwen.data._samples import samples_from_rows
from tuwen.data._tar import Member, Part, filesystem, is_url, members
from tuwen.errors import DataError
from tuwen.types import Sample

_MEMBER = re.compile(r"((?:.*/)?[^./][^/.]*)\.([^/]*)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def recognise(path: str) -> float:
    """1 for a .tar, a pattern or URL of such; 0.95 for a folder of them without pictures beside, 0.3 with."""
    if re.search(r"\.(tar|tar\.gz|tgz)$", path):
        return float(is_url(path) or bool(_BRACES.search(path)) or "*" in path or os.path.isfile(path))
    if not os.path.isdir(path):
        return 0.0
    names = [file.name for file, _ in zip(walk(Path(path)), range(2000), strict=False)]
    if not any(name.endswith(".tar") for name in names):
        return 0.0
    return 0.3 if any(map(is_picture, names)) else 0.95


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a stem, in the order of the shards.

    Raises:
        DataError: a pattern without a file, a broken tar or JSON; names the shard and the member.
        MissingExtraError: a URL without fsspec.
    """
    rows: list[Row] = []
    unread: Counter[str] = Counter()
    for address in addresses(path):
        found: dict[str, dict[str, Member]] = {}
        try:
            for member in members(address, options.cache):
                if match := _MEMBER.fullmatch(member.name):
                    found.setdefault(match[1], {})[match[2].lower()] = member
        except DataError as error:
            if options.on_error == "raise":
                raise
            remedy = "Copy or write it again; what stands before the damage is kept."
            problems.append(Problem(address, "is broken", remedy, error.message, left_out=True))
        side = _side(address)
        rows += [_row(address, stem, files, side, options, problems, unread) for stem, files in found.items()]
    for ending, count in unread.items():
        where = f"{count:,} members .{ending} of {Path(path).name}"
        problems.append(Problem(where, "are of a kind that is not read", "They were passed over."))
    folder = Path(path) if os.path.isdir(path) else Path()
    yield from samples_from_rows(rows, folder, Path(path).name, options, problems)


def addresses(path: str) -> list[str]:
    """The shards that a path means, sorted where the path does not say their order.

    Raises:
        DataError: there is none.
    Example:
        >>> addresses("https://host/{train-{08..09},val}.tar")
        ['https://host/train-08.tar', 'https://host/val.tar', 'https://host/train-09.tar']
    """
    if os.path.isdir(path):
        found = [str(file) for file in walk(Path(path)) if file.name.endswith(".tar")]
    else:
        found = [address for pattern in _unfold(path) for address in _matching(pattern)]
    if not found:
        raise DataError(
            f"there is no shard {path!r}. Give a .tar, a folder of them, or a pattern as data/{{0000..0012}}.tar."
        )
    return found


def _unfold(pattern: str) -> list[str]:
    """The patterns that braces stand for: {a,b} and {000..012}."""
    match = _BRACES.search(pattern)
    if not match:
        return [pattern]
    words = match[1].split(",")
    if span := _RANGE.fullmatch(match[1]):
        first, last = sorted((int(span[1]), int(span[2])))
        words = [str(number).zfill(len(span[1])) for number in range(first, last + 1)]
    made = (pattern[: match.start()] + word + pattern[match.end() :] for word in words)
    return list(dict.fromkeys(address for one in made for address in _unfold(one)))


def _matching(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        return [pattern]
    if not is_url(pattern):
        return sorted(glob.glob(pattern, recursive=True))
    system, path = filesystem(pattern)
    return sorted(system.unstrip_protocol(found) for found in system.glob(path))


def _side(address: str) -> str | None:
    """The split that the name of a shard says, else that of its folder."""
    folder, name = address.rsplit("/", 2)[-2:] if "/" in address else ("", address)
    words = [word for word in (*re.split(r"[-_.]", name), folder) if is_split(word)]
    return split_name(words[0]) if words else None


def _row(
    address: str,
    stem: str,
    files: dict[str, Member],
    side: str | None,
    options: Data,
    problems: list[Problem],
    unread: Counter[str],
) -> Row:
    """Members of one stem as a row of a table."""
    where = f"{stem} of {address.rsplit('/', 1)[-1]}"
    row: dict[str, Any] = {"split": side} if side else {}
    for ending, member in files.items():
        if ending.endswith("json"):
            row |= _object(member, where, options, problems)
    for ending, member in files.items():
        part = Part(address, member.name, member.start, member.size)
        kind = "image" if is_picture(member.name) else "audio" if is_sound(member.name) else ""
        if isinstance(row.get(kind), Part):  # what the JSON says of it may stand there too
            what = f"has several members of the field {kind}"
            remedy = "Give each row a name of its own, without a dot before the ending; the last counts."
            leave_out(Problem(where, what, remedy, member.name), options, problems)
        if is_picture(member.name):
            row["image"] = part
        elif is_sound(member.name):
            row["audio"] = part
        elif ending.endswith("cls"):
            row["label"] = (member.content or "").strip()
        elif member.content is not None and not ending.endswith("json") and torn(member.content):
            leave_out(Problem(where, "is not UTF-8", "Write that member again.", member.name), options, problems)
        elif member.content is not None and not ending.endswith("json"):
            row["text"] = [line for line in member.content.split("\n") if line.strip()]
        elif member.content is None:
            unread[ending] += 1
    caption = next((name for name in TEXT_NAMES if name in row), None)
    if caption and "text" not in row and not options.text_column:  # rows with .txt and rows with .json may be mixed
        row["text"] = row.pop(caption)
    return where, row


def _object(member: Member, where: str, options: Data, problems: list[Problem]) -> dict[str, Any]:
    try:
        found = json.loads(member.content or "")
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}, {error.msg}"
        leave_out(Problem(where, "has no valid JSON", "Write that member again.", detail), options, problems)
        return {}
    if not isinstance(found, dict):
        remedy = 'Its keys are columns: {"caption": "...", "label": "..."}.'
        leave_out(Problem(where, "has JSON that is no object", remedy), options, problems)
        return {}
    return found
