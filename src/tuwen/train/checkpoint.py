"""The state of a run, for `--resume`: written so that a run killed at any moment goes on from the newest whole state."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tuwen import _files
from tuwen._tensors import read_tensors, write_tensors
from tuwen.errors import CheckpointError

KEEP = 2
"""How many whole states stay: the newest, and one before it should the newest turn out damaged."""

_TENSORS, _PLAIN, _MANIFEST = "tensors.safetensors", "plain.json", "manifest.json"
_NAME = re.compile(r"(\d{8,})(?:-(\d+))?")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """What a run needs to go on."""

    step: int
    """Optimiser steps done."""
    tensors: dict[str, Tensor]
    """Weights, the optimiser's averages, states of random generators."""
    plain: dict[str, Any]
    """Everything else, as JSON; the step is in it too."""


def save_state(folder: Path, step: int, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    """Writes `folder/state/<step>/` beside its place, then renames it; keeps the newest two.

    Args:
        folder: the model directory.
        step: optimiser steps done.
        tensors: on any device.
        plain: what JSON can hold.
    Raises:
        CheckpointError: the state cannot be written; the one before it is intact.
    """
    parent = Path(folder) / "state"
    place = _place(parent, step)
    try:
        with _files.cannot_write(place):
            parent.mkdir(parents=True, exist_ok=True)
            _remove_unfinished(parent)
            writing = parent / f".writing-{os.getpid()}"
            writing.mkdir()
            _fill(writing, step, tensors, plain)
            os.replace(writing, place)
            _files.sync_folder(parent)
    except CheckpointError as error:
        with suppress(OSError):
            _remove_unfinished(parent)
        last = next(iter(_whole(parent)), None)
        kept = f" The state of step {_order(last)[0]} is intact: --resume goes on from there." if last else ""
        raise CheckpointError(error.message + kept) from error
    try:
        _prune(parent)
    except OSError as error:
        _log.warning("old states in %s cannot be removed: %s", parent, error)


def newest_state(folder: Path) -> State | None:
    """The newest whole state of a model directory, or None; damaged ones are passed over with a warning."""
    for place in _places(Path(folder) / "state"):
        try:
            return _read(place)
        except (CheckpointError, OSError, ValueError, KeyError) as error:
            _log.warning("the state %s is damaged and passed over: %s", place, error)
    return None


def _fill(writing: Path, step: int, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    write_tensors(writing / _TENSORS, tensors)
    _files.write_bytes(writing / _PLAIN, json.dumps({"step": step, **plain}).encode())
    files = {name: _fingerprint(writing / name) for name in (_TENSORS, _PLAIN)}
    _files.write_bytes(writing / _MANIFEST, json.dumps({"files": files}, indent=1).encode())
    for name in (_TENSORS, _PLAIN, _MANIFEST):
        _files.sync(writing / name)
    _files.sync_folder(writing)


def _read(place: Path) -> State:
    for name, expected in _manifest(place).items():
        if _fingerprint(place / name) != expected:
            raise CheckpointError(f"{name} is not what was written")
    plain = json.loads((place / _PLAIN).read_text("utf-8"))
    tensors, _ = read_tensors(place / _TENSORS)
    return State(plain["step"], tensors, plain)


def _manifest(place: Path) -> dict[str, Any]:
    files: dict[str, Any] = json.loads((place / _MANIFEST).read_text("utf-8"))["files"]
    return files


def _fingerprint(path: Path) -> dict[str, Any]:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return {"bytes": path.stat().st_size, "blake2b": digest.hexdigest()}


def _order(place: Path) -> tuple[int, int]:
    step, again = _NAME.fullmatch(place.name).groups()  # type: ignore[union-attr]  # _places gives only such names
    return int(step), int(again or 0)


def _places(parent: Path) -> list[Path]:
    """Folders of states, newest first."""
    found = parent.iterdir() if parent.is_dir() else ()
    return sorted((p for p in found if p.is_dir() and _NAME.fullmatch(p.name)), key=_order, reverse=True)


def _place(parent: Path, step: int) -> Path:
    """A free name: a run that resumed may come to the same step again."""
    again = [_order(p)[1] for p in _places(parent) if _order(p)[0] == step]
    return parent / (f"{step:08d}-{max(again) + 1}" if again else f"{step:08d}")


def _whole(parent: Path) -> list[Path]:
    """Folders whose files have the sizes of their manifest, newest first; content is compared only when it is read."""
    found = []
    for place in _places(parent):
        with suppress(OSError, ValueError, KeyError):
            if all((place / name).stat().st_size == f["bytes"] for name, f in _manifest(place).items()):
                found.append(place)
    return found


def _prune(parent: Path) -> None:
    kept = _whole(parent)[:KEEP]
    for place in _places(parent):
        if kept and place not in kept and _order(place) < _order(kept[0]):
            _remove(place)


def _remove_unfinished(parent: Path) -> None:
    for left in parent.glob(".writing-*"):
        _remove(left)


def _remove(place: Path) -> None:
    """Removes a state; one that is half removed lacks a file of its manifest, and is never taken for a whole."""
    for name in os.listdir(place):
        os.unlink(place / name)
    os.rmdir(place)
