"""Captions and references in files, as the COCO caption evaluation has them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from tuwen.data._files import is_picture, walk
from tuwen.errors import DataError

_RESULTS = '[{"image_id": 42, "caption": "a dog runs"}, ...]'
_REFERENCES = '{"annotations": [{"image_id": 42, "caption": "a dog"}, ...]} or {"42": ["a dog", "..."], ...}'


def read_results(path: str) -> dict[Any, str]:
    """Id -> caption of a results file.

    Raises:
        DataError: it cannot be read, is laid out otherwise, or has two captions of one picture.
    """
    found: dict[Any, str] = {}
    rows = load(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} is no list of results; it has to be {_RESULTS}")
    _check_entries(path, rows, "results")
    for number, (key, row) in enumerate(zip(_ids(path, rows), rows, strict=True), 1):
        if key in found:
            raise DataError(f"{path} has two captions for image_id {key!r}, the second is entry {number}; keep one.")
        if not isinstance(row["caption"], str):
            raise DataError(f"{path}: the caption of image_id {key!r} is {type(row['caption']).__name__}, not text.")
        found[key] = row["caption"]
    if not found:
        raise DataError(f"{path} holds no captions; it has to be {_RESULTS}")
    return found


def read_references(path: str) -> dict[Any, list[str]]:
    """Id -> references.

    Raises:
        DataError: it cannot be read, or is laid out otherwise.
    """
    raw, found = load(path), dict[Any, list[str]]()
    rows = raw.get("annotations") if isinstance(raw, dict) else raw
    if isinstance(rows, list) and all(isinstance(row, dict) and {"image_id", "caption"} <= row.keys() for row in rows):
        for key, row in zip(_ids(path, rows), rows, strict=True):
            found.setdefault(key, []).append(row["caption"])
        return _checked(path, found)
    if isinstance(rows, list):
        _check_entries(path, rows, "annotations")
    if isinstance(raw, dict) and isinstance(raw.get("images"), list):
        raise DataError(
            f"{path} has images and no annotations, as Karpathy's splits have; that can be the DATA of `tuwen evaluate MODEL "
            f"DATA`, but references have to be {_REFERENCES}"
        )
    if isinstance(raw, dict) and all(isinstance(group, str | list) for group in raw.values()):
        return _checked(path, {key: [group] if isinstance(group, str) else group for key, group in raw.items()})
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


def _check_entries(path: str, rows: Sequence[Any], what: str) -> None:
    """Raises DataError for an entry that has no image_id and caption."""
    for number, row in enumerate(rows, 1):
        if not (isinstance(row, dict) and {"image_id", "caption"} <= row.keys()):
            shown = json.dumps(row, ensure_ascii=False)
            raise DataError(
                f"{path}: entry {number} of the {what} has no image_id and caption, it is {shown[:60]}; each is as in "
                f"{_RESULTS}"
            )


def _ids(path: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The image_id of each entry, a text or a whole number; raises DataError for anything else."""
    ids = [_whole(row["image_id"]) for row in rows]
    if not {*map(type, ids)} <= {int, str}:
        number, wrong = next((number, one) for number, one in enumerate(ids, 1) if type(one) not in (int, str))
        raise DataError(f"{path}: image_id of entry {number} is {wrong!r}; it is a whole number or a text, as in 42.")
    return ids


def _whole(key: Any) -> Any:
    """A number without a fraction, as pandas writes it, without its point too: 42.0 is 42."""
    return int(key) if isinstance(key, float) and key.is_integer() else key


def _says(text: str) -> bool:
    """Whether it has a word, as captions are scored."""
    from tuwen.metric._tokens import tokenize

    return any(map(str.isalnum, text)) or bool(tokenize(text))  # most show it by their first letter


def _checked(path: str, references: dict[Any, list[Any]]) -> dict[Any, list[str]]:
    """The same; raises DataError for what is no text, and for a picture all of whose references are empty."""
    if not references:
        raise DataError(f"{path} holds no references; it has to be {_REFERENCES}")
    for key, group in references.items():
        if wrong := [text for text in group if not isinstance(text, str)]:
            raise DataError(f"{path}: a reference of image_id {key!r} is {type(wrong[0]).__name__}, not text.")
        if group and not any(map(_says, group)):
            raise DataError(
                f"{path}: all references of image_id {key!r} have no words; give one that says something, or leave the picture "
                "out of both files."
            )
    return references


def notes_of(
    results: Mapping[Any, str], references: Mapping[Any, Sequence[str]], captions_file: str, references_file: str
) -> list[str]:
    """What counts otherwise than one may think: empty captions and references, ids that are numbers here and texts there."""
    notes = []
    if empty := [str(key) for key, text in results.items() if not _says(text)]:
        notes.append(f"{len(empty)} captions in {captions_file} have no words and score 0, such as {_shown(empty)}")
    if blank := [str(key) for key, group in references.items() if any(not text.strip() for text in group)]:
        notes.append(
            f"{len(blank)} pictures in {references_file} have an empty reference among others, such as {_shown(blank)}; "
            "it counts as a reference without words"
        )
    if (here := _kind(results)) != (there := _kind(references)):
        notes.append(
            f"ids are {here} in {captions_file} and {there} in {references_file}; they are compared as texts: 42 and "
            '"42" are one picture'
        )
    return notes


def find_pictures(folder: str, references_file: str, keys: Sequence[str]) -> dict[str, Path]:
    """Key -> its picture below a folder: by the file_name that the references' JSON gives it, else by a stem that is the
    key or ends in it (COCO_val2014_000000000042.jpg).

    Raises:
        DataError: there is no such folder, or a key has no picture, or could have several.
    """
    if not Path(folder).is_dir():
        raise DataError(f"there is no folder {folder!r}; name the folder of the pictures with --pictures.")
    files = [file for file in walk(Path(folder)) if is_picture(file.name)]
    ways = attrgetter("name"), attrgetter("stem"), lambda file: number_of(file.stem)
    by_name, by_stem, by_number = (_grouped(files, of) for of in ways)
    raw = load(references_file)
    images = raw.get("images") if isinstance(raw, dict) else None
    rows = [row for row in images or () if isinstance(row, dict) and {"id", "file_name"} <= row.keys()]
    named = {str(_whole(row["id"])): Path(row["file_name"]) for row in rows}
    found = {}
    for key in keys:
        some = by_name.get(named[key].name, []) if key in named else []
        whole = [file for file in some if file.parts[-len(named[key].parts) :] == named[key].parts]
        found[key] = (
            whole or some or by_stem.get(key) or (by_number.get(number_of(key)) if key.isdigit() else None) or []
        )
    if lacking := [key for key, some in found.items() if not some]:
        raise DataError(
            f"{len(lacking)} of {len(found)} ids have no picture in {folder}, such as {_shown(lacking)}; a picture is named "
            "after its id, or by `images` in the references' JSON."
        )
    if several := {key: some for key, some in found.items() if len(some) > 1}:
        key, some = next(iter(several.items()))
        could = " or ".join(str(file.relative_to(folder)) for file in some[:3])
        more = "its folder in `file_name`" if key in named else "`images`"
        raise DataError(f"id {key} could be {could}; give {more} in the references' JSON.")
    return {key: some[0] for key, some in found.items()}


def _grouped(files: Sequence[Path], of: Callable[[Path], str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(of(file), []).append(file)
    return groups


def number_of(stem: str) -> str:
    """The digits at the end of a name, without the zeros before them; the name itself if it has none."""
    digits = stem[len(stem.rstrip("0123456789")) :]
    return str(int(digits)) if digits else stem


def _kind(ids: Mapping[Any, Any]) -> str:
    kinds = sorted({"texts" if isinstance(key, str) else "numbers" for key in ids})
    return " and ".join(kinds) or "none"


def _shown(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) or "none"


def load(path: str) -> Any:
    """What a JSON file holds, with a byte-order mark or without one; errors: as `read_results`."""
    try:
        return json.loads(Path(path).read_text("utf-8-sig"), object_pairs_hook=partial(_once, path))
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Name a JSON file.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}. It has to be {_RESULTS} or {_REFERENCES}") from error


def _once(path: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; raises DataError for a name that is there twice, of which one would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise DataError(f"{path} has the name {twice!r} twice in one object; write it once, with all it holds.")
    return found
