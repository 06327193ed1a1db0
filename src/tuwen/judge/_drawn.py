"""Pictures that a model draws of rows, each once for all judges, and the same again for a page or while it trains."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuwen.task import draw
from tuwen.task._pictures import image, route_from, sheet
from tuwen.types import Picture, Sample

if TYPE_CHECKING:
    from PIL.Image import Image

    from tuwen.model import CrossModal

PROMPTS = 8
"""Texts that are drawn at each evaluation of a training."""


class Drawn:
    """What was drawn in an evaluation."""

    def __init__(self, pictures: Mapping[str, Picture] | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.pictures = dict(pictures or {})
        """Key of a row -> its picture."""
        self.options = dict(options or {})
        """Of `tuwen draw`, beside text and seed."""

    def of(self, model: CrossModal, rows: Sequence[Sample]) -> list[Picture]:
        """The picture of each row; those that are there are not drawn again."""
        new = [row for row in rows if row.key not in self.pictures]
        asked = [replace(request(model, row), **self.options) for row in new]
        for row, answer in zip(new, draw.run(model, asked), strict=True):
            self.pictures[row.key] = answer.pictures[0]
        return [self.pictures[row.key] for row in rows]


def request(model: CrossModal, row: Sample) -> draw.Request:
    """What is asked for a row. Its seed comes of its key, so that rows begin with different noise, each always with its own."""
    text = first_text(row.fields) if reads(model) else ""
    return draw.Request(text=text, seed=seed_of(row.key))


def seed_of(key: str) -> int:
    """The seed of what is drawn of a row."""
    return zlib.crc32(key.encode("utf-8", "surrogateescape"))


def reads(model: CrossModal) -> bool:
    """Whether it draws what a text says; else it draws pictures like those it has seen."""
    return bool(route_from(model, "image", {"text"}))


def drawable(model: CrossModal, rows: Sequence[Sample]) -> list[Sample]:
    """The rows that the model can draw a picture for."""
    if not draw.able(model):
        return []
    return [row for row in rows if first_text(row.fields)] if reads(model) else list(rows)


def drawn_sheet(model: CrossModal, rows: Sequence[Sample], drawn: Mapping[str, Picture]) -> Image | None:
    """The pictures of the first rows on one sheet, which knows their texts; None where the model draws none of them.

    Args:
        drawn: key of a row -> its picture, of those that an evaluation has drawn already.
    """
    import json

    if not (some := drawable(model, rows[: 8 * PROMPTS])[:PROMPTS]):
        return None
    texts = [one.text for one in (request(model, row) for row in some)]
    return image(sheet(Drawn(drawn).of(model, some)), {"texts": json.dumps(texts)})


def first_text(fields: Mapping[str, Any]) -> str:
    """The first text of a row; empty where there is none."""
    value = fields.get("text") or ""
    return str(value if isinstance(value, str) else value[0]).strip()


__all__ = ["PROMPTS", "Drawn", "drawable", "drawn_sheet", "first_text", "reads", "request", "seed_of"]
