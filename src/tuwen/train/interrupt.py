"""Ctrl-C between two steps instead of in the middle of one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def interruptible() -> Iterator[list[bool]]:
    """A list that Ctrl-C makes non-empty; the loop looks at it between steps. A second Ctrl-C stops at once."""
    stopped: list[bool] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(True)

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread: nothing to catch
        yield stopped
        return
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
