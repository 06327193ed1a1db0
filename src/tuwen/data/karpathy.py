"""The JSON of Karpathy's splits (Flickr8k, Flickr30k, COCO): pictures with sentences and a split.

    dataset_flickr8k.json     {"images": [{"filename": "1.jpg", "split": "train", "sentences": [{"raw": "..."}]}]}
    images/1.jpg              beside the JSON, in a folder beside it, or below data.root; COCO adds "filepath"

The path is the JSON file or the folder that holds it. `restval` counts as train.
Source: Karpathy and Fei-Fei 2015, arXiv:1412.2306.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuwen.data._config import Data
from tuwen.data._files import find_root, picture_path, split_name
from tuwen.data._problem import Problem, leave_out
from tuwen.data._rows import head
from tuwen.errors import DataError
from tuwen.types import Sample


def recognise(path: str) -> float:
    """1 where a JSON file starts as this layout does, or a folder holds one such file."""
    return 1.0 if len(_files(Path(path))) == 1 else 0.0


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a picture, with all its sentences.

    Raises:
        DataError: no JSON of this layout, or a picture without a name; names the line or row.
    """
    files = _files(Path(path)) or [Path(path)]
    images = _images(files[0])
    folder = Path(options.root or files[0].parent)
    root = (
        folder
        if options.root
        else find_root(folder, [_name(image) for image in images[:20] if isinstance(image, dict)])
    )
    for number, image in enumerate(images, 1):
        where = f"row {number} of {files[0].name}"
        if not isinstance(image, dict) or not _name(image):
            leave_out(Problem(where, "has no filename", 'Give "filename".'), options, problems)
            continue
        name = _name(image)
        fields = {"image": picture_path(root, name), "text": _sentences(image)}
        yield Sample(name, fields, split_name(image.get("split")), where)


def _files(path: Path) -> list[Path]:
    found = sorted(path.glob("*.json"))[:20] if path.is_dir() else [path]
    return [file for file in found if file.suffix.lower() == ".json" and file.is_file() and _fits(file)]


def _fits(file: Path) -> bool:
    start = head(file)
    return bool(re.match(r"\s*\{", start) and '"images"' in start and re.search(r'"(sentences|sentids)"', start))


def _images(file: Path) -> list[Any]:
    try:
        images = json.loads(file.read_text("utf-8-sig"))["images"]
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}: not JSON, {error.msg}. Correct that line.") from None
    except (OSError, UnicodeDecodeError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise DataError(f'{file} is no file of Karpathy\'s layout ({why}). It holds {{"images": [...]}}.') from None
    return list(images)


def _name(image: dict[str, Any]) -> str:
    name = str(image.get("filename") or "")
    return f"{image['filepath']}/{name}" if name and image.get("filepath") else name


def _sentences(image: dict[str, Any]) -> list[str]:
    """The raw sentences; tokens joined by spaces where there is no raw one."""
    return [
        s.get("raw") or " ".join(s.get("tokens") or ()) for s in image.get("sentences") or () if isinstance(s, dict)
    ]
