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
AUDIO_SUFFIXES = frozenset((".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac"))
"""Endings of sounds, in tables and shards."""
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


def walk(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Files below a folder in sorted order, without hidden ones and those that archivers leave behind.

    Links to folders are followed, but not back into one that they lie in.

    Args:
        above: folders that this one lies in, by their real paths.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    _, folders, files = next(os.walk(folder), ("", [], []))
    yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))
    for name in sorted(folders):
        if not name.startswith((".", "__MACOSX")):
            yield from walk(Path(folder, name), above | {real})


def is_sound(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES


def cache_folder(wanted: str) -> Path:
    """The folder of the caches: as told, else by TUWEN_CACHE, else ~/.cache/tuwen."""
    return Path(wanted or os.environ.get("TUWEN_CACHE") or Path.home() / ".cache" / "tuwen")


def find_root(folder: Path, names: Sequence[str]) -> Path:
    """The folder that relative `names` start from: `folder` itself or the first below it that holds one of them."""
    names = [name for name in names[:20] if name]
    return next((root for root in (folder, *_below(folder)) if _holds(root, names)), folder)


def find_pictures(file: Path, names: Sequence[str], root: str = "") -> Path:
    """The folder of the pictures that a file names: from `root`, else its own folder and the one above annotations/.

    As `find_root`, and two levels down: images/train2017 beside annotations.
    """
    names = [name for name in names[:20] if name]
    aside = file.parent.name.lower().endswith(("annotations", *TEXT_FOLDERS))
    starts = [Path(root)] if root else [file.parent, file.parent.parent][: 1 + aside]
    for start in starts:
        for folder in (start, *_below(start)):
            if _holds(found := find_root(folder, names), names):
                return found
    return starts[0]


def _holds(root: Path, names: Sequence[str]) -> bool:
    return any(os.path.isfile(picture_path(root, name)) for name in names)


def _below(folder: Path) -> list[Path]:
    """At most 50 folders in a folder, those that are called as folders of pictures first."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())[:50]
    except OSError:
        return []
    return [folder / name for name in sorted(names, key=lambda name: name.lower() not in PICTURE_FOLDERS)]


def picture_path(root: Path, name: str) -> Path:
    """`name` below `root`; backslashes of other systems are understood where they do not name a file."""
    path = root / name
    if "\\" in name and not os.path.isfile(path):
        path = root / name.replace("\\", "/")
    return path
