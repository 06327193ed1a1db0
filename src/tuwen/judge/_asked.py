"""What every judge is told."""

from __future__ import annotations

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
