"""What the settings of ways of making share: values that cannot be are refused; how much what is said counts."""

from __future__ import annotations

from dataclasses import dataclass

from tuwen.errors import ConfigError
from tuwen.machine import PRECISIONS


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Base of Configs that refuse values that cannot be."""

    def check(self) -> None:
        """Raises ConfigError for values that cannot be."""

    def require(self, good: bool, name: str, what: str) -> None:
        """Raises ConfigError, naming the field, its value and what can be taken, unless it is good."""
        if not good:
            part = type(self).__module__.removeprefix("tuwen.")
            raise ConfigError(f"{part}.{name} is {getattr(self, name)!r}; {what}")


@dataclass(frozen=True, kw_only=True)
class Guided(Checked):
    """Base of the Configs of ways to draw what is said."""

    guidance: float = 3.0
    """1: as learned; more: closer to what is said, and less varied; 0: as if nothing were said."""
    precision: str = "float32"
    """What the network computes in: float32, bfloat16, or auto: bfloat16 where this machine multiplies faster in it."""

    def check(self) -> None:
        super().check()
        self.require(self.precision in PRECISIONS, "precision", f"it is one of {', '.join(PRECISIONS)}")
        self.require(0 <= self.guidance < 1000, "guidance", "it is 0 or more, below 1000, for example guidance=3")
