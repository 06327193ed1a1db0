"""What can go wrong, as a tree.

* TuwenError              anything that the user can mend; the command line prints its one line and exits 2
  x UnknownNameError      a name typed by the user is in no registry
  x ConfigError           an option or a field of a recipe has a value that cannot work
  x DataError             a row, a picture or a file of the data cannot be used
  x ShapeError            two tensors do not fit each other
  x MissingExtraError     an optional dependency is not installed
  x CheckpointError       a model directory is incomplete, damaged, or from a newer version
  x CannotError           a model is asked for what it was not trained to do

Every message says what was got, what can be taken, and what to type next.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class TuwenError(Exception):
    """Base class of everything that the user can mend."""

    def __init__(self, message: str):
        self.message = message
        super().__init__(message)

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return self.message


class ConfigError(TuwenError, ValueError):
    """An option or a field of a recipe has a value that cannot work."""


class DataError(TuwenError, ValueError):
    """A row, a picture or a file of the data cannot be used."""


class ShapeError(TuwenError, ValueError):
    """Two tensors do not fit each other."""


class CheckpointError(TuwenError):
    """A model directory is incomplete, damaged, or from a newer version."""


class CannotError(TuwenError):
    """A model is asked for what it was not trained to do."""


class UnknownNameError(TuwenError, KeyError):
    """A name given by the user is not registered."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        known = list(known)
        super().__init__(
            f"no {kind} is called {name!r}.{did_you_mean(name, known)} `tuwen list {kind}` shows all {len(known)}."
        )


class MissingExtraError(TuwenError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str):
        super().__init__(f"{what} needs the extra {extra!r}: pip install 'tuwen[{extra}]'")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x', 'y'?` with the nearest names, or an empty string; far ones only where none is very near."""
    known = list(known)
    near = get_close_matches(name, known, n=3, cutoff=0.8) or get_close_matches(name, known, n=3, cutoff=0.4)
    return f" Did you mean {', '.join(map(repr, near))}?" if near else ""
