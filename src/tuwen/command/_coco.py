"""Captions and references in files, as the COCO caption evaluation has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuwen.errors import DataError

_RESULTS = '[{"image_id": 42, "caption": "a dog runs"}, ...]'
_REFERENCES = '{"annotations": [{"image_id": 42, "caption": "a dog"}, ...]} or {"42": ["a dog", "..."], ...}'


def read_results(path: str) -> dict[Any, str]:
    """Id -> caption of a results file.

    Raises:
        DataError: it cannot be read, is laid out otherwise, or has two captions of one picture.
    """
    found: dict[Any, str] = {}
    rows = _load(path)
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"image_id", "caption"} <= row.keys() for row in rows
    ):
        raise DataError(f"{path} is no list of results; it has to be {_RESULTS}")
    for number, row in enumerate(rows, 1):
        if row["image_id"] in found:
            raise DataError(
                f"{path} has two captions for image_id {row['image_id']!r}, the second is entry {number}; keep one."
            )
        if not isinstance(row["caption"], str):
            raise DataError(
                f"{path}: the caption of image_id {row['image_id']!r} is {type(row['caption']).__name__}, not text."
            )
        found[row["image_id"]] = row["caption"]
    if not found:
        raise DataError(f"{path} holds no captions; it has to be {_RESULTS}")
    return found


def read_references(path: str) -> dict[Any, list[str]]:
    """Id -> references.

    Raises:
        DataError: it cannot be read, or is laid out otherwise.
    """
    raw, found = _load(path), dict[Any, list[str]]()
    rows = raw.get("annotations") if isinstance(raw, dict) else raw
    if isinstance(rows, list) and all(isinstance(row, dict) and {"image_id", "caption"} <= row.keys() for row in rows):
        for row in rows:
            found.setdefault(row["image_id"], []).append(row["caption"])
        return found
    if isinstance(raw, dict) and all(isinstance(group, str | list) for group in raw.values()):
        return {key: [group] if isinstance(group, str) else group for key, group in raw.items()}
    raise DataError(f"{path} holds no references; it has to be {_REFERENCES}")


def join(
    results: Mapping[Any, str], references: Mapping[Any, Sequence[str]], captions_file: str, references_file: str
) -> list[tuple[str, str, list[str]]]:
    """(key, caption, references) of every result; 42 and "42" name the same picture.

    Raises:
        DataError: a caption has no references, or references have no caption.
    """
    said = {str(key): text for key, text in results.items()}
    told = {str(key): list(group) for key, group in references.items()}
    for kept, raw, path in ((said, results, captions_file), (told, references, references_file)):
        if len(kept) != len(raw):
            twice = next(key for key in raw if not isinstance(key, str) and str(key) in raw)
            raise DataError(
                f"{path} has both {twice!r} (a number) and {str(twice)!r} (a text) as ids; write all of them one way."
            )
    if without := [key for key in said if not told.get(key)]:
        kinds = f"{_kind(results)} there, {_kind(references)} here"
        raise DataError(
            f"{len(without)} of {len(said)} captions have no references in {references_file}, such as "
            f"{_shown(without)} (ids are {kinds}, such as "
            f"{_shown(list(told))}); give references for each, or leave those captions out."
        )
    if unsaid := [key for key in told if key not in said]:
        raise DataError(
            f"{len(unsaid)} of {len(told)} pictures in {references_file} have no caption in {captions_file}, such "
            f"as {_shown(unsaid)}; "
            "caption them too, or leave their references out: figures of a part do not compare with those of the whole."
        )
    return [(key, text, told[key]) for key, text in said.items()]


def _kind(ids: Mapping[Any, Any]) -> str:
    kinds = sorted({"texts" if isinstance(key, str) else "numbers" for key in ids})
    return " and ".join(kinds) or "none"


def _shown(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) or "none"


def _load(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Name a JSON file.") from error
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}. It has to be {_RESULTS} or {_REFERENCES}") from error
