"""Learns a model from pictures and words.

Example:
    tuwen train photos/ -o model --time-limit 20m
    tuwen train scenes -o model -r cnn-transformer --set train.lr=5e-4
    tuwen train photos/ -o tuned --start-from model --set objective.caption=self_critical --set train.lr=5e-5
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuwen.command._progress import duration, headlines, seconds_of
from tuwen.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Request:
    data: str = field(default="", metadata={"positional": True})
    """A folder, a table, a JSON of splits, or `scenes` (the drawn world); may be left out with --resume."""
    out: str = ""
    """Model directory to write; needed."""
    recipe: str = ""
    """What to build; `tuwen list recipe` shows all; empty: coca, or as in --start-from."""
    set: tuple[str, ...] = ()
    """A setting PATH=VALUE of the recipe, as in train.lr=1e-3; give several."""
    time_limit: str = ""
    """Longest time to train: 90s, 20m, 1h, 1h30m; empty: as long as the recipe says. Reading pictures for the first time comes on top."""
    steps: int = 0
    """Optimiser steps; 0: as many as the recipe says."""
    seed: int | None = None
    """Seed of weights, order and dropout; 0 if left out."""
    start_from: str = ""
    """Model directory that the run begins with: its recipe where none is given, its vocabularies and weights."""
    resume: bool = False
    """Go on with the run that was interrupted in the directory."""
    device: str = ""
    """cpu, cuda, mps or auto; empty: as the recipe says."""
    metric: str = ""
    """Figure that decides the best model: loss, cider, ...; empty: as the recipe says."""
    overwrite: bool = False
    """Begin anew in a directory that holds a model."""


@dataclass(frozen=True, kw_only=True)
class Response:
    kind: str = "done"
    """The last of the events."""
    path: str
    """The model directory."""
    figures: dict[str, float]
    """Figures of the best model on the validation part."""
    best_step: int
    """Step that the model is of."""
    took_s: float
    """Seconds that the run took."""
    can: tuple[str, ...] = ()
    """Tasks that the model was trained for."""


def run(request: Request, *, report: Callable[[dict[str, Any]], None] | None = None) -> Iterator[Response]:
    """One response, at the end.

    Args:
        report: takes the events of the run while it goes.
    Raises:
        TuwenError: data, recipe or settings cannot work.
        KeyboardInterrupt: Ctrl-C, after the state was saved; its text says how to go on.
    """
    _check(request)
    from tuwen.train.loop import train

    last: dict[str, Any] = {}

    def pass_on(event: dict[str, Any]) -> None:
        if event["kind"] == "done":
            last.update(event)
        if report is not None:
            report(event)

    path = train(
        request.data, out=request.out, recipe=request.recipe, settings=_settings(request), steps=request.steps,
        time_limit_s=seconds_of(request.time_limit), seed=request.seed, start_from=request.start_from,
        resume=request.resume, report=pass_on,
    )  # fmt: skip
    figures: Mapping[str, float] = last.get("figures", {})
    yield Response(
        path=str(path),
        figures=dict(figures),
        best_step=last.get("best_step", 0),
        took_s=last.get("took_s", 0.0),
        can=tuple(last.get("can", ())),
    )


def _check(request: Request) -> None:
    """What can be said before torch is loaded."""
    if request.time_limit and not seconds_of(request.time_limit):
        raise ConfigError(f"--time-limit {request.time_limit} leaves no time; give some, as in 20m, or leave it out")
    if request.steps < 0:
        raise ConfigError(f"--steps is {request.steps}; give a number of steps, as in --steps 1000, or leave it out")
    if not request.out:
        raise ConfigError(
            f"it is not said where the model goes; add -o MODEL: tuwen train {request.data or 'DATA'} -o model"
        )
    if not request.data and not request.resume:
        raise ConfigError(f"it is not said what to learn from; name the data: tuwen train DATA -o {request.out}")
    holds_model = (Path(request.out) / "recipe.json").is_file() or (Path(request.out) / "state").is_dir()
    if holds_model and not request.resume and not request.overwrite:
        begun = (Path(request.out) / "state" / "run.json").is_file()
        going_on = "go on with its training by --resume, " if begun else ""
        raise ConfigError(
            f"{request.out} holds a model; {going_on}train anew in its place by --overwrite, or name another with -o."
        )


def _settings(request: Request) -> tuple[str, ...]:
    named = {"train.device": request.device, "train.metric": request.metric}
    return (*request.set, *(f"{path}={value}" for path, value in named.items() if value))


def show(response: Response) -> str:
    """Where the model is, its figures, and what to type next."""
    figures = headlines(response.figures)
    best = (
        f"the best model is of step {response.best_step}: {figures}"
        if figures
        else "there was no validation part to judge it by"
    )
    took = f"{response.path}: trained in {duration(response.took_s)}; {best}"
    if "caption" in response.can:
        return f"{took}\nNext: tuwen caption {response.path} photo.jpg"
    return f"{took}\nIt can: {', '.join(response.can) or 'encode'}. Next: tuwen info {response.path}"
