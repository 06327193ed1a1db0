"""tuwen learns a shared space from a user's own pictures and words, and captions and matches with it.

import tuwen

tuwen.train("photos/", recipe="coca", out="model")
model = tuwen.load("model")
model.caption("a.jpg").caption
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "load": "tuwen.directory",
    "open_data": "tuwen.data._dataset",
    "Recipe": "tuwen.recipe",
    "CrossModal": "tuwen.model",
    "TuwenError": "tuwen.errors",
}
"""Public name -> module that holds it; imported when the name is first used."""

if TYPE_CHECKING:
    from tuwen.data._dataset import open_data as open_data
    from tuwen.directory import load as load
    from tuwen.errors import TuwenError as TuwenError
    from tuwen.model import CrossModal as CrossModal
    from tuwen.recipe import Recipe as Recipe
    from tuwen.train.loop import train as train


def __getattr__(name: str) -> Any:
    """PEP 562: brings a public name in when it is first used, so that `import tuwen` loads no torch."""
    if name == "train":  # a folder that can be called: it stays the same object whoever imports it first
        return importlib.import_module("tuwen.train")
    if name not in _HOMES:
        raise AttributeError(f"tuwen has no {name!r}; it has: {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = ["CrossModal", "Recipe", "TuwenError", "__version__", "load", "open_data", "train"]
