"""Where a decoder with soft attention looked while it wrote: a map for each word, and a picture of the maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuwen._scripts import is_mark, unspaced
from tuwen.errors import CannotError

if TYPE_CHECKING:
    from PIL.Image import Image

    from tuwen.model import CrossModal
    from tuwen.types import Latent, Picture

_TILE = 160
"""Side of one picture in the drawing, in pixels."""
_LINE = 22
"""Height of a word above it."""
_COLUMNS = 6
"""Pictures beside each other."""


@dataclass(frozen=True, kw_only=True)
class Look:
    word: str
    """A word of the text."""
    weights: tuple[tuple[float, ...], ...]
    """(rows, columns) share of its attention that each cell of the picture got, 0 to 1; they sum to 1."""


def looks(decoder: Any, latent: Latent, rows: Sequence[Sequence[int]]) -> list[tuple[Look, ...]]:
    """Where the decoder looks for each word of texts that it wrote.

    Args:
        latent: P rows, with the grid that its tokens fold to.
        rows: P lists of token numbers without begin and end.
    Returns:
        For each text one Look a word; a word of several tokens has the mean of their maps.
    Raises:
        CannotError: the decoder gives no attention.
    """
    import torch

    from tuwen.text_part import pad
    from tuwen.types import Feed

    data, mask = pad([[decoder.bos, *row, decoder.eos] for row in rows])
    device = latent.pooled.device
    target = Feed(data.to(device), torch.arange(len(rows), device=device), mask.to(device))
    attention = decoder(latent, target).attention
    if attention is None:
        raise CannotError(
            "the text decoder of this model does not say where it looks: it has no soft attention. "
            "`tuwen train DATA -r show-attend-tell` trains one that does."
        )
    grid = latent.grid or (1, attention.shape[-1])
    maps = attention.float().unflatten(-1, grid).cpu()
    return [
        tuple(
            Look(word=word, weights=tuple(map(tuple, maps[i, place].mean(0).tolist())))
            for word, place in words(decoder.texts, row)
        )
        for i, row in enumerate(rows)
    ]


def words(texts: Any, row: Sequence[int]) -> list[tuple[str, list[int]]]:
    """The words of a text, and for each the places of its tokens in the row.

    Args:
        texts: token numbers of texts -> the texts.
    """
    found: list[tuple[str, list[int]]] = []
    said, places = "", []
    for place, text in enumerate(texts([row[: end + 1] for end in range(len(row))])):
        places.append(place)
        new = text[len(said) :]
        if (not new.strip() or text.endswith("\ufffd")) and place + 1 < len(row):
            continue  # a space, or the first bytes of a letter
        if found and (is_mark(new[:1]) or not (new[:1].isspace() or unspaced(new[:1]))):
            before, earlier = found.pop()
            found.append((before + new, earlier + places))
        else:  # after a space, or a letter of a script without spaces
            found.append((new.strip(), places))
        said, places = text, []
    return found


def draw(model: CrossModal, image: Picture, looked: Sequence[Look]) -> Image:
    """The picture as the model sees it, then once more for each word with what it looked at lit up, the word above.

    Raises:
        DataError: the picture cannot be read.
    """
    from PIL import Image, ImageDraw, ImageFont

    encoder: Any = model.encoders["image"]
    pixels_CHW = encoder.prepare([image])[0][0]
    picture = Image.fromarray(pixels_CHW.permute(1, 2, 0).numpy()).resize((_TILE, _TILE))
    tiles = [("", picture), *((look.word, _lit(picture, look.weights)) for look in looked)]
    columns = min(_COLUMNS, len(tiles))
    height = _TILE + _LINE
    sheet = Image.new("RGB", (columns * _TILE, -(-len(tiles) // columns) * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, (word, tile) in enumerate(tiles):
        x, y = number % columns * _TILE, number // columns * height
        pen.text((x + 4, y + 2), word, fill="black", font=font)
        sheet.paste(tile, (x, y + _LINE))
    return sheet


def _lit(picture: Image, weights: Sequence[Sequence[float]]) -> Image:
    """The picture, dark where little was looked at; the cell that got most is as bright as it was."""
    import numpy as np
    from PIL import Image

    share = np.array(weights, np.float32)
    light = Image.fromarray((255 * share / max(share.max(), 1e-9)).astype(np.uint8))
    light = light.resize(picture.size, Image.Resampling.BICUBIC)
    return Image.composite(picture, picture.point(lambda value: value // 5), light)
