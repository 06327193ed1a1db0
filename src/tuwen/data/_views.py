"""Other views of a picture, made once and cached, of which a training step sees one at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuwen.data._picture import open_picture
from tuwen.errors import ConfigError
from tuwen.types import Located

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tuwen.data._config import View

_SHARE = 0.8
"""Share of each side that the zoom keeps."""

Prepare = Callable[[Sequence[Any]], Any]
"""A part's `prepare`: pictures -> ((P, C, H, W), mask or None)."""


def view_of(prepare: Prepare, picture: Located, view: View | None) -> torch.Tensor:
    """What a part prepares of one picture in a view, (1, C, H, W); None: as it is.

    Raises:
        DataError: the picture cannot be read.
        ConfigError: the part does not prepare pictures, so that there is nothing to mirror.
    """
    if view in ("zoom", "mirror_zoom"):
        picture = replace(picture, raw=centre(open_picture(picture)))
    data: torch.Tensor = prepare([picture])[0]
    if view not in ("mirror", "mirror_zoom"):
        return data
    if data.ndim != 4:
        raise ConfigError(
            f"data.views has {view!r}, and an encoder prepares no pictures but {data.ndim - 1} axes for each; "
            "leave data.views empty"
        )
    return data.flip(-1)


def centre(pixels: np.ndarray) -> np.ndarray:
    """The middle of a picture: (H, W, C) -> (0.8 H, 0.8 W, C), at least one pixel."""
    (top, height), (left, width) = (
        ((size - kept) // 2, kept) for size in pixels.shape[:2] for kept in [max(1, round(_SHARE * size))]
    )
    return pixels[top : top + height, left : left + width]
