"""What every judge is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How to judge; the same for all judges of an evaluation."""

    method: Any
    """Built way of `tuwen.generate` in which texts are written."""
    shuffled: bool = True
    """Also judge what the model makes when it is shown what belongs to another row."""
    quick: bool = False
    """Look at the first rows only where a look takes long; while a model trains."""
    known: Sequence[str] = ()
    """Captions that the model may have learned: those of the training part. Empty: copies are not counted."""
    gallery: int = 0
    """Pictures that are looked through at once in retrieval; 0: all."""
    unsure: bool = False
    """Also say of each caption what a confidence is fitted on."""
