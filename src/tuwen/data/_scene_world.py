"""The drawn world: things on a pale ground, sampled by seed; `_scene_draw` makes the picture.

A scene holds one to three things that do not overlap, unless one lies clearly inside a large outlined one. No two
things of a scene share shape and colour, so "the red circle" names one. All randomness is `Generator.random`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from tuwen.errors import DataError

SIDE = 64
"""Height and width of a picture, in pixels."""
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "star")
COLOURS = {
    "red": (215, 35, 45),
    "orange": (243, 130, 20),
    "yellow": (250, 215, 30),
    "green": (45, 160, 70),
    "blue": (45, 95, 220),
    "purple": (130, 50, 175),
    "pink": (248, 120, 190),
    "black": (30, 30, 35),
}
"""Colour word -> RGB; the grounds are paler than any of them."""
SIZES = ("small", "large")
FILLS = ("filled", "outlined")
RADIUS = {"small": (6.8, 7.6), "large": (11.2, 12.6)}
"""Size -> range of the radius, in pixels."""
STROKE = {"small": 1.9, "large": 2.6}
"""Size -> width of an outline, in pixels."""
EXTENT = {
    "circle": (1.0, 1.0),
    "square": (0.92, 0.92),
    "triangle": (1.1, 0.95),
    "diamond": (1.2, 1.2),
    "cross": (1.1, 1.1),
    "star": (1.19, 1.13),
}
"""Shape -> half width and half height of its bounding box, in radii."""
PLACES = (
    ("top left", "top", "top right"),
    ("left", "centre", "right"),
    ("bottom left", "bottom", "bottom right"),
)
"""Name of each of the nine places, by row and column."""
UNSEEN = frozenset(
    {
        ("circle", "purple"),
        ("square", "orange"),
        ("triangle", "blue"),
        ("diamond", "pink"),
        ("cross", "yellow"),
        ("star", "green"),
    }
)
"""(shape, colour) pairs that occur in the test split only."""
MARGIN = 8.0
"""Pixels by which two middles must differ before one thing is left of or above the other."""

_EDGES = (23.0, 41.0)
_CELLS = ((10.5, 14.5), (30.0, 34.0), (49.5, 53.5))
_GAP = 2.5
_PAIRS = tuple((s, c) for s in SHAPES for c in COLOURS if (s, c) not in UNSEEN)
_NEW_PAIRS = tuple(sorted(UNSEEN))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Thing:
    """One drawn object."""

    shape: str
    colour: str
    size: str
    fill: str
    x: float
    """Middle of the bounding box, in pixels from the left edge."""
    y: float
    """The same from the top edge."""
    r: float
    """Radius in pixels; see `EXTENT`."""

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column in the grid of nine places."""
        return bisect_left(_EDGES, self.y), bisect_left(_EDGES, self.x)

    @property
    def place(self) -> str:
        row, column = self.cell
        return PLACES[row][column]


@dataclass(frozen=True, slots=True)
class Background:
    """A pale ground: a gradient between two tints (equal for a plain one), with gentle noise."""

    start: tuple[int, int, int]
    end: tuple[int, int, int]
    angle: float
    """Direction of the gradient, in radians."""
    noise: float
    """Largest deviation by noise, in grey levels."""
    seed: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Things in reading order (a thing inside another comes right after it) on a ground."""

    things: tuple[Thing, ...]
    background: Background

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and strings; `from_json` turns it back."""
        return {"things": [_plain(t) for t in self.things], "background": _plain(self.background)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Scene:
        """The scene that `to_json` wrote.

        Raises:
            DataError: a key is missing or unknown.
        """
        try:
            ground = dict(data["background"])
            ground |= {k: tuple(ground[k]) for k in ("start", "end")}
            return Scene(tuple(Thing(**t) for t in data["things"]), Background(**ground))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"a scene must hold 'things' and 'background' as `tuwen data scenes -o FOLDER` writes them;"
                f" got {sorted(data) if isinstance(data, Mapping) else type(data).__name__}: {error}"
            ) from error


def scene_in(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The scene of a row of the drawn world, as `Scene.to_json` makes it; None where there is none, or where a column of that
    name holds something else, as a user's own may.

    Example:
        >>> scene_in({"scene": "beach"}) is None
        True
    """
    scene = fields.get("scene")
    return scene if isinstance(scene, Mapping) and {"things", "background"} <= scene.keys() else None


def _plain(value: Thing | Background) -> dict[str, Any]:
    found = {f.name: getattr(value, f.name) for f in fields(value)}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in found.items()}


def holds(relation: str, a: Any, b: Any) -> bool:
    """Whether `a` is left of, above or inside `b`, by a clear margin. Both have shape, fill, x, y and r."""
    if relation == "left of":
        return bool(b.x - a.x >= MARGIN)
    if relation == "above":
        return bool(b.y - a.y >= MARGIN)
    if b.fill != "outlined" or a is b:
        return False
    (aw, ah), (bw, bh) = _half(a), _half(b)
    return bool(abs(a.x - b.x) + aw < bw and abs(a.y - b.y) + ah < bh)


def host(scene: Scene, index: int) -> int | None:
    """Index of the thing that thing `index` lies inside of."""
    inside = (i for i, other in enumerate(scene.things) if holds("inside", scene.things[index], other))
    return next(inside, None)


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items, by one draw of `rng.random`."""
    return items[int(rng.random() * len(items))]


def shuffled(rng: np.random.Generator, items: Sequence[T]) -> list[T]:
    """The items in random order."""
    return [item for _, item in sorted(((rng.random(), i), item) for i, item in enumerate(items))]


def sample(rng: np.random.Generator, *, unseen: bool = False) -> Scene:
    """A random scene; with `unseen`, exactly one of its things has a (shape, colour) pair of `UNSEEN`."""
    num = 1 + bisect_left((0.22, 0.62), rng.random())
    while True:
        things = _nested(rng, num, unseen) if num > 1 and rng.random() < 0.2 else _apart(rng, num, unseen)
        if _readable(things):
            return Scene(_reading_order(things), _ground(rng))


def _half(thing: Any) -> tuple[float, float]:
    width, height = EXTENT[thing.shape]
    return width * thing.r, height * thing.r


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return round(low + (high - low) * rng.random(), 2)


def _pairs(rng: np.random.Generator, num: int, unseen: bool) -> list[tuple[str, str]]:
    chosen: list[tuple[str, str]] = [pick(rng, _NEW_PAIRS)] if unseen else []
    while len(chosen) < num:
        if (pair := pick(rng, _PAIRS)) not in chosen:
            chosen.append(pair)
    return shuffled(rng, chosen)


def _put(rng: np.random.Generator, pair: tuple[str, str], size: str, fill: str, cell: tuple[int, int]) -> Thing:
    r = _between(rng, *RADIUS[size])
    width, height = EXTENT[pair[0]][0] * r + 1, EXTENT[pair[0]][1] * r + 1
    (x0, x1), (y0, y1) = _CELLS[cell[1]], _CELLS[cell[0]]
    x = _between(rng, max(x0, width), min(x1, SIDE - width))
    y = _between(rng, max(y0, height), min(y1, SIDE - height))
    return Thing(*pair, size, fill, x, y, r)


def _apart(rng: np.random.Generator, num: int, unseen: bool) -> list[Thing]:
    cells = shuffled(rng, [(row, column) for row in range(3) for column in range(3)])
    return [
        _put(rng, pair, pick(rng, SIZES), pick(rng, FILLS), cell)
        for pair, cell in zip(_pairs(rng, num, unseen), cells, strict=False)
    ]


def _nested(rng: np.random.Generator, num: int, unseen: bool) -> list[Thing]:
    """The second thing lies inside the first, a large outlined circle or square of another colour."""
    things = _apart(rng, num, unseen)
    outer, inner = things[:2]
    if outer.shape not in ("circle", "square") or outer.colour == inner.colour:
        return _nested(rng, num, unseen)
    row, column = outer.cell
    outer = _put(rng, (outer.shape, outer.colour), "large", "outlined", (row, column))
    outer = Thing(outer.shape, outer.colour, "large", "outlined", outer.x, outer.y, RADIUS["large"][1])
    inner = Thing(inner.shape, inner.colour, "small", inner.fill, outer.x, outer.y, RADIUS["small"][0])
    return [outer, inner, *things[2:]]


def _readable(things: list[Thing]) -> bool:
    """No two things touch, unless one is inside the other, and all lie within the picture."""
    for i, a in enumerate(things):
        (aw, ah) = _half(a)
        if not (aw < a.x < SIDE - aw and ah < a.y < SIDE - ah):
            return False
        for b in things[:i]:
            (bw, bh) = _half(b)
            apart = max(abs(a.x - b.x) - aw - bw, abs(a.y - b.y) - ah - bh) >= _GAP
            if not (apart or holds("inside", a, b)):
                return False
    return True


def _reading_order(things: list[Thing]) -> tuple[Thing, ...]:
    return tuple(sorted(things, key=lambda t: (t.cell, -t.r)))


def _ground(rng: np.random.Generator) -> Background:
    kind = pick(rng, ("plain", "gradient", "noise", "both"))
    start, end = (tuple(255 - int(rng.random() * 42) for _ in range(3)) for _ in range(2))
    if kind in ("plain", "noise"):
        end = start
    noise = _between(rng, 3, 9) if kind in ("noise", "both") else 0.0
    angle, seed = _between(rng, 0, 6.28), int(rng.random() * 2**31)
    return Background(start, end, angle, noise, seed)  # type: ignore[arg-type]
