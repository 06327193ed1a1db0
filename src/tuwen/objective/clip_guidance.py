"""A drawn picture should fit its text in the eyes of a frozen model that matches pictures and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.objective._augment import Change, changed
from tuwen.objective._drawn import drawn
from tuwen.types import Batch, Decoded, Latent, Made, Sample, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    source: str = ""
    """Model that matches: a directory of tuwen (recipe clip, siglip, dual-encoder, coca), or a folder or hub name of
    transformers' CLIP and its kin; only `train` reads it."""
    route: str = "draw"
    """Route that draws the pictures."""
    given: str = "draw"
    """Latent that they are drawn from: the name of the route where it is a fused one, else of its field."""
    field: str = "text"
    """Field that says what they should show."""
    changes: tuple[Change, ...] = ("translation",)
    """How pictures are changed at random before they are looked at, so that pixels cannot be bent to one look."""

    def build(self) -> ClipGuidance:
        return ClipGuidance(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        random = torch.Generator().manual_seed(0)
        pixels, real = torch.rand(2, 2, 3, 16, 16, generator=random)
        rows = [Sample(key, {self.field: f"{key} picture"}) for key in ("red", "blue")]
        made = Made({self.given: Latent(torch.zeros(2, 4))}, {self.route: Decoded(pixels, real)})
        return made, Batch(["red", "blue"], {}, raw=rows)


class Guide(Protocol):
    """A frozen model that has pictures and texts in one space."""

    def drawn(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, D) of pictures of 0 to 1; gradients flow to the pixels."""

    def texts(self, values: Sequence[str]) -> np.ndarray:
        """(P, D)."""


class ClipGuidance:
    """`(made, batch) -> Terms(clip_guidance)`: 1 - the mean cosine of each drawn picture with the first text of its row.

    The guide is opened by the training loop and is not kept with the model: without it, as in `tuwen evaluate`, there is
    no term. Beside a critic it says which picture a text means; alone it is soon pleased by pixels that mean nothing to us.

    Source:
        Zhou et al. 2021, "LAFITE", arXiv:2111.13792, section 3.2 (CLIP's score as a loss of a generator); changing pictures
        at random before it looks: Liu et al. 2021, "FuseDream", arXiv:2112.01573, section 3.1.
    Differs:
        the cosine itself, not a softmax over the batch, in which texts may repeat.
    """

    asks = "match"

    def __init__(self, config: Config):
        self.config = config
        self.guide: Guide | None = None
        """Set by `train/guide.py`."""

    def __call__(self, made: Made, batch: Batch) -> Terms:
        found = drawn(made, self.config.route, self.config.given)
        if self.guide is None or found is None:
            return Terms()
        texts = [_first(batch.raw[row].fields.get(self.config.field)) for row in found.row_P.tolist()]
        said_P = torch.tensor([bool(text) for text in texts], device=found.pixels.device)
        if not said_P.any():
            return Terms()
        texts, pixels = [text for text in texts if text], found.pixels[said_P].float()
        if torch.is_grad_enabled():
            pixels = (changed(pixels * 2 - 1, self.config.changes) + 1) / 2
        seen_PD = self.guide.drawn(pixels)
        said_PD = torch.as_tensor(self.guide.texts(texts)).to(seen_PD)
        return Terms({"clip_guidance": 1 - F.cosine_similarity(seen_PD, said_PD).mean()})


def _first(value: str | Sequence[str] | None) -> str:
    """The text of a row, or the first of several; empty where it has none."""
    return value if isinstance(value, str) else next(iter(value or ()), "")
