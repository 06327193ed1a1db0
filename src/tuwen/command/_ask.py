"""A task as a verb: opens the model and the pictures, asks, and prints or writes the answers."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_type_hints

from tuwen import registry
from tuwen._files import atomic, check_file
from tuwen.command import _bulk, _texts
from tuwen.command._rows import DrawnFiles, Rows, open_rows, png_notes, to_json
from tuwen.command._stream import Stream
from tuwen.command._verb import asked_pictures, parameters, picture_fields
from tuwen.data._problem import LIMIT
from tuwen.errors import ConfigError, DataError
from tuwen.types import Picture

_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Suffixes of -o that ask a task for the picture that it makes of its answer, and how Pillow calls them."""


@dataclass(frozen=True, kw_only=True)
class _Model:
    model: str
    """Model directory, as `tuwen train` writes it."""


@dataclass(frozen=True, kw_only=True)
class _Models:
    model: str
    """Model directory, as `tuwen train` writes it; or several, with commas between, that write together; those that only
    match say what fits."""


@dataclass(frozen=True, kw_only=True)
class _Matchers:
    model: str
    """Model directory, as `tuwen train` writes it; or several that match, with commas between: the mean of what they say counts."""


_MODELS = {"": _Model, "caption": _Models, "match": _Matchers}
"""What several models do as one in a task (its `several`) -> how they are named."""


@dataclass(frozen=True, kw_only=True)
class _Stream:
    stream: bool = False
    """Show the answer while it is written, of several pictures one after the other; for ways of writing that are certain
    of each word at once: --beam 1, or --method sampling or contrastive."""


@dataclass(frozen=True, kw_only=True)
class _Device:
    device: str = "auto"
    """cpu, cuda, mps, or auto: the first that is there of cuda, mps, cpu."""


def task_parameters(task: ModuleType) -> list[inspect.Parameter]:
    """MODEL, the fields of the task's Request, the options of bulk work about pictures, or of what is drawn of texts."""
    more = _bulk.Options if asked_pictures(task.Request) else _texts.Options if hasattr(task, "picture") else None
    named = [*(parameters(more) if more else []), *(parameters(_Stream) if _may_stream(task) else [])]
    model = _MODELS[getattr(task, "several", "")]
    return [*parameters(model), *parameters(task.Request, pictures=True), *named, *parameters(_Device)]


def _open(task: ModuleType, values: Mapping[str, Any]) -> Any:
    """The model that is asked, or several as one where the task takes them."""
    return open_model(values["model"], values["device"], several=getattr(task, "several", ""))


def _may_stream(task: ModuleType) -> bool:
    """Whether answers can be shown while they are written; `check_stream` of the task says of which requests."""
    return hasattr(task, "check_stream")


def open_model(path: str, device: str, *, several: Literal["", "caption", "match", "any"] = "") -> Any:
    """The model of a directory.

    Args:
        device: cpu, cuda, mps or auto.
        several: what the models of several directories, named with commas between, do as one; any: they caption if one of them
            does, else they match; "": one is taken.
    Raises:
        ConfigError: several are named where one is taken.
    """
    from tuwen.directory import load
    from tuwen.ensemble import Ensemble
    from tuwen.machine import choose_device
    from tuwen.matchers import Matchers

    paths = model_paths(path)
    if len(paths) > 1 and not several:
        raise ConfigError(
            f"{path} names {len(paths)} models, and one is taken here; name one. Several write captions together: tuwen "
            f"caption {path} photo.jpg"
        )
    models = [load(one, choose_device(device)) for one in paths]
    if len(models) == 1:
        return models[0]
    writing = several == "caption" or (several == "any" and any("caption" in model.can() for model in models))
    return (Ensemble if writing else Matchers)(models, paths).eval()


def model_paths(path: str) -> list[str]:
    """One model directory, or several with commas between; a folder with a comma in its name is one.

    Raises:
        ConfigError: nothing stands before or after a comma, or a model is named twice.
    """
    paths = [path] if Path(path).exists() else [one.strip() for one in path.split(",")]
    if len(paths) > 1 and not all(paths):
        raise ConfigError(f"a model is missing in {path!r}: one stands on both sides of each comma, as in A,B")
    places = [Path(one).resolve() for one in paths]
    if twice := [one for i, one in enumerate(paths) if places[i] in places[:i]]:
        raise ConfigError(
            f"{path!r} names {twice[0]} twice, which weighs it twice and adds nothing; name each model once"
        )
    return paths


def ask(verb: str, values: Mapping[str, Any], *, json: bool) -> None:
    """Answers what was typed.

    Raises:
        TuwenError: model, pictures or options cannot be used.
    """
    task = registry.get("task", verb)
    options = {f.name: values[f.name] for f in dataclasses.fields(task.Request)}
    images = asked_pictures(task.Request)
    if not images and values.get("texts"):
        _draw_many(task, values, options, json=json)
        return
    if not images and hasattr(task, "picture") and (values["out"] or not json):
        _draw(task, values, [("", task.Request(**options))], json=json)
        return
    if not images:
        model = _open(task, values)
        with _tells(task, _bulk.Ticker(1)) as more:
            [response] = task.run(model, [task.Request(**options)], **more)
        print(to_json(_plain(response, _left_out(task, options))) if json else task.show(response))
        return
    given = options.pop(images[0])
    pictures = _bulk.find_pictures([given] if isinstance(given, str) else given)
    requests = [(name, task.Request(**{images[0]: name}, **options)) for name, _ in pictures]
    if not requests:  # a picture that may be left out
        pictures, requests = [("", Path("made"))], [("", task.Request(**options))]
    if values.get("stream"):
        _check_stream(task, requests[0][1], values, json=json)
    if Path(values["out"]).suffix.lower() in _PICTURES:
        _draw(task, values, requests, json=json)
        return
    rows = None
    if values["out"]:
        drawn = _drawn(task)
        hidden = {*drawn, *_left_out(task, options)}
        columns = [f.name for f in dataclasses.fields(task.Response) if f.name not in hidden]
        made = drawn[0] if drawn else ""
        rows = open_rows(values["out"], columns, pictures, overwrite=values["overwrite"], made=made)
    _Job(task, values, rows, json).run(requests)


def _check_stream(task: ModuleType, request: Any, values: Mapping[str, Any], *, json: bool) -> None:
    """Raises ConfigError where answers go elsewhere or are whole lines, or the task cannot show such a one in parts."""
    if values["out"]:
        raise ConfigError(
            f"--stream shows answers on the terminal, and -o {values['out']} writes them into files; leave one of the two out"
        )
    if json:
        raise ConfigError(
            "--stream shows answers while they are written, and --json gives each as one whole line; leave one of the two out"
        )
    task.check_stream(request)


def _draw(task: ModuleType, values: Mapping[str, Any], requests: Sequence[tuple[str, Any]], *, json: bool) -> None:
    """Answers one request and writes the picture that the task makes of the answer.

    Raises:
        ConfigError: the task makes no pictures, or there are several requests.
    """
    out = Path(values["out"])
    if out.suffix.lower() not in _PICTURES:
        got = f"-o {values['out']} is no picture" if values["out"] else "this verb draws a picture"
        many = "" if asked_pictures(task.Request) else " Of many texts: --texts FILE -o FOLDER/."
        raise ConfigError(f"{got}; say where it goes with -o FILE.png (or .jpg, .webp), or take it from --json.{many}")
    if not hasattr(task, "picture") or len(requests) > 1:
        why = (
            f"this verb draws one picture at a time and got {len(requests)}"
            if hasattr(task, "picture")
            else "this verb draws nothing"
        )
        raise ConfigError(
            f"-o {out} is a picture, but {why}; it can be FILE.csv, FILE.jsonl, or FOLDER/ for one .txt a picture."
        )
    [(name, request)] = requests
    read = [getattr(request, field) for field in picture_fields(task.Request)]
    check_file(str(out), [one for one in read if isinstance(one, str | os.PathLike)], example="out.png")
    model = _open(task, values)
    try:
        with _tells(task, _bulk.Ticker(1)) as more:
            [response] = task.run(model, [request], **more)
    except DataError as error:
        raise DataError(str(error).replace(LIMIT, _bulk.SMALLER)) from None
    drawn = task.picture(model, request, response)
    drawn.info["model"] = values["model"]
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic(out) as temporary:
            drawn.save(temporary, format=_PICTURES[out.suffix.lower()], pnginfo=png_notes(drawn))
    except ValueError as error:  # more pixels than the format has room for
        raise ConfigError(f"{out} cannot hold {drawn.width} x {drawn.height} pixels: {error}; name a .png") from None
    asked = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
    fields = _plain(response, {*_drawn(task), *_left_out(task, asked)})
    named = {"image": name} if name else {}
    print(to_json({**named, "out": str(out), **fields}) if json else task.show(response))


def _draw_many(task: ModuleType, values: Mapping[str, Any], options: Mapping[str, Any], *, json: bool) -> None:
    """Answers a request for each text of a file, and writes what is made of each into a folder.

    Raises:
        ConfigError: a text is given beside them, or no folder.
        DataError: the file cannot be read.
    """
    if options["text"]:
        raise ConfigError("TEXT and --texts are two ways of saying what to draw; leave one out")
    if not values["out"]:
        raise ConfigError("--texts makes many pictures; say where they go with -o FOLDER/")
    texts, left_out = _texts.find_texts(values["texts"], values["on_error"])
    requests = [(name, task.Request(**{**options, "text": text})) for name, text in texts]
    notes = {name: {"model": values["model"], **task.about(request)} for name, request in requests}
    [made], first = _drawn(task), requests[0][1]
    rows = DrawnFiles(Path(values["out"]), notes, made, first.num, overwrite=values["overwrite"])
    job = _Job(task, values, rows, json)
    job.summary.failed.update(left_out)
    job.run(requests, at_once=max(1, task.AT_ONCE // first.all))


@contextmanager
def _tells(task: ModuleType, ticker: _bulk.Ticker) -> Iterator[dict[str, Any]]:
    """What `run` takes besides requests so that steps are told, where a task takes long for one."""
    try:
        yield {} if asked_pictures(task.Request) else {"emit": lambda number, text: ticker.tell(text)}
    finally:
        ticker.close()


@contextmanager
def _streams(stream: Stream) -> Iterator[dict[str, Any]]:
    """What `run` takes besides requests so that answers are shown while they are written."""
    try:
        yield {"emit": stream.tell}
    finally:
        stream.close()


def _left_out(task: ModuleType, options: Mapping[str, Any]) -> set[str]:
    """Fields of the answer that were not asked for: those whose metadata `asked` names an option left at its default."""
    defaults = {f.name: f.default for f in dataclasses.fields(task.Request)}
    return {
        f.name
        for f in dataclasses.fields(task.Response)
        if (asked := f.metadata.get("asked")) and options[asked] == defaults[asked]
    }


def _plain(answer: Any, left_out: set[str]) -> dict[str, Any]:
    """An answer as a dictionary, also the dataclasses in it, without some fields on every level."""
    return dataclasses.asdict(answer, dict_factory=lambda items: {k: v for k, v in items if k not in left_out})


def _drawn(task: ModuleType) -> list[str]:
    """Fields of the task's Response that hold pictures."""
    hints = get_type_hints(task.Response)
    return [f.name for f in dataclasses.fields(task.Response) if hints[f.name] in (Picture, tuple[Picture, ...])]


class _Job:
    """One verb over pictures, with or without a file that the answers go to."""

    def __init__(self, task: ModuleType, values: Mapping[str, Any], rows: Rows | None, json: bool):
        self.task, self.values, self.rows, self.json = task, values, rows, json
        self.stream, self.alone = Stream() if values.get("stream") else None, False
        self.left_out = _left_out(task, values)
        self.summary = _bulk.Summary()

    def run(self, requests: Sequence[tuple[str, Any]], at_once: int = _bulk.ROWS) -> None:
        done = self.rows.done if self.rows else set()
        left = [(name, request) for name, request in requests if name not in done]
        self.summary.skipped = len(requests) - len(left)
        self.alone, at_once = len(requests) == 1, 1 if self.stream else at_once
        began, ticker = time.monotonic(), _bulk.Ticker(len(left))
        try:
            if left:
                model = _open(self.task, self.values)
                with _streams(self.stream) if self.stream else _tells(self.task, ticker) as more:
                    for batch in _bulk.answers(
                        lambda some: self._ask(model, some, more), left, self.values["on_error"], at_once
                    ):
                        self._take(batch)
                        if self.rows:
                            ticker.add(len(batch))
        finally:
            self.summary.seconds = time.monotonic() - began
            self._finish()
        if self.summary.failed and not self.summary.written and not self.summary.skipped:
            raise DataError(
                f"none of {len(requests)} pictures could be read; the first: {next(iter(self.summary.failed.values()))}"
            )

    def _ask(self, model: Any, some: list[Any], more: Mapping[str, Any]) -> list[Any]:
        if self.stream:
            name = getattr(some[0], asked_pictures(self.task.Request)[0])
            self.stream.begin("" if self.alone else f"{name}: ")
        answers: list[Any] = self.task.run(model, some, **more)
        return answers

    def _take(self, batch: Sequence[tuple[str, Any]]) -> None:
        good = [(name, answer) for name, answer in batch if not isinstance(answer, DataError)]
        self.summary.failed.update({name: str(answer) for name, answer in batch if isinstance(answer, DataError)})
        if self.rows:
            self.rows.write([(name, _plain(answer, self.left_out), self.task.show(answer)) for name, answer in good])
        else:
            for name, answer in batch:
                self._print(name, answer)
        self.summary.written += len(good)
        self.summary.abstained += sum(bool(getattr(answer, "abstained", "")) for _, answer in good)

    def _print(self, name: str, answer: Any) -> None:
        failed = isinstance(answer, DataError)
        if self.json:
            print(
                to_json({"image": name, **({"error": str(answer)} if failed else _plain(answer, self.left_out))}),
                flush=True,
            )
        elif failed:
            print(answer, file=sys.stderr)
        elif self.stream:
            self.stream.end(self.task.show(answer))
        else:
            text = self.task.show(answer)
            print(text if self.alone else f"{name}: {text}" if "\n" not in text else f"{name}\n{text}", flush=True)

    def _finish(self) -> None:
        """The summary: on stderr, and as JSON on stdout if that is asked for."""
        if not self.rows:
            return
        self.rows.close()
        hint = " (--overwrite asks again)" if self.summary.skipped and not self.summary.written else ""
        print(f"{self.values['out']}: {self.summary}{hint}", file=sys.stderr)
        if self.json:
            print(to_json({"out": self.values["out"], **dataclasses.asdict(self.summary)}))
