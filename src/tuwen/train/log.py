"""log.jsonl: one JSON object a line, every term of every logged step, each evaluation, and what was warned of."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuwen._files import write_atomic

try:
    import resource
except ImportError:  # Windows keeps no such count
    resource = None  # type: ignore[assignment]

Report = Callable[[dict[str, Any]], None]
"""Takes the events of a run: kind is estimate, cache, step, evaluation, averaged, warning, saved, stage or done."""


def peak_memory_mb() -> float:
    """Largest memory that this process has held, in MB; 0 where the system does not say."""
    if resource is None:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Log:
    """Appends events to log.jsonl and passes them on.

    Args:
        path: the file; lines of steps after `step` (from a run that was killed later than it saved) are dropped.
    """

    def __init__(self, path: Path, report: Report | None, *, step: int):
        self.path, self.report, self.step = path, report, step
        self._early: list[str] | None = []

    def begin(self) -> None:
        """Makes the file anew, with what was recorded so far: the log of an earlier run stays where a start is refused."""
        kept = []
        if self.path.exists() and self.step:
            for line in self.path.read_text("utf-8", errors="replace").split("\n"):
                try:
                    event = json.loads(line)
                except json.JSONDecodeError:
                    continue  # half a line from a kill
                if event.get("step", 0) <= self.step:
                    kept.append(line)
        early, self._early = self._early or [], None
        write_atomic(self.path, "".join(f"{line}\n" for line in [*kept, *early]))

    def warn(self, text: str) -> None:
        self("warning", text=text)

    def __call__(self, kind: str, *, keep: bool = True, **values: Any) -> None:
        """Records an event; `keep=False` passes it on without writing it down."""
        event = {"kind": kind, **values}
        line = json.dumps(event, ensure_ascii=False)
        if keep and self._early is not None:
            self._early.append(line)
        elif keep:
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:  # names that are not UTF-8
                file.write(line + "\n")
        if self.report:
            self.report(event)
