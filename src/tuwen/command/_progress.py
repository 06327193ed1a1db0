"""What a long run says while it goes: JSON lines on stdout, or a progress bar and plain lines on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Event = Mapping[str, Any]

_SAID_ALONE = ("kind", "stage", "step", "steps", "lr", "rows_per_s", "left_s", "memory_mb")
"""Fields of a step that are no term of the loss."""


@contextmanager
def json_lines() -> Iterator[dict[str, Callable[[Event], None]]]:
    """Each event is a line on stdout; the last, `done`, is the answer of the verb and printed by it."""
    from tuwen.command._rows import to_json

    def report(event: Event) -> None:
        if event["kind"] != "done":
            print(to_json(event), flush=True)

    yield {"report": report}


@contextmanager
def on_terminal() -> Iterator[dict[str, Callable[[Event], None]]]:
    """A bar where stderr is a terminal, else a line now and then; evaluations and warnings as lines in both."""
    if not sys.stderr.isatty():
        yield {"report": Lines()}
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TextColumn("{task.fields[about]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield {"report": Bar(bar)}


class Lines:
    """Plain lines on stderr, at most one each `every_s` seconds for steps."""

    def __init__(self, every_s: float = 10.0):
        self.every_s, self.said = every_s, -every_s

    def __call__(self, event: Event) -> None:
        if event["kind"] in ("step", "cache"):
            whole = event.get("step") == event.get("steps") if event["kind"] == "step" else event["done"] == event["of"]
            now = time.monotonic()
            if now - self.said < self.every_s and not whole:
                return
            self.said = now
        if text := describe(event):
            self.say(text)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Bar(Lines):
    """Steps move a bar; everything else is a line above it."""

    def __init__(self, bar: Any):
        super().__init__()
        self.bar, self.tasks = bar, dict[str, Any]()

    def __call__(self, event: Event) -> None:
        if event["kind"] == "step":
            self._move(
                event.get("stage", "training"),
                event["step"],
                event["steps"],
                f"loss {event['loss']:.3f}, {_pace(event)}",
            )
        elif event["kind"] == "cache":
            self._move(f"reading {event['field']}", event["done"], event["of"], f"{event['rows_per_s']:.0f} a second")
        elif text := describe(event):
            self.say(text)

    def _move(self, what: str, done: int, of: int, about: str) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.bar.add_task(what, about="")
        self.bar.update(self.tasks[what], completed=done, total=of, about=about)

    def say(self, text: str) -> None:
        self.bar.console.print(text, markup=False, highlight=False)


def describe(event: Event) -> str:
    """An event in a line or some; empty for those that need no words."""
    make = _WORDS.get(event["kind"])
    text = make(event) if make else ""
    return f"{event['stage']}: {text}" if text and "stage" in event else text


def _step(event: Event) -> str:
    terms = ", ".join(
        f"{name} {value:.3f}" for name, value in event.items() if name not in _SAID_ALONE and isinstance(value, float)
    )
    return f"step {event['step']} of {event['steps']}: {terms}, {_pace(event)}"


def _pace(event: Event) -> str:
    return f"{event['rows_per_s']:.0f} rows/s, {duration(event['left_s'])} left"


def _cache(event: Event) -> str:
    return f"reading {event['field']}: {event['done']} of {event['of']}, {event['rows_per_s']:.0f} a second"


def _estimate(event: Event) -> str:
    size = f"{event['parameters'] / 1e6:.1f} million parameters ({event['trained'] / 1e6:.1f} trained)"
    disk_mb = event["disk_mb"] + event["cache_mb"]
    cost = f"about {duration(event['time_s'])}, {event['memory_mb']} MB of memory, {disk_mb} MB of disk"
    return f"{size} on {event['device']} in {event['precision']}; {event['steps']} steps: {cost}"


def _evaluation(event: Event) -> str:
    figures = headlines(event["figures"])
    if not figures:
        return ""  # there is no validation part
    lines = [f"step {event['step']}: {figures}{' (best so far)' if event.get('best') else ''}"]
    for sample in event["samples"]:
        if "caption" in sample:
            lines.append(_said(sample["key"], sample["caption"], next(iter(sample.get("references") or ()), "")))
        elif "named" in sample:
            lines.append(_said(sample["key"], *(_listed(sample[name]) for name in ("named", "label"))))
    return "\n".join(lines)


def _stage(event: Event) -> str:
    figures = headlines(event["figures"])
    return f"is done; the next stage begins with its best model, of step {event['best_step']}" + (
        f": {figures}" if figures else ""
    )


def _averaged(event: Event) -> str:
    steps = ", ".join(map(str, event["steps"]))
    kept = "better than the best of them, and kept" if event["best"] else "not better, and left"
    return f"the mean of the weights of steps {steps}: {headlines(event['figures'])} ({kept})"


def _said(key: str, said: str, right: str) -> str:
    return f"    {key}: {said}" + (f"  [{right}]" if right else "")


def _listed(labels: Any) -> str:
    """One label, or several with commas between."""
    return labels if isinstance(labels, str) else ", ".join(labels)


def headlines(figures: Mapping[str, float]) -> str:
    """The figures that matter most, in a line."""
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items() if name in _HEADLINES)


_HEADLINES = (
    "loss",
    "accuracy",
    "average_precision",
    "mse",
    "kl",
    "cider",
    "bleu_4",
    "i2t_r1",
    "t2i_r1",
    "statement_truth",
    "distinct_captions",
    "shuffled_gap",
    "code_gap",
    "drawn_shape_colour",
    "drawn_distance",
    "drawn_spread",
)
"""Figures that are said at each evaluation; all of them stand in log.jsonl."""

_WORDS: dict[str, Callable[[Event], str]] = {
    "step": _step,
    "cache": _cache,
    "estimate": _estimate,
    "evaluation": _evaluation,
    "averaged": _averaged,
    "stage": _stage,
    "warning": lambda event: f"warning: {event['text']}",
}


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 3 min 20 s, 1 h 5 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def seconds_of(text: str) -> float:
    """'90s', '20m', '1h', '1h30m' or a number of seconds, as seconds; 0 for an empty text.

    Raises:
        ConfigError: anything else.
    """
    import re

    from tuwen.errors import ConfigError

    found = re.fullmatch(r"\s*(?:(\d+(?:\.\d+)?)h)?\s*(?:(\d+(?:\.\d+)?)m)?\s*(?:(\d+(?:\.\d+)?)s?)?\s*", text)
    if not found or re.fullmatch(r".*h\s*[\d.]+\s*", text):  # 1h30: minutes or seconds?
        raise ConfigError(f"--time-limit is {text!r}; it takes hours, minutes and seconds: 1h, 20m, 90s, 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
