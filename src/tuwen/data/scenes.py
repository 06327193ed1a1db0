"""The small drawn world: 64 x 64 pictures of one to three things, with everything that can be said of them.

A data set without a file: DATA is `scenes`, `scenes:SEED` or `scenes:SEED:NUM` (NUM training pictures, a sixteenth of
it each to validate and to test). Scene i of a split depends on seed, split and i only. Six (shape, colour) pairs occur
in every second scene of the test split and nowhere else. Fields of a sample:

    image      (64, 64, 3) uint8
    text       five captions; the first is the full description
    question, answer    lists of equal length
    dialogue   [question, answer] turns that refer back
    scene      the scene as a dict, what the judge in `metric` compares with

`write` makes it an ordinary folder: `images/train-00000.png`, ... and `metadata.jsonl`, one row a picture.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuwen.data._scene_draw import render
from tuwen.data._scene_language import captions
from tuwen.data._scene_questions import dialogue, questions
from tuwen.data._scene_world import sample
from tuwen.errors import ConfigError, DataError
from tuwen.types import Sample

if TYPE_CHECKING:
    from tuwen.data._config import Data
    from tuwen.data._problem import Problem

SPLITS = ("train", "val", "test")
_SPEC = re.compile(r"scenes(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many scenes are drawn, and which."""

    seed: int = 0
    """Another seed gives other scenes; 0 or more."""
    train: int = 8000
    """Scenes to train on."""
    val: int = 500
    """Scenes to validate with."""
    test: int = 500
    """Scenes to test with; every second one holds a (shape, colour) pair that training never shows."""


def recognise(path: str) -> float:
    """1 if `path` is the word scenes, alone or with something behind a colon, else 0."""
    return float(str(path).split(":")[0] == "scenes")


def read(path: str = "scenes", options: Data | None = None, problems: list[Problem] | None = None) -> Iterator[Sample]:
    """Samples of the drawn world, training split first, each drawn when it is asked for.

    Args:
        path: see the module's docstring.
        options, problems: not used, no row can be bad.
    Raises:
        ConfigError: what follows the word scenes is not a seed and a number.
    Example:
        >>> first = next(iter(read("scenes:3")))
        >>> first.key, first.fields["image"].shape, len(first.fields["text"])
        ('train-00000', (64, 64, 3), 5)
    """
    return draw(plan(path))


def plan(path: str) -> Plan:
    """What `scenes[:SEED[:NUM]]` asks for.

    Raises:
        ConfigError: it is none of these.
    """
    match = _SPEC.fullmatch(str(path))
    if not match or match[2] == "0":
        raise ConfigError(
            f"the drawn world cannot be made from {str(path)!r}; type 'scenes', 'scenes:SEED' or 'scenes:SEED:NUM'"
            " with a seed of 0 or more and 1 or more training pictures, as in scenes:0:2000."
        )
    seed = int(match[1] or 0)
    if not match[2]:
        return Plan(seed=seed)
    num = int(match[2])
    return Plan(seed=seed, train=num, val=max(1, num // 16), test=max(1, num // 16))


def draw(plan: Plan) -> Iterator[Sample]:
    """The samples of a plan, in order."""
    for split in SPLITS:
        for index in range(getattr(plan, split)):
            yield draw_one(plan.seed, split, index)


def draw_one(seed: int, split: str, index: int) -> Sample:
    """Scene `index` of a split; does not depend on how many are drawn."""
    words = np.random.SeedSequence([seed, SPLITS.index(split), index])
    rng = np.random.Generator(np.random.PCG64(words))
    scene = sample(rng, unseen=split == "test" and index % 2 == 0)
    asked = questions(rng, scene)
    fields: dict[str, Any] = {
        "image": render(scene),
        "text": captions(rng, scene),
        "question": [question for question, _ in asked],
        "answer": [answer for _, answer in asked],
        "dialogue": [list(turn) for turn in dialogue(rng, scene)],
        "scene": scene.to_json(),
    }
    return Sample(f"{split}-{index:05d}", fields, split, f"scene {index} of the {split} split, seed {seed}")


def write(folder: str | Path, path: str | Plan = "scenes") -> int:
    """Writes the drawn world as an ordinary folder; returns the number of pictures.

    The table comes last and in one piece, so a folder with `metadata.jsonl` is complete.

    Args:
        folder: new, empty, or left by a writing that was broken off.
        path: `scenes[:SEED[:NUM]]`, or a Plan.
    Raises:
        DataError: the folder holds something else.
        ConfigError: see `plan`.
    """
    from PIL import Image

    chosen = path if isinstance(path, Plan) else plan(path)
    folder = Path(folder)
    _check_free(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    part = folder / "metadata.jsonl.part"
    with part.open("w", encoding="utf-8", newline="\n") as table:
        for one in draw(chosen):
            name = f"images/{one.key}.png"
            Image.fromarray(one.fields["image"]).save(folder / name, compress_level=4)
            rest = {field: value for field, value in one.fields.items() if field != "image"}
            table.write(json.dumps({"file_name": name, "split": one.split, **rest}) + "\n")
    os.replace(part, folder / "metadata.jsonl")
    return chosen.train + chosen.val + chosen.test


def _check_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; the drawn world needs a folder: tuwen data scenes -o NEW_FOLDER")
    found = {p.name for p in folder.iterdir()} if folder.exists() else set()
    if found and not (found <= {"images", "metadata.jsonl.part"} and "metadata.jsonl.part" in found):
        raise DataError(
            f"{folder} already holds {', '.join(sorted(found)[:3])}; the drawn world is written to a new or empty"
            " folder only: tuwen data scenes -o NEW_FOLDER"
        )
