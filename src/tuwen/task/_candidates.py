"""Of several pictures of a text the one that fits it best, by a model that matches pictures and texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tuwen.errors import CannotError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tuwen.metric.clipscore import Embedder
    from tuwen.model import CrossModal


def judge_of(model: CrossModal, source: str) -> Embedder:
    """What says how well pictures fit a text: the model behind a name, or without one the model itself.

    Raises:
        CannotError: it was not trained to match.
        TuwenError: there is no such model, or it cannot be loaded.
    """
    from tuwen.embedder import Own

    if source:
        files = Path(source).glob("*")
        return _opened(source, model.device, max((file.stat().st_mtime_ns for file in files), default=0))
    if "match" not in model.can():
        raise CannotError(
            "this model cannot say which candidate fits the text best; name one that matches pictures and texts with judge "
            "(--judge MODEL), or leave candidates out"
        )
    return Own(model)


@lru_cache(maxsize=1)
def _opened(source: str, device: torch.device, changed: int) -> Embedder:
    """A judge, kept for the next pictures as long as its files are as they were: many texts are drawn a few at a time."""
    from tuwen.embedder import open_embedder

    return open_embedder(source, device, where="judge")


def best(
    judge: Embedder, text: str, pictures: Sequence[np.ndarray], candidates: int
) -> tuple[list[np.ndarray], tuple[float, ...]]:
    """Of each `candidates` pictures the one that fits best, and the cosine of each that is kept."""
    import torch
    from torch.nn.functional import normalize

    image_PD = normalize(torch.as_tensor(judge.images(pictures)).float(), dim=1)
    text_D = normalize(torch.as_tensor(judge.texts([text])).float(), dim=1)[0]
    cosine_NK = (image_PD @ text_D).unflatten(0, (-1, candidates))
    best_N = cosine_NK.argmax(1).tolist()
    kept = [pictures[row * candidates + place] for row, place in enumerate(best_N)]
    return kept, tuple(round(one, 4) for one in cosine_NK.amax(1).tolist())


__all__ = ["best", "judge_of"]
