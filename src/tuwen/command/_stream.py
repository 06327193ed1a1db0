"""Answers on stdout while they are written: what is new of them at once, in the end what would be printed without."""

from __future__ import annotations

import sys
from typing import TextIO


class Stream:
    """One answer after the other, each from `begin` to `end`.

    Args:
        out: stdout if None.
    """

    def __init__(self, out: TextIO | None = None):
        self.out, self.heading, self.said = out or sys.stdout, "", ""

    def begin(self, heading: str) -> None:
        """The next answer; its heading is shown with the first of it."""
        self.heading, self.said = heading, ""

    def tell(self, number: int, text: str) -> None:
        """`emit` of a task: all that there is of the answer so far."""
        self._show(self.heading + text)

    def end(self, text: str) -> None:
        """The whole answer, and the end of its line."""
        self._show(f"{self.heading}{text}\n")
        self.said = ""

    def close(self) -> None:
        """Ends the line of an answer that was broken off."""
        if self.said:
            self._write("\n")

    def _show(self, whole: str) -> None:
        self._write(whole[len(self.said) :] if whole.startswith(self.said) else f"\n{whole}")
        self.said = whole

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()
