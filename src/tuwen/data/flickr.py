"""Flickr8k and Flickr30k as handed out: captions, lists of names, pictures.

    Flickr8k.token.txt             1000268201_693b08cb0e.jpg#0<tab>A child in a pink dress ...
    Flickr_8k.trainImages.txt      1000268201_693b08cb0e.jpg        one name a line; devImages, testImages the same
    Flicker8k_Dataset/             the pictures: in any folder beside or one above, or in data.root

Other forms of the captions: results_20130124.token (as above), `image,caption` below that header (captions.txt), and
`image_name| comment_number| comment` (results.csv). The path is the file of captions, its folder, or the folder above.
With lists, a picture that is in none of them is of the split `unlisted`.
Source: Hodosh, Young and Hockenmaier 2013, JAIR 47; Young et al. 2014, TACL 2.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tuwen.data._config import Data
from tuwen.data._files import find_pictures, picture_path, split_name
from tuwen.data._problem import Problem, leave_out
from tuwen.data._rows import head, rows_of
from tuwen.errors import DataError
from tuwen.types import Sample

_TOKEN = re.compile(r"(?P<name>[^#\t]+)#\w*\s*\t(?P<text>.*)")
_PIPED = re.compile(r"(?P<name>[^|]+?)\s*\|\s*\d+\s*\|?\s*(?P<text>.*)")
_LIST = re.compile(r"(?:.*[._-])?(train|dev|val|test)(?:[._-]?images)?\.txt", re.IGNORECASE)
_FORMS = {"token": r"[^\t\n]+\.\w{3,4}#\w*\s*\t", "piped": r"image_name\s*\|", "comma": r"image\s*,\s*caption\s*\n"}

Caption = tuple[str, str, str]
"""Name of the picture, caption, and where it stands."""


def recognise(path: str) -> float:
    """1 for captions in a form of its own; `image,caption` 1 with lists, 0.85 in a folder, else left to tables."""
    file = _captions_file(Path(path))
    if file is None:
        return 0.0
    if _form(file) != "comma" or _lists(file):
        return 1.0
    return 0.85 if Path(path).is_dir() and file.suffix == ".txt" else 0.5


def read(path: str, options: Data, problems: list[Problem]) -> Iterator[Sample]:
    """One sample a picture, with all its captions.

    Raises:
        DataError: no captions in these forms, or a line that does not fit; names the line.
    """
    file = _captions_file(Path(path))
    if file is None:
        raise DataError(f"{path} holds no captions of Flickr's forms. A line of them: 1000268201.jpg#0<tab>A child ...")
    found: dict[str, tuple[str, list[str]]] = {}
    for name, text, where in _captions(file, options, problems):
        found.setdefault(name, (where, []))[1].append(text)
    if not found:
        raise DataError(f"{file} has no captions. A line of them: 1000268201.jpg#0<tab>A child ...")
    root, sides = find_pictures(file, list(found), options.root), _sides(_lists(file))
    for name, (where, captions) in found.items():
        side = sides.get(name, sides.get(Path(name).stem)) or ("unlisted" if sides else None)
        yield Sample(name, {"image": picture_path(root, name), "text": captions}, side, where)


def _captions_file(path: Path) -> Path | None:
    """The file of captions that a path means: the shortest name of several, since Flickr8k.lemma.token.txt is one too."""
    if path.is_file():
        return path if _form(path) else None
    below = [entry for entry in sorted(path.iterdir())[:50] if entry.is_dir()] if path.is_dir() else []
    for folder in (path, *below):
        files = [file for file in sorted(folder.glob("*"))[:50] if _form(file)] if folder.is_dir() else []
        if files:
            return min(files, key=lambda file: ("lemma" in file.name, len(file.name)))
    return None


def _form(file: Path) -> str | None:
    if file.suffix.lower() not in (".txt", ".token", ".csv") or not file.is_file():
        return None
    start = head(file, 512).replace("\r\n", "\n")
    return next((form for form, pattern in _FORMS.items() if re.match(pattern, start)), None)


def _captions(file: Path, options: Data, problems: list[Problem]) -> Iterator[Caption]:
    if (form := _form(file)) == "comma":
        for where, row in rows_of(file, options, problems):
            yield str(row.get("image") or ""), str(row.get("caption") or ""), where
        return
    pattern = _TOKEN if form == "token" else _PIPED
    for number, line in enumerate(_lines(file), 1):
        if not line.strip() or (form == "piped" and number == 1):
            continue
        where = f"line {number} of {file.name}"
        if match := pattern.fullmatch(line):
            yield match["name"].strip(), match["text"].strip(), where
        else:
            remedy = "A line is a name, a number and a caption, as the others are."
            leave_out(Problem(where, "is no caption of a picture", remedy, repr(line[:60])), options, problems)


def _lines(file: Path) -> list[str]:
    try:
        return [line.rstrip("\r") for line in file.read_text("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = f"0x{error.object[error.start]:02x}"
        raise DataError(f"{file}, line {line}: byte {byte} is not UTF-8. Save the file as UTF-8.") from None


def _lists(file: Path) -> dict[Path, str]:
    """List of names -> its split."""
    found = {}
    for other in sorted(file.parent.glob("*.txt"))[:50]:
        if other != file and (match := _LIST.fullmatch(other.name)) and re.match(r"\S+\s*(\n|$)", head(other, 512)):
            found[other] = str(split_name(match[1]))
    return found


def _sides(lists: dict[Path, str]) -> dict[str, str]:
    """Name of a picture, with or without its ending -> split."""
    return {line.strip(): side for file, side in lists.items() for line in _lines(file) if line.strip()}
