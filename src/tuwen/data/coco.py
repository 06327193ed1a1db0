"""COCO's JSON of captions (the field text) and of instances (the field label).

    annotations/captions_train2017.json     {"images": [{"id": 9, "file_name": "9.jpg"}, ...],
    annotations/instances_train2017.json     "annotations": [{"image_id": 9, "caption": "A bowl of rice"}, ...]}
    annotations/captions_val2017.json       instances: {"image_id": 9, "category_id": 51}, "categories": [{"id": 51, ...}]
    train2017/9.jpg                         in a folder beside, images/train2017, the folder of the JSON, or data.root

The path is a folder (itself or its annotations/: all captions_* and instances_* in it), one file, or several files with
commas between. A picture's label is the sorted list of the categories in it. train, val or test in the name of a file is
the split of its pictures. Key points, panoptic segments and boxes are not read.
Source: Lin et al. 2014, arXiv:1405.0312; the format: cocodataset.org/#format-data.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuwen.data._config import Data
from tuwen.data._files import find_pictures, picture_path, split_name
from tuwen.data._problem import Problem, leave_out
from tuwen.data._rows import head
from tuwen.errors import DataError
from tuwen.types import Sample

_KINDS = ("captions", "instances")


@dataclass(slots=True)
class _Found:
    """What all files together say of one picture."""

    name: str
    where: str
    split: str | None
    captions: list[Any] = field(default_factory=list)
    categories: set[str] = field(default_factory=set)


def recognise(path: str) -> float:
    """0.98 where a JSON starts as this layout does, or a folder or its annotations/ holds such files."""
    return 0.98 if _files(path) else 0.0


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a picture, in the order of the files.

    Raises:
        DataError: not JSON of this layout, a picture without a name, an annotation of a picture or category that is not
            listed; names the file and the row.
    """
    files = _files(path) or [Path(part) for part in path.split(",")]
    found: dict[str, _Found] = {}
    labelled = False
    for file in files:
        content = _content(file)
        pictures: dict[Any, _Found] = {}
        for number, picture in _pictures(content, file, options, problems):
            if pictures.setdefault(number, picture).name != picture.name:
                remedy = "Give each picture an id of its own; files that were joined count from the start again."
                what = Problem(picture.where, "has the id of an earlier picture", remedy, f"id {number!r}")
                leave_out(what, options, problems)
        for number, picture in pictures.items():
            pictures[number] = found.setdefault(f"{picture.split}/{picture.name}", picture)
        _annotate(content, pictures, file, options, problems)
        labelled |= "categories" in content
    roots: dict[str | None, Path] = {}
    for picture in found.values():
        if picture.split not in roots:
            names = [other.name for other in found.values() if other.split == picture.split]
            roots[picture.split] = find_pictures(files[0], names, options.root)
        image = picture_path(roots[picture.split], picture.name)
        label = {"label": sorted(picture.categories)} if labelled else {}
        yield Sample(picture.name, {"image": image, "text": picture.captions, **label}, picture.split, picture.where)


def _files(path: str) -> list[Path]:
    """The JSON files of this layout that a path means."""
    place = Path(path)
    if place.is_dir():
        inside = [file for folder in (place, place / "annotations") for file in sorted(folder.glob("*.json"))[:50]]
        known = [file for file in inside if file.stem.lower().startswith(_KINDS)]
        return [file for file in known or inside if _fits(file)]
    files = [Path(part) for part in path.split(",")]
    return files if all(map(_fits, files)) else []


def _fits(file: Path) -> bool:
    if file.suffix.lower() != ".json" or not file.is_file():
        return False
    start = head(file)
    listed = re.match(r'\s*\{\s*"(info|licenses|images|annotations|categories|type)"\s*:', start)
    if not listed or re.search(r'"(sentences|sentids)"', start):
        return False
    known = re.search(r'"(file_name|image_id|coco_url|supercategory)"', start)
    return bool(known) or file.stem.lower().startswith(_KINDS)


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}: not JSON, {error.msg}. Copy or download it again.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}.") from None
    lists = [name for name in ("images", "annotations") if isinstance(content, dict) and name in content]
    if len(lists) < 2 or not all(isinstance(content[name], list) for name in lists):
        raise DataError(f'{file} is no COCO file. It holds {{"images": [...], "annotations": [...]}}.')
    return dict(content)


def _pictures(
    content: dict[str, Any], file: Path, options: Data, problems: list[Problem]
) -> Iterator[tuple[Any, _Found]]:
    split = next(
        (split_name(word) for word in re.findall(r"(?<![a-z])(?:train|val|test|dev)(?![a-z])", file.stem.lower())), None
    )
    for row, image in enumerate(content["images"], 1):
        where = f"row {row} of images in {file.name}"
        if not isinstance(image, dict) or not image.get("file_name") or not isinstance(image.get("id"), int | str):
            what = Problem(where, "has no id or file_name", 'Give "id" and "file_name".')
            leave_out(what, options, problems)
        else:
            yield image["id"], _Found(str(image["file_name"]), where, split)


def _annotate(
    content: dict[str, Any], pictures: dict[Any, _Found], file: Path, options: Data, problems: list[Problem]
) -> None:
    """Gives the pictures their captions and categories."""
    listed = [one for one in content.get("categories") or () if isinstance(one, dict)]
    names = {one["id"]: str(one.get("name")) for one in listed if isinstance(one.get("id"), int | str)}
    for row, one in enumerate(content["annotations"], 1):
        where = f"row {row} of annotations in {file.name}"
        of = one.get("image_id") if isinstance(one, dict) else None
        picture = pictures.get(of) if isinstance(of, int | str) else None
        if picture is None:
            number = one.get("image_id") if isinstance(one, dict) else one
            what = Problem(where, "is of a picture that is not listed", "Add it to images.", f"image_id {number!r}")
            leave_out(what, options, problems)
        elif "caption" in one:
            picture.captions.append(one["caption"])
        elif isinstance(one.get("category_id"), int | str) and one["category_id"] in names:
            picture.categories.add(names[one["category_id"]])
        elif "category_id" in one:
            detail = f"category_id {one['category_id']!r}"
            what = Problem(where, "is of a category that is not listed", "Add it to categories.", detail)
            leave_out(what, options, problems)
