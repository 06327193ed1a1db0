"""Pictures drawn from descriptions of the drawn world, looked at by the eye that knows its things.

Each row's first text, the full description, is drawn as `tuwen draw` draws it, and compared with the row's field `scene`.

Figures:
    drawn_shape_colour: of the descriptions of one thing, those whose picture shows it in the right shape and colour and
        nothing else;
    drawn_exact: of all descriptions, those whose picture shows every thing as it is said (shape, colour, size, fill, place,
        relations) and nothing else.
Chance: the picture that was drawn for another row.
While a model trains, the first rows only are looked at: a look takes longer than the drawing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuwen.judge._rates import Rates
from tuwen.metric._scene_look import Comparison, SeenThing, compare, look
from tuwen.task import draw
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
    return bool(route_from(model, "image", {"text"}))


class Judge:
    """Collects what is seen in the picture of each description."""

    less = ()
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, self.asked = model, asked
        in_steps = hasattr(maker(model, route_from(model, "image", {"text"})), "ways")
        quick = QUICK_IN_STEPS if in_steps else QUICK
        self.most = quick if asked.quick else sys.maxsize
        self.drawn: list[dict[str, Any]] = []
        self.scenes: list[Mapping[str, Any]] = []
        self.seen: list[list[SeenThing]] = []

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        rows = [sample for sample in batch.raw if sample.fields.get("scene") is not None and _first(sample.fields)]
        rows = rows[: max(0, self.most - len(self.drawn))]
        texts = [_first(sample.fields) for sample in rows]
        answers = draw.run(self.model, [draw.Request(text=text) for text in texts])
        for sample, text, answer in zip(rows, texts, answers, strict=True):
            scene, seen = sample.fields["scene"], see(answer.pictures[0])
            self.scenes.append(scene)
            self.seen.append(seen)
            self.drawn.append({"key": sample.key, "drawn": {"text": text, **told(compare(seen, scene))}})

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """Both figures, and those of the pictures of other rows."""
        if self.drawn:
            chance = {}
            if self.asked.shuffled and len(self.drawn) > 1:
                chance = _rates(self.scenes, self._of_others()).figures
            yield _rates(self.scenes, self.seen), chance

    def rows(self) -> list[dict[str, Any]]:
        """One a description: key, and `drawn` with the text and what of its picture is right, wrong, missing, extra."""
        return self.drawn

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


def _first(fields: Mapping[str, Any]) -> str:
    """The first text of a row; empty where there is none."""
    value = fields.get("text") or ""
    return str(value if isinstance(value, str) else value[0]).strip()


def _rates(scenes: Sequence[Mapping[str, Any]], seen: Sequence[Sequence[SeenThing]]) -> Rates:
    """Figures of what is seen where each scene should be."""
    rows = [
        (len(scene["things"]) == 1, _is_the_one(things, scene["things"]), compare(things, scene).exact)
        for scene, things in zip(scenes, seen, strict=True)
    ]
    rows_NM = np.array([(one, one and right, exact, True) for one, right, exact in rows], float)

    def of(sums_M: np.ndarray) -> dict[str, float]:
        of_one, right, exact, num = map(float, sums_M)
        named = {"drawn_shape_colour": right / of_one} if of_one else {}
        return {**named, "drawn_exact": exact / num}

    return Rates(rows_NM=rows_NM, of=of)


def _is_the_one(seen: Sequence[SeenThing], wanted: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there is one thing, of the wanted shape and colour."""
    [first, *others] = wanted
    return len(seen) == 1 and not others and (seen[0].shape, seen[0].colour) == (first["shape"], first["colour"])


__all__ = ["Judge", "able", "see", "told"]
