"""What texts say to a decoder of pictures: their latents, those between two of them, and what of a text has no effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError
from tuwen.task._pictures import latent_of, route_from
from tuwen.types import Latent, Sample

if TYPE_CHECKING:
    from torch import Tensor

    from tuwen.model import CrossModal


def of_texts(model: CrossModal, texts: Sequence[str]) -> Latent:
    """One row a text; each is read once.

    Raises:
        CannotError: the model learned without texts.
    """
    import torch

    if not (way := route_from(model, "image", {"text"})):
        raise CannotError(
            "this model learned without texts; it draws pictures like those it has seen: tuwen draw MODEL -o out.png"
        )
    place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    latent = latent_of(model, way, model.batch([Sample(str(row), {"text": text}) for text, row in place.items()]))
    return latent.rows(torch.tensor([place[text] for text in texts], device=latent.pooled.device))


def between_texts(model: CrossModal, ends: Sequence[tuple[str, str, float]]) -> Latent:
    """One row for each (text, other text, share of the way from one to the other)."""
    import torch

    first = [text for text, _, _ in ends]
    if all(text == other for text, other, _ in ends):
        return of_texts(model, first)
    both = of_texts(model, first + [other for _, other, _ in ends])
    row_P, share_P = torch.arange(len(ends)), torch.tensor([share for _, _, share in ends])
    device = both.pooled.device
    return mixed(both.rows(row_P.to(device)), both.rows((row_P + len(ends)).to(device)), share_P.to(device))


def mixed(first: Latent, second: Latent, share_P: Tensor) -> Latent:
    """Latents on the straight line between two, word by word; a word that one text lacks fades to nothing.

    Args:
        first, second: of as many tokens.
        share_P: 0 is the first, 1 the second.
    """
    import torch

    def between(a: Tensor, b: Tensor) -> Tensor:
        return torch.lerp(a.float(), b.float(), share_P.view(-1, *[1] * (a.ndim - 1))).to(a)

    found = Latent(between(first.pooled, second.pooled), grid=first.grid)
    if first.tokens is None or second.tokens is None:
        return found
    if first.mask is None or second.mask is None:
        return replace(found, tokens=between(first.tokens, second.tokens))
    here_PTD = torch.where(first.mask[:, :, None], first.tokens, 0.0)
    there_PTD = torch.where(second.mask[:, :, None], second.tokens, 0.0)
    mask_PT = (first.mask & (share_P < 1)[:, None]) | (second.mask & (share_P > 0)[:, None])
    return replace(found, tokens=between(here_PTD, there_PTD), mask=mask_PT)


def notes(model: CrossModal, texts: Sequence[str]) -> tuple[str, ...]:
    """What of the texts has no effect, in words."""
    encoder: Any = dict(model.encoders.items()).get("text")
    if not hasattr(encoder, "unread"):
        return ()
    return tuple(note for text in texts if text.strip() for note in _unread(*encoder.unread(text)))


def _unread(behind: str, unknown: Sequence[str]) -> Iterator[str]:
    if behind:
        yield f"the text is longer than this model reads; nothing was drawn of: {_short(behind)}"
    if unknown:
        yield f"seldom or never seen while this model learned: {_short(', '.join(unknown))}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


__all__ = ["between_texts", "mixed", "notes", "of_texts"]
