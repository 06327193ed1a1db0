"""Captions of another system on the same rows, from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuwen.command._coco import load, number_of, read_results
from tuwen.data._files import is_picture
from tuwen.errors import DataError

if TYPE_CHECKING:
    from tuwen.command._extra import Extra, Pictures
    from tuwen.evaluation import Evaluation


def captions_of(path: str, found: Evaluation, extra: Extra, pictures: Pictures) -> Evaluation:
    """What the captions in a file are worth on the rows of an evaluation.

    Args:
        path: a report of `tuwen evaluate -o`, or COCO results.
        extra: metrics besides those that every evaluation of captions gives.
    Returns:
        As of a model, with notes where ids and rows are met by a part of their names, and where captions are of no row.
    Raises:
        DataError: it cannot be read, or lacks a caption of a row.
    """
    from tuwen.evaluation import Evaluation
    from tuwen.judge.captions import caption_rates
    from tuwen.metric._captions import with_references

    said = read_captions(path)
    rows = [row for row in found.rows if "caption" in row]
    ids, way = _meet(path, [row["key"] for row in rows], said)
    theirs = Evaluation(figures={}, rows=[{**row, "caption": said[ids[row["key"]]]} for row in rows])
    if way:
        key, one = next(iter(ids.items()))
        theirs.notes.append(f"its ids meet the rows {way}: {one} is {key}")
    if spare := sorted(said.keys() - ids.values()):
        theirs.notes.append(f"{len(spare)} of its captions are of no row here and do not count, such as {spare[0]}")
    if told := with_references(theirs.rows):
        theirs.rates.append(caption_rates([row["caption"] for row in told], [row["references"] for row in told]))
    extra.add(theirs, pictures, chance=False)
    return theirs


def read_captions(path: str) -> dict[str, str]:
    """Key -> caption. Errors: as `captions_of`."""
    raw = load(path)
    if isinstance(raw, dict) and isinstance(raw.get("rows"), list):
        said = []
        for number, row in enumerate(raw["rows"]):
            if not isinstance(row, dict) or not isinstance(row.get("key"), str):
                raise DataError(
                    f"{path}: row {number} has no key; name a report that `tuwen evaluate` wrote, or a list of results."
                )
            if not isinstance(row.get("caption", ""), str):
                raise DataError(
                    f"{path}: the caption of row {row['key']!r} is {type(row['caption']).__name__}, not text."
                )
            said += [(row["key"], row["caption"])] if "caption" in row else []
    else:
        said = [(str(key), text) for key, text in read_results(path).items()]
    if twice := [key for key, times in Counter(key for key, _ in said).items() if times > 1]:
        raise DataError(f"{path} has {len(twice)} rows twice, such as {twice[0]!r}; leave one caption of each.")
    return dict(said)


def _meet(path: str, keys: Sequence[str], said: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Key of each row -> id of its caption, and what of their names is the same; all rows meet theirs in one way.

    Raises:
        DataError: no way leaves every row with one id that is of no other row.
    """
    most: dict[str, str] = {}
    for way, of in _WAYS.items():
        ids, rows = _alone(said, of), _alone(keys, of)
        met = {key: ids[name] for name, key in rows.items() if name in ids}
        if len(met) == len(keys):
            return {key: met[key] for key in keys}, way
        most = max(most, met, key=len)
    lacking = [key for key in keys if key not in most]
    raise DataError(
        f"{path} has no caption for {len(lacking)} of {len(keys)} rows, such as {', '.join(lacking[:3])}; rows are called "
        f"{', '.join(keys[:3])} and ids there {', '.join(list(said)[:3])}; a comparison takes the same rows of both: "
        "evaluate the other system on the same part of the data."
    )


def _alone(names: Iterable[str], of: Callable[[str], str]) -> dict[str, str]:
    """What `of` makes of a name -> the name, without those of which several give the same."""
    made = [(of(name), name) for name in names]
    count = Counter(short for short, _ in made)
    return {short: name for short, name in made if count[short] == 1}


def _stem(name: str) -> str:
    """A name without its folders, and without an ending of pictures."""
    return Path(name).stem if is_picture(name) else Path(name).name


_WAYS: dict[str, Callable[[str], str]] = {
    "": str,
    "without folder and ending": _stem,
    "by the number at the end of their names": lambda name: number_of(_stem(name)),
}
"""What of their names is the same -> how it is taken from a row's key and from an id."""
