"""Raw values inside larger files: a row says where they lie, and they are read when somebody looks at them."""

from abc import ABC, abstractmethod
from typing import Any


class Stored(ABC):
    """A picture or sound that lies in a larger file. Small, and travels to workers."""

    name: str
    """What it is called there."""

    @abstractmethod
    def load(self) -> Any:
        """The bytes of a file, or an array of pixels.

        Raises:
            DataError: it cannot be read any more.
        """


def loaded(raw: Any) -> Any:
    """A raw value itself, read first where it is a `Stored` one."""
    return raw.load() if isinstance(raw, Stored) else raw
