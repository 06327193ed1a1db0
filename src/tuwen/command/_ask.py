"""A task as a verb: opens the model and the pictures, asks, and prints or writes the answers."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tuwen import registry
from tuwen.command import _bulk
from tuwen.command._rows import Rows, open_rows, to_json
from tuwen.command._verb import parameters, picture_fields
from tuwen.errors import DataError


@dataclass(frozen=True, kw_only=True)
class _Model:
    model: str
    """Model directory, as `tuwen train` writes it."""


@dataclass(frozen=True, kw_only=True)
class _Device:
    device: str = "auto"
    """cpu, cuda, mps, or auto: the first that is there of cuda, mps, cpu."""


def task_parameters(task: ModuleType) -> list[inspect.Parameter]:
    """MODEL, the fields of the task's Request, and for pictures the options of bulk work."""
    bulk = parameters(_bulk.Options) if picture_fields(task.Request) else []
    return [*parameters(_Model), *parameters(task.Request, pictures=True), *bulk, *parameters(_Device)]


def open_model(path: str, device: str) -> Any:
    """The model of a directory, on the device called cpu, cuda, mps or auto."""
    from tuwen.directory import load
    from tuwen.train.precision import choose_device

    return load(path, device=choose_device(device))


def ask(verb: str, values: Mapping[str, Any], *, json: bool) -> None:
    """Answers what was typed.

    Raises:
        TuwenError: model, pictures or options cannot be used.
    """
    task = registry.get("task", verb)
    options = {f.name: values[f.name] for f in dataclasses.fields(task.Request)}
    images = picture_fields(task.Request)
    if not images:
        model = open_model(values["model"], values["device"])
        [response] = task.run(model, [task.Request(**options)])
        print(to_json(dataclasses.asdict(response)) if json else task.show(response))
        return
    given = options.pop(images[0])
    pictures = _bulk.find_pictures([given] if isinstance(given, str) else given)
    requests = [(name, task.Request(**{images[0]: name}, **options)) for name, _ in pictures]
    rows = None
    if values["out"]:
        columns = [f.name for f in dataclasses.fields(task.Response)]
        rows = open_rows(values["out"], columns, pictures, overwrite=values["overwrite"])
    _Job(task, values, rows, json).run(requests)


class _Job:
    """One verb over pictures, with or without a file that the answers go to."""

    def __init__(self, task: ModuleType, values: Mapping[str, Any], rows: Rows | None, json: bool):
        self.task, self.values, self.rows, self.json = task, values, rows, json
        self.summary = _bulk.Summary()

    def run(self, requests: Sequence[tuple[str, Any]]) -> None:
        done = self.rows.done if self.rows else set()
        left = [(name, request) for name, request in requests if name not in done]
        self.summary.skipped = len(requests) - len(left)
        began, ticker = time.monotonic(), _bulk.Ticker(len(left))
        try:
            if left:
                model = open_model(self.values["model"], self.values["device"])
                batches = _bulk.answers(lambda some: self.task.run(model, some), left, self.values["on_error"])
                for batch in batches:
                    self._take(batch, alone=len(requests) == 1)
                    if self.rows:
                        ticker.add(len(batch))
        finally:
            ticker.close()
            self.summary.seconds = time.monotonic() - began
            self._finish()
        if self.summary.failed and not self.summary.written and not self.summary.skipped:
            raise DataError(
                f"none of {len(requests)} pictures could be read; the first: {next(iter(self.summary.failed.values()))}"
            )

    def _take(self, batch: Sequence[tuple[str, Any]], *, alone: bool) -> None:
        good = [(name, answer) for name, answer in batch if not isinstance(answer, DataError)]
        self.summary.failed.update({name: str(answer) for name, answer in batch if isinstance(answer, DataError)})
        if self.rows:
            self.rows.write([(name, dataclasses.asdict(answer), self.task.show(answer)) for name, answer in good])
        else:
            for name, answer in batch:
                self._print(name, answer, alone)
        self.summary.written += len(good)

    def _print(self, name: str, answer: Any, alone: bool) -> None:
        failed = isinstance(answer, DataError)
        if self.json:
            print(
                to_json({"image": name, **({"error": str(answer)} if failed else dataclasses.asdict(answer))}),
                flush=True,
            )
        elif failed:
            print(answer, file=sys.stderr)
        else:
            text = self.task.show(answer)
            print(text if alone else f"{name}: {text}" if "\n" not in text else f"{name}\n{text}", flush=True)

    def _finish(self) -> None:
        """The summary: on stderr, and as JSON on stdout if that is asked for."""
        if not self.rows:
            return
        self.rows.close()
        hint = " (--overwrite asks again)" if self.summary.skipped and not self.summary.written else ""
        print(f"{self.values['out']}: {self.summary}{hint}", file=sys.stderr)
        if self.json:
            print(to_json({"out": self.values["out"], **dataclasses.asdict(self.summary)}))
