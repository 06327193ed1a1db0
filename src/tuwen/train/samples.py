"""What a model draws while it learns: the same texts with the same noise at every evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuwen._files import atomic
from tuwen.judge._drawn import drawn_sheet
from tuwen.types import Picture, Sample

if TYPE_CHECKING:
    from tuwen.model import CrossModal

FOLDER = "samples"


def write_sheet(model: CrossModal, rows: Sequence[Sample], out: Path, step: int, drawn: Mapping[str, Picture]) -> str:
    """Draws the first rows and writes them as one PNG file, which knows their texts.

    Args:
        drawn: key of a row -> its picture, of those that the evaluation of this step has drawn already.
    Returns:
        The file below `out`, as in "samples/step_000500.png"; empty where the model draws none of the rows.
    Raises:
        CheckpointError: it cannot be written.
    """
    from PIL.PngImagePlugin import PngInfo

    sheet = drawn_sheet(model, rows, drawn)
    if sheet is None:
        return ""
    about = PngInfo()
    for name, text in sheet.info.items():
        about.add_itxt(str(name), str(text))
    path = out / FOLDER / f"step_{step:06d}.png"
    path.parent.mkdir(exist_ok=True)
    with atomic(path) as temporary:
        sheet.save(temporary, "PNG", pnginfo=about)
    return path.relative_to(out).as_posix()
