"""What tests of drawing share: five scenes with their descriptions, and tiny models that draw from texts."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import torch
from tests import eight

from tuwen.data._scene_draw import render
from tuwen.data._scene_world import Background, Scene, Thing
from tuwen.decode import image_deconv, image_flow
from tuwen.directory import save
from tuwen.encode import text_transformer
from tuwen.model import CrossModal
from tuwen.objective import flow as velocity
from tuwen.objective import reconstruction
from tuwen.recipe import Recipe, Train
from tuwen.space import projection
from tuwen.types import Route, Sample

WHITE = Background((255, 255, 255), (255, 255, 255), 0.0, 0.0, 0)
TRAITS = [("circle", "red"), ("square", "blue"), ("triangle", "green"), ("cross", "black")]


def thing(shape: str, colour: str, x: float = 18.0) -> Thing:
    return Thing(shape, colour, "large", "filled", x, 32.0, 12.0)


def row(key: str, *things: Thing) -> Sample:
    """A scene with the first words of its description."""
    scene = Scene(tuple(things), WHITE)
    text = " and ".join(f"a large filled {one.colour} {one.shape} on the {one.place}" for one in things)
    return Sample(key, {"image": render(scene), "text": [text, "something else"], "scene": scene.to_json()})


ROWS = [
    *(row(colour, thing(shape, colour)) for shape, colour in TRAITS),
    row("two", thing("circle", "red"), thing("star", "blue", 46.0)),
]


@functools.cache
def model(steps: int = 0) -> CrossModal:
    """A text encoder and a picture decoder; with steps, it has learned the pictures of one thing by heart."""
    recipe = Recipe(
        name="draws",
        encode={"text": text_transformer.Config.tiny()},
        space={"text": projection.Config(width=32, embed=16, heads=2)},
        decode={"image": image_deconv.Config(side=64, widths=(32, 16, 8), blocks=0)},
        objective={"reconstruction": reconstruction.Config(route="draw")},
        routes={"draw": Route(given=("text",), make="image")},
    )
    one_text = [Sample(s.key, {**s.fields, "text": s.fields["text"][:1]}) for s in ROWS[:4]]
    torch.manual_seed(0)
    return eight.learn(CrossModal.create(recipe, one_text), steps, one_text)


def flow_recipe() -> Recipe:
    """A flow of 8 x 8 pixels."""
    return Recipe(
        name="flow",
        encode={"text": text_transformer.Config.tiny()},
        decode={"image": image_flow.Config(side=8, patch=1, widths=(16, 32), look=4, heads=2)},
        objective={"flow": velocity.Config()},
        routes={"draw": Route(given=("text",), make="image")},
        train=Train(optimiser="muon", lr=3e-3),
    )


@functools.cache
def flow(steps: int = 150) -> CrossModal:
    """One that has learned the eight plain pictures; made once for all tests, which must leave it as it is."""
    return eight.learn(CrossModal.create(flow_recipe(), eight.samples()), steps)


@functools.cache
def flow_directory() -> Path:
    path = Path(tempfile.mkdtemp(prefix="tuwen-tiny-")) / "flow"
    save(flow(), path)
    return path
