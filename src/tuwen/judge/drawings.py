"""Pictures drawn from descriptions of the drawn world, looked at by the eye that knows its things.

Each row's first text, the full description, is drawn as `tuwen draw` draws it, and compared with the row's field `scene`.

Figures: those of `metric.prompt_truth`:
    prompt_truth: of what the descriptions say (shape, colour, size, fill, place, relations), what is so;
    drawn_shape_colour: of the descriptions of one thing, those whose picture shows it in the right shape and colour and
        nothing else;
    drawn_exact: of all descriptions, those whose picture shows every thing as it is said and nothing else; drawn_exact_1, _2,
        _3 of so many things, drawn_exact_unseen with a (shape, colour) that never occurs in training;
    drawn_things: things that are there in their shape and colour; drawn_things_unseen: those of such a pair.
Chance: the picture that was drawn for another row.
Table `prompt_truth`: for each number of things, and for the unseen pairs, which kinds of statements are so.
While a model trains, the first rows only are looked at: a look takes longer than the drawing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuwen.data._scene_world import scene_in
from tuwen.judge._drawn import first_text, reads, request
from tuwen.judge._rates import Rates
from tuwen.metric import prompt_truth
from tuwen.metric._scene_look import Comparison, SeenThing, compare, look
from tuwen.task._pictures import maker, route_from
from tuwen.types import Batch, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal

QUICK, QUICK_IN_STEPS = 128, 32
"""Rows that are looked at while a model trains: of pictures that come at once, and of those that take many steps."""
SIDE = 64
"""Pixels of the drawn world."""


def able(model: CrossModal) -> bool:
    """Whether the model draws from a text."""
    return reads(model)


class Judge:
    """Collects what is seen in the picture of each description."""

    less = ()
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, self.asked = model, asked
        in_steps = hasattr(maker(model, route_from(model, "image", {"text"})), "ways")
        quick = QUICK_IN_STEPS if in_steps else QUICK
        self.most = min(quick if asked.quick else sys.maxsize, asked.draws or sys.maxsize)
        self.drawn: list[dict[str, Any]] = []
        self.scenes: list[Mapping[str, Any]] = []
        self.seen: list[list[SeenThing]] = []

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        rows = [sample for sample in batch.raw if scene_in(sample.fields) and first_text(sample.fields)]
        rows = rows[: max(0, self.most - len(self.drawn))]
        for sample, picture in zip(rows, self.asked.drawn.of(self.model, rows), strict=True):
            scene, seen, asked = sample.fields["scene"], see(picture), request(self.model, sample)
            self.scenes.append(scene)
            self.seen.append(seen)
            said = {"text": asked.text, "seed": asked.seed, **told(compare(seen, scene))}
            self.drawn.append({"key": sample.key, "drawn": said})

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """The figures, and those of the pictures of other rows."""
        if self.drawn:
            chance = {}
            if self.asked.shuffled and len(self.drawn) > 1:
                chance = _rates(self.scenes, self._of_others()).figures
            yield _rates(self.scenes, self.seen), chance

    def rows(self) -> list[dict[str, Any]]:
        """One a description: key, and `drawn` with the text, the seed and what of its picture is right, wrong, missing, extra."""
        return self.drawn

    def tables(self, bootstrap: bool) -> dict[str, list[dict[str, Any]]]:
        """What is so of which kind of text."""
        return {"prompt_truth": prompt_truth.table(_counted(self.scenes, self.seen).sum(0))} if self.drawn else {}

    def _of_others(self) -> list[list[SeenThing]]:
        """What is seen in the picture of another row, which has one thing too where it has one."""
        order = sorted(range(len(self.scenes)), key=lambda row: len(self.scenes[row]["things"]) > 1)
        other = dict(zip(order, order[1:] + order[:1], strict=True))
        return [self.seen[other[row]] for row in range(len(order))]


def see(picture_HWC: np.ndarray) -> list[SeenThing]:
    """The things in a picture of any size, (H, W, 1 or 3) uint8."""
    from PIL import Image

    whole_HW3 = np.broadcast_to(picture_HWC, (*picture_HWC.shape[:2], 3))
    if whole_HW3.shape[:2] != (SIDE, SIDE):
        image = Image.fromarray(np.ascontiguousarray(whole_HW3))
        whole_HW3 = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return look(whole_HW3)


def told(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON."""
    extra = [f"{thing.colour} {thing.shape}" for thing in found.extra]
    return {"exact": found.exact, "right": found.right, "wrong": found.wrong, "missing": found.missing, "extra": extra}


def _rates(scenes: Sequence[Mapping[str, Any]], seen: Sequence[Sequence[SeenThing]]) -> Rates:
    """Figures of what is seen where each scene should be."""
    return Rates(rows_NM=_counted(scenes, seen), of=prompt_truth.figures)


def _counted(scenes: Sequence[Mapping[str, Any]], seen: Sequence[Sequence[SeenThing]]) -> np.ndarray:
    return np.stack([prompt_truth.counted(things, scene) for things, scene in zip(seen, scenes, strict=True)])


__all__ = ["Judge", "able", "see", "told"]
