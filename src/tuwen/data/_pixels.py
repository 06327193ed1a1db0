"""Pixels of any kind -> (H, W, 3) uint8 as they are meant to be seen."""

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112  # the EXIF tag
_EXIF_IN = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))


def rgb(image: Image.Image) -> np.ndarray:
    """Any mode of Pillow as (H, W, 3) uint8; what is transparent becomes white."""
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_to_8_bits(np.asarray(image), image.mode)[:, :, None], 3, axis=2)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        colour = image.convert("RGBA")
        white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(white, colour).convert("RGB"))
    return np.asarray(image.convert("RGB"))


def _to_8_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """16 bits by their full range; wider integers and floats by the range that their values point to."""
    values = np.nan_to_num(values.astype(np.float32))
    low, high = float(values.min()), float(values.max())
    tops = {"F": (1.0, 255.0, 65535.0), "I": (255.0, 65535.0)}.get(mode, (65535.0,))
    top = next((top for top in tops if high <= top), None)
    if low < 0 or top is None:
        values, top = values - low, max(high - low, 1e-9)
    return np.rint(values * (255.0 / top)).astype(np.uint8)


def turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as the camera was held (EXIF orientation 1 to 8)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, as shown, where there is none."""
    if image.format == "TIFF" or not _EXIF_IN.intersection(image.info):  # Pillow turns TIFF itself
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block is no reason to lose a picture
        return 1
    return value if value in range(1, 9) else 1
