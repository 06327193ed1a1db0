"""Names on disk: what is a picture, what is a split, where relative paths start."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

PICTURE_SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".gif",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".avif",
    )
)
"""Endings that a folder is searched for; the real format is read from the content."""
UNREAD_SUFFIXES = frozenset((".heic", ".heif", ".svg", ".psd", ".cr2", ".nef", ".dng", ".arw", ".jxl"))
"""Endings of pictures that cannot be read: said, not passed over in silence."""
PICTURE_FOLDERS = ("images", "image", "pictures", "picture", "photos", "photo", "imgs", "img", "jpg", "png")
TEXT_FOLDERS = ("texts", "text", "captions", "caption", "txt", "sentences", "descriptions")

_SPLITS = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def is_split(word: str) -> bool:
    """True where `word` is a known name of train, val or test."""
    return word.strip().lower() in _SPLITS


def split_name(word: object) -> str | None:
    """train, val or test for their usual names, other names as they are, None for nothing."""
    text = "" if word is None else str(word).strip()
    return _SPLITS.get(text.lower(), text) or None


def is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def walk(folder: Path) -> Iterator[Path]:
    """Files below a folder in sorted order, without hidden ones and those that archivers leave behind."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def find_root(folder: Path, names: Sequence[str]) -> Path:
    """The folder that relative `names` start from: `folder` itself or the first below it that holds one of them."""
    names = [name for name in names[:20] if name]
    try:
        below = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())[:50]
    except OSError:
        below = []
    below.sort(key=lambda name: name.lower() not in PICTURE_FOLDERS)
    for root in (folder, *(folder / name for name in below)):
        if any(picture_path(root, name).is_file() for name in names):
            return root
    return folder


def picture_path(root: Path, name: str) -> Path:
    """`name` below `root`; backslashes of other systems are understood where they do not name a file."""
    path = root / name
    if "\\" in name and not path.is_file():
        path = root / name.replace("\\", "/")
    return path
