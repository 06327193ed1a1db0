"""What every judge is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuwen.judge._drawn import Drawn

if TYPE_CHECKING:
    from tuwen.judge._eyes import Eyes


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
    eyes: Eyes | None = None
    """Networks that compare drawn pictures with real ones; None: they are not compared."""
    draws: int = 0
    """Rows that a picture is drawn for, the first ones; 0: all."""
    drawn: Drawn = field(default_factory=Drawn)
    """What has been drawn, for all judges."""
