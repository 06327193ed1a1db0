"""Pictures: the header checked first, then decoded to (H, W, 3) uint8 whatever they are. Safe in threads."""

import io
import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from tuwen.data._config import Data
from tuwen.data._pixels import orientation, rgb, turn
from tuwen.data._problem import LIMIT, SKIP, place
from tuwen.data._stored import loaded
from tuwen.errors import DataError
from tuwen.types import Located, Picture

if TYPE_CHECKING:
    import torch

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
"""Formats that are read; each is recognised by its first bytes, never by the name of the file."""
MAX_PIXELS = Data.max_pixels


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself before it is decoded."""

    width: int
    """Pixels as shown, after the EXIF orientation."""
    height: int
    """Pixels as shown, after the EXIF orientation."""
    format: str
    """One of `FORMATS`, or 'array' for pixels in memory."""
    mode: str
    """Pillow's name of the pixel layout: RGB, L, P, CMYK, I;16, ..."""


def check_picture(raw: Picture | Located, *, max_pixels: int = MAX_PIXELS, where: str = "") -> Header:
    """Reads the header only: a few KB of a file, whatever its size.

    Raises:
        DataError: missing, empty, no known format, or more than `max_pixels`; names the file and the row.
    """
    raw, max_pixels, where = _located(raw, max_pixels, where)
    if _in_memory(raw):
        width, height = raw.size if isinstance(raw, Image.Image) else _as_array(raw, where).shape[1::-1]
        _check_size(width, height, "array", max_pixels, _name(raw), where)
        return Header(width, height, "array", getattr(raw, "mode", "") or _mode(raw))
    with _Opened(raw, where, max_pixels) as image:
        turned = orientation(image) >= 5
        width, height = image.size[::-1] if turned else image.size
        return Header(width, height, _format(image), image.mode)


def open_picture(
    raw: Picture | Located, *, side: int | None = None, max_pixels: int = MAX_PIXELS, where: str = ""
) -> np.ndarray:
    """Decodes a picture as it is meant to be seen: EXIF orientation, alpha over white, the first frame.

    Args:
        raw: path, bytes of a file, PIL image, or (H, W), (H, W, 1), (H, W, 3), (H, W, 4) uint8 array; a `Stored` that
            loads one of these; in a `Located`, whose `where` and `max_pixels` then count.
        side: shorter side that is needed; a JPEG is decoded at the smallest of its scales that is not below it.
        max_pixels: width times height above which the header is refused and nothing is decoded.
        where: the row, for messages: 'row 231 of train.csv'.
    Returns:
        (H, W, 3) uint8 RGB; a JPEG with `side` may be up to eight times smaller than its header says, nothing else is.
    Raises:
        DataError: missing, no known format, above the limit, truncated or broken; names the file and the row.
    """
    raw, max_pixels, where = _located(raw, max_pixels, where)
    if _in_memory(raw):
        check_picture(raw, max_pixels=max_pixels, where=where)
        return _as_array(raw, where)
    data = raw if isinstance(raw, bytes | bytearray | memoryview) else _read(raw, where)
    with _Opened(data, where, max_pixels, name=_name(raw)) as image:
        if _format(image) == "JPEG" and image.mode in ("L", "RGB"):
            try:
                pixels = simplejpeg.decode_jpeg(data, min_height=side or 0, min_width=side or 0)
                return turn(pixels, orientation(image))
            except ValueError:  # also harmless oddities; Pillow tells those from a truncated file
                pass
        try:
            if side and image.format == "JPEG":
                image.draft(None, (side, side))
            image.load()
            return turn(rgb(image), orientation(image))
        except Exception as error:
            raise _broken(_name(raw), where, _reason(error, len(data))) from error


def square(
    raw: Picture | Located,
    side: int,
    fit: Literal["squash", "crop", "pad"] = "squash",
    *,
    max_pixels: int = MAX_PIXELS,
    where: str = "",
) -> "torch.Tensor":
    """A picture as a square of `side` pixels, resized with antialiased bilinear weights.

    Args:
        fit: squash changes the aspect ratio; crop keeps the centre; pad adds white to the shorter side.
    Returns:
        (3, side, side) uint8 tensor.
    Raises:
        DataError: as `open_picture`.
    """
    import torch
    from torch.nn.functional import interpolate, pad

    pixels = open_picture(raw, side=side, max_pixels=max_pixels, where=where)
    if fit == "crop":
        short = min(pixels.shape[:2])
        top, left = ((length - short) // 2 for length in pixels.shape[:2])
        pixels = pixels[top : top + short, left : left + short]
    height, width = (side, side) if fit != "pad" else _inside(pixels.shape[0], pixels.shape[1], side)
    image = torch.from_numpy(np.require(pixels, requirements="W")).permute(2, 0, 1)[None]
    if image.shape[2:] != (height, width):
        image = interpolate(image, size=(height, width), mode="bilinear", antialias=True)
    left, top = (side - width) // 2, (side - height) // 2
    return pad(image[0], (left, side - width - left, top, side - height - top), value=255).contiguous()


def looks_cut(raw: Picture) -> bool:
    """True where the end of a JPEG or PNG file is not where it should be: worth decoding, not proof of damage."""
    raw = loaded(raw)
    if isinstance(raw, bytes | bytearray):
        head, tail = bytes(raw[:8]), bytes(raw[-4096:])
    elif isinstance(raw, str | os.PathLike):
        with open(raw, "rb") as file:
            head = file.read(8)
            file.seek(-min(4096, os.fstat(file.fileno()).st_size), os.SEEK_END)
            tail = file.read()
    else:
        return False
    marks = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}
    return any(head.startswith(start) and end not in tail for start, end in marks.items())


class _Opened:
    """An undecoded Pillow image of a path or bytes, checked against the pixel limit. Closes what it opened.

    Pillow's own `Image.open` refuses by a limit of the whole process, which a library must not move: the openers
    that it registers are called directly, and only those of `FORMATS` (others start programs).
    """

    def __init__(self, raw: Picture, where: str, max_pixels: int, name: str = ""):
        self.name, self.where, self.max_pixels = name or _name(raw), where, max_pixels
        in_memory = isinstance(raw, bytes | bytearray | memoryview)
        self.file = io.BytesIO(raw) if in_memory else _open_file(raw, where)

    def __enter__(self) -> Image.Image:
        try:
            image = self._open()
            _check_size(*image.size, _format(image), self.max_pixels, self.name, self.where)
            return image
        except BaseException:
            self.file.close()
            raise

    def _open(self) -> Image.Image:
        prefix = self.file.read(64)
        for factory, accept in _openers():
            if not accept(prefix):
                continue
            self.file.seek(0)
            try:
                return factory(self.file, "")
            except (SyntaxError, UnidentifiedImageError):
                continue
            except Exception as error:
                raise _broken(self.name, self.where, _reason(error, _length(self.file))) from error
        raise _broken(self.name, self.where, _what_it_is(prefix))

    def __exit__(self, *_: object) -> None:
        self.file.close()


@cache
def _openers() -> list[tuple]:
    Image.init()
    return [Image.OPEN[name] for name in FORMATS if name in Image.OPEN]


def _format(image: Image.Image) -> str:
    return "JPEG" if image.format == "MPO" else str(image.format)


def _located(raw: Picture | Located, max_pixels: int, where: str) -> tuple[Picture, int, str]:
    while isinstance(raw, Located):
        raw, max_pixels, where = raw.raw, raw.max_pixels, raw.where or where
    return loaded(raw), max_pixels, where


def _in_memory(raw: Picture) -> bool:
    return isinstance(raw, np.ndarray | Image.Image)


def pixels(raw: Image.Image, where: str = "") -> np.ndarray:
    """(H, W, 3) uint8 of a picture of PIL as it is seen: its palette, transparency and orientation count.

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        return turn(rgb(raw), orientation(raw))
    except Exception as error:
        raise _broken(f"a picture of mode {raw.mode}", where, f"broken ({error or type(error).__name__})") from error


def _as_array(raw: Picture, where: str) -> np.ndarray:
    """(H, W, 3) uint8 of pixels in memory."""
    if isinstance(raw, Image.Image):
        return pixels(raw, where)
    shape, channels = raw.shape, (raw.shape[2] if raw.ndim == 3 else 1)
    if raw.dtype != np.uint8 or raw.ndim not in (2, 3) or channels not in (1, 3, 4) or not raw.size:
        got = f"a {raw.dtype} array of shape {tuple(shape)}"
        raise DataError(
            f"{place(got, where)} is no picture; an array is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, "
            "with values 0 to 255."
        )
    if channels == 4:
        return rgb(Image.fromarray(raw))
    return np.broadcast_to(raw.reshape(*shape[:2], channels), (*shape[:2], 3))


def _mode(raw: np.ndarray) -> str:
    return "L" if raw.ndim == 2 or raw.shape[2] == 1 else "RGB" if raw.shape[2] == 3 else "RGBA"


def _inside(height: int, width: int, side: int) -> tuple[int, int]:
    longer = max(height, width)
    return max(1, round(height * side / longer)), max(1, round(width * side / longer))


def _check_size(width: int, height: int, format: str, max_pixels: int, name: str, where: str) -> None:
    if width * height > max_pixels:
        why = f"its header says {width} x {height} pixels ({format}), the limit is {max_pixels:,}"
        raise _broken(name, where, why, LIMIT)


def _name(raw: Picture) -> str:
    if isinstance(raw, bytes | bytearray | memoryview):
        return f"a picture of {len(raw)} bytes"
    return str(raw) if isinstance(raw, str | os.PathLike) else "a picture in memory"


def _length(file: io.IOBase) -> int:
    return file.seek(0, os.SEEK_END)


def _open_file(raw: Picture, where: str) -> io.BufferedReader:
    if not isinstance(raw, str | os.PathLike):
        what = f"a value of type {type(raw).__name__}"
        raise _broken(what, where, "a picture is a path, the bytes of a file, a PIL image or a uint8 array")
    if str(raw).startswith(("http:/", "https:/")):
        raise _broken(str(raw), where, "it is an address; download it first and give the file")
    try:
        return open(raw, "rb")
    except FileNotFoundError:
        raise _broken(str(raw), where, "there is no such file") from None
    except OSError as error:
        raise _broken(str(raw), where, error.strerror or type(error).__name__) from error


def _read(raw: Picture, where: str) -> bytes:
    with _open_file(raw, where) as file:
        return file.read()


def _reason(error: Exception, length: int) -> str:
    text = str(error)
    if any(
        word in text.lower() for word in ("truncat", "premature", "unexpected end", "eof", "incomplete", "not enough")
    ):
        return f"truncated after {length} bytes"
    if isinstance(error, Image.DecompressionBombError):
        return "it unpacks to far more than its header says"
    return f"broken ({text or type(error).__name__})"


def _what_it_is(prefix: bytes) -> str:
    if not prefix:
        return "the file is empty"
    if prefix.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer; `git lfs pull` fetches the picture"
    kind = "text" if all(byte >= 32 or byte in b"\t\n\r" for byte in prefix) else "unknown bytes"
    return f"it is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} but {kind}, {prefix[:12]!r}..."


def _broken(name: str, where: str, why: str, remedy: str = "") -> DataError:
    remedy = " ".join(filter(None, (remedy, SKIP if where else f"Readable formats: {', '.join(FORMATS)}.")))
    return DataError(f"{place(name, where)} cannot be read as an image: {why}. {remedy}")
