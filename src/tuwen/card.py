"""The card of a model directory: what it was trained on, how, and what it reached."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuwen.data._dataset import Dataset
    from tuwen.model import CrossModal

_SHOWN = ("tuwen", "torch", "numpy", "pillow", "tokenizers", "safetensors", "transformers")


def versions() -> dict[str, str]:
    """Name -> version of Python, of the machine's system and of the packages that a result depends on."""
    found = {"python": sys.version.split()[0], "system": platform.platform()}
    for name in _SHOWN:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def card(
    model: CrossModal,
    *,
    dataset: Dataset | None = None,
    figures: Mapping[str, Any] | None = None,
    step: int = 0,
    steps: int = 0,
    averaged: Sequence[int] = (),
    data: str = "",
) -> str:
    """The card as markdown.

    Args:
        model: built and settled.
        dataset: what it was trained on.
        figures: name -> number, of the last evaluation; a mapping of mappings gives a table each.
        step, steps: optimiser steps done, of those planned; 0: nothing is said of them.
        averaged: steps whose weights it is the mean of.
        data: what the user named as data.
    """
    parts = [f"# A tuwen model: {model.recipe.name}", _what(model), _parts(model)]
    if dataset is not None:
        parts.append(_data(dataset, data))
    if figures:
        parts.append(_figures(figures))
    parts.append(_origin(model, step, steps, averaged))
    return "\n\n".join(parts) + "\n"


def command() -> str:
    """The command line of this process, or a word that it was no command of tuwen."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    if name == "__main__.py":
        name = Path(sys.argv[0]).parent.name
    return shlex.join(["tuwen", *sys.argv[1:]]) if name in ("tuwen", "tuwen.exe") else "tuwen.train(...) from Python"


def _what(model: CrossModal) -> str:
    count = sum(p.numel() for p in model.parameters())
    routes = "\n".join(f"- {name}: {route}" for name, route in model.routes.items())
    return f"{count:,} parameters. From what it makes what:\n\n{routes}"


def _parts(model: CrossModal) -> str:
    raw = model.recipe.to_dict()
    rows = [
        (f"{section}.{name}", config["use"])
        for section in ("encode", "space", "fuse", "decode", "objective")
        for name, config in raw[section].items()
    ]
    return "## Parts\n\n" + _table(("place", "part"), rows)


def _data(dataset: Dataset, data: str) -> str:
    facts = dataset.facts()
    rows: list[tuple[str, object]] = [("source", f"`{data or dataset.name}`"), ("fields", ", ".join(facts.fields))]
    rows += [(f"rows of {name}", num) for name, num in facts.split.items()]
    rows += [("captions to train", facts.num_captions), ("fingerprint", f"`{dataset.fingerprint()}`")]
    return "## Data\n\n" + _table(("what", "value"), rows)


def _figures(figures: Mapping[str, Any]) -> str:
    alone = {name: value for name, value in figures.items() if not isinstance(value, Mapping)}
    text = ["## Figures"]
    if alone:
        text.append(_table(("figure", "value"), [(n, _number(v)) for n, v in alone.items()]))
    for name, group in figures.items():
        if isinstance(group, Mapping):
            rows = [(n, _number(v)) for n, v in group.items()]
            text += [f"### {name}", _table(("figure", "value"), rows)]
    return "\n\n".join(text)


def _origin(model: CrossModal, step: int, steps: int, averaged: Sequence[int]) -> str:
    rows: list[tuple[str, object]] = [("command", f"`{command()}`"), ("seed", model.recipe.train.seed)]
    if step:
        rows.append(("steps", f"{step:,} of {steps:,}" if steps else step))
    if averaged:
        rows.append(("weights", f"the mean of those at steps {', '.join(f'{one:,}' for one in averaged)}"))
    return "## How it was made\n\n" + _table(("what", "value"), [*rows, *versions().items()])


def _table(head: tuple[str, str], rows: list[Any]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "| --- | --- |"]
    return "\n".join(lines + [f"| {name} | {_cell(value)} |" for name, value in rows])


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
