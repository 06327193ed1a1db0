"""What tests of tasks and verbs share: eight pictures with captions, and a tiny model that has learned them by heart."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tuwen import registry
from tuwen.confidence import Confidence
from tuwen.data._config import Data
from tuwen.decode import text_transformer as decode_text
from tuwen.directory import save
from tuwen.encode import image_cnn
from tuwen.encode import text_transformer as encode_text
from tuwen.model import CrossModal
from tuwen.objective import caption, contrastive
from tuwen.recipe import Recipe, Train
from tuwen.space import projection
from tuwen.types import Facts, Route, Sample

ROOT = Path(__file__).parents[1]

COLOURS = {
    "red": (215, 35, 45),
    "orange": (243, 130, 20),
    "yellow": (250, 215, 30),
    "green": (45, 160, 70),
    "blue": (45, 95, 220),
    "purple": (130, 50, 175),
    "white": (250, 250, 250),
    "black": (10, 10, 10),
}
KNOWN = ("logprob", "tokens", "gain", "match")
"""Numbers that a confidence goes by."""


def texts(colour: str) -> list[str]:
    return [f"a {colour} picture", f"this is {colour}"]


def samples(size: int = 24) -> list[Sample]:
    """Eight plain pictures, each with two captions and its colour as label."""
    return [
        Sample(
            colour,
            {"image": np.full((size, size, 3), rgb, np.uint8), "text": texts(colour), "label": colour},
            "train",
        )
        for colour, rgb in COLOURS.items()
    ]


def write_pictures(folder: Path, *, captions: bool = True) -> list[Path]:
    """The eight as PNG files, with a .txt of the same stem beside each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for one in samples():
        paths.append(folder / f"{one.key}.png")
        Image.fromarray(one.fields["image"]).save(paths[-1])
        if captions:
            paths[-1].with_suffix(".txt").write_text("\n".join(one.fields["text"]) + "\n", "utf-8")
    return paths


def recipe(*, match: bool = True, captions: bool = True) -> Recipe:
    """The smallest `coca`; or only one half of it."""
    encode, space, routes, objective, decode = {}, {}, {}, {}, {}
    encode["image"] = image_cnn.Config.tiny()
    space["image"] = projection.Config(width=32, embed=16, heads=2)
    if captions:
        decode["text"] = decode_text.Config(width=32, layers=1, heads=2, dropout=0.0, vocabulary=300, max_tokens=12)
        routes["caption"] = Route(given=("image",), make="text")
        objective["caption"] = caption.Config()
    if match:
        encode["text"] = encode_text.Config.tiny()
        space["text"] = projection.Config(width=32, embed=16, heads=2)
        routes["image"] = Route(given=("image",), how="embed")
        routes["text"] = Route(given=("text",), how="embed")
        objective["contrastive"] = contrastive.Config()
    return Recipe(
        name="coca", encode=encode, space=space, decode=decode, routes=routes, objective=objective,
        data=Data(captions="all"), train=Train(seed=3, batch=8),
    )  # fmt: skip


def learn(model: CrossModal, steps: int, rows: list[Sample] | None = None) -> CrossModal:
    """A few dozen steps on the eight pictures."""
    objectives = [config.build() for config in model.recipe.objective.values()]
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    batch = model.batch(rows or samples(), targets=True)
    model.train()
    for _ in range(steps):
        made = model(batch)
        sum(value for objective in objectives for value in objective(made, batch).values.values()).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


@functools.cache
def model(*, match: bool = True, captions: bool = True, steps: int = 90) -> CrossModal:
    """A model that knows the eight pictures; made once for all tests, which must leave it as it is."""
    return learn(CrossModal.create(recipe(match=match, captions=captions), samples()), steps)


@functools.cache
def classifier(*, several: bool = False, steps: int = 60) -> CrossModal:
    """A model that names the colours, and with `several` also whether they are warm; made once for all tests."""
    facts = Facts(num_train=8, fields=("image", "label"), picture_side=24)
    made = registry.get_recipe("classifier")(facts)
    made = replace(made, encode={"image": image_cnn.Config.tiny()}, train=Train(seed=3))
    rows = samples()
    if several:
        warmth = {one.key: "warm" if one.key in ("red", "orange", "yellow") else "cold" for one in rows}
        rows = [replace(one, fields={**one.fields, "label": [one.key, warmth[one.key]]}) for one in rows]
    return learn(CrossModal.create(made, rows), steps, rows)


@functools.cache
def directory(*, match: bool = True, captions: bool = True) -> Path:
    """The same model in a directory; made once for all tests."""
    path = Path(tempfile.mkdtemp(prefix="tuwen-tiny-")) / "model"
    save(model(match=match, captions=captions), path, figures={"cider": 1.5})
    return path


def confidence(weight: dict[str, float], bias: float = 0.0, written: dict[str, object] | None = None) -> Confidence:
    """A confidence that is the sigmoid of a weighted sum, of captions by beam search unless told otherwise."""
    flat, scale = dict.fromkeys(KNOWN, 0.0), dict.fromkeys(KNOWN, 1.0)
    way = {"use": "beam"} if written is None else written
    return Confidence(mean=flat, scale=scale, weight={**flat, **weight}, bias=bias, cider=0.5, written=way, num=100)


def tuwen(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "tuwen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=300)
