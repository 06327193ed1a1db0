"""The judge of the drawn world: what of a caption is true, false, missing or unreadable of a scene.

A statement is one of: `thing` (there is a red circle), `size`, `fill`, `place`, `relation`, `count`, and `shape` or
`colour` where a caption says a second, other one of the same thing. The things that a caption mentions are put to those
of the scene one to one, so that most statements become true; only those which agree in shape or colour (if one is said)
can belong together. A thing left over does not exist: it counts one false statement, and so does each trait or relation
said of it. Places are the nine of the grid, strictly: 'on the left' is false of a thing at the top left. A relation is
true where the middles differ by the margin of `_scene_world`, in whatever other direction they lie apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from tuwen.data._scene_language import main_relation, name
from tuwen.data._scene_world import Scene, Thing, holds, host
from tuwen.metric._scene_look import Comparison, SeenThing, compare, look
from tuwen.metric._scene_reading import Reading, Said, read_caption


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim about a scene."""

    kind: str
    """thing, size, fill, place, relation, count, shape or colour."""
    subject: str
    """The thing as it is named: 'red circle'."""
    value: str
    """'small', 'top left', 'left of', '3'."""
    object: str = ""
    """The other thing of a relation."""
    about: tuple[int, ...] = ()
    """Index of the things of the scene that it speaks of (not part of equality between wordings)."""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.kind + ":", self.subject, self.value, self.object]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one caption."""

    scene: Scene
    true: list[Statement] = field(default_factory=list)
    false: list[Statement] = field(default_factory=list)
    missing: list[Statement] = field(default_factory=list)
    """Statements of the full description that the caption does not make."""
    unread: list[str] = field(default_factory=list)
    """What could not be read; counts as false."""

    @property
    def num_said(self) -> int:
        return len(self.true) + len(self.false) + len(self.unread)

    @property
    def truth(self) -> float:
        """Share of what is said that is true; 0 for a caption that says nothing."""
        return len(self.true) / self.num_said if self.num_said else 0.0

    def about(self, shape: str, colour: str) -> tuple[list[Statement], list[Statement]]:
        """(true, false) statements put to the scene's thing of that shape and colour; a wrong name of it is false.

        Relations count for both of their things. Empty lists if the scene has no such thing or nothing is said of it.
        """
        here = {i for i, t in enumerate(self.scene.things) if (t.shape, t.colour) == (shape, colour)}
        true, false = ([s for s in found if here & set(s.about)] for found in (self.true, self.false))
        return true, false


def judge_caption(caption: str, scene: Scene | Mapping[str, Any]) -> Verdict:
    """Which statements of a caption are true and false of a scene, and which are missing.

    Args:
        scene: a Scene, or the dict that `Scene.to_json` makes.
    Raises:
        DataError: the dict is not a scene.
    Example:
        >>> from tuwen.data._scene_world import Background, Thing
        >>> red = Thing("circle", "red", "small", "filled", 12.0, 12.0, 6.0)
        >>> scene = Scene((red,), Background((255, 255, 255), (255, 255, 255), 0.0, 0.0, 0))
        >>> verdict = judge_caption("a small blue circle at the top left", scene)
        >>> [str(s) for s in verdict.true], [str(s) for s in verdict.false], len(verdict.missing)
        (['size: blue circle small', 'place: blue circle top left'], ['thing: blue circle'], 2)
    """
    scene = scene if isinstance(scene, Scene) else Scene.from_json(scene)
    reading = read_caption(caption)
    best = max(_matches(reading, scene), key=lambda pairs: _credit(reading, scene, pairs))
    true: list[Statement] = []
    false: list[Statement] = []
    for statement, is_true, _ in _statements(reading, scene, best):
        (true if is_true else false).append(statement)
    made = {(s.kind, s.value, s.about) for s in true}
    missing = [s for s in description(scene) if (s.kind, s.value, s.about) not in made]
    return Verdict(scene, true, false, missing, reading.unread)


def scene_of(caption: str) -> list[Said]:
    """The things that a caption mentions, with what it says of them (None where it says nothing)."""
    return read_caption(caption).things


def description(scene: Scene) -> list[Statement]:
    """The statements that the full description makes."""
    made = []
    for i, t in enumerate(scene.things):
        outer = host(scene, i)
        made.append(Statement("thing", name(t), "", about=(i,)))
        made += [Statement(kind, name(t), getattr(t, kind), about=(i,)) for kind in ("size", "fill")]
        if outer is None:
            made.append(Statement("place", name(t), t.place, about=(i,)))
        else:
            made.append(Statement("relation", name(t), "inside", name(scene.things[outer]), (i, outer)))
    if main := main_relation(scene):
        i, word, j = main
        made.append(Statement("relation", name(scene.things[i]), word, name(scene.things[j]), (i, j)))
    return made


Match = tuple[int | None, ...]


def _matches(reading: Reading, scene: Scene) -> Iterator[Match]:
    """Every way to put the mentioned things to the scene's, one to one; from the seventh mention on, to none."""
    options: list[list[int | None]] = [
        [None, *(i for i, t in enumerate(scene.things) if _can_be(said, t))] for said in reading.things[:6]
    ]
    rest: Match = (None,) * len(reading.things[6:])
    for chosen in product(*options):
        used = [i for i in chosen if i is not None]
        if len(set(used)) == len(used):
            yield chosen + rest


def _can_be(said: Said, thing: Thing) -> bool:
    named = [getattr(said, t) == getattr(thing, t) for t in ("shape", "colour") if getattr(said, t)]
    return any(named) if named else any(getattr(said, t) == getattr(thing, t) for t in ("size", "fill", "place"))


def _credit(reading: Reading, scene: Scene, match: Match) -> float:
    return sum(weight for _, _, weight in _statements(reading, scene, match))


def _statements(reading: Reading, scene: Scene, match: Match) -> Iterator[tuple[Statement, bool, float]]:
    """(statement, whether it is true, its credit for choosing the match)."""
    index = {id(said): i for said, i in zip(reading.things, match, strict=True)}
    for said in reading.things:
        yield from _of_thing(said, scene, index[id(said)])
    for a, word, b in reading.relations:
        i, j = index[id(a)], index[id(b)]
        is_true = i is not None and j is not None and holds(word, scene.things[i], scene.things[j])
        about = tuple(k for k in (i, j) if k is not None)
        yield Statement("relation", a.name, word, b.name, about), is_true, float(is_true)
    for num, traits in reading.counts:
        found = sum(all(getattr(t, trait) == value for trait, value in traits) for t in scene.things)
        noun = " ".join(value for _, value in traits) or "things"
        yield Statement("count", noun, str(num)), found == num, 0.0


def _of_thing(said: Said, scene: Scene, index: int | None) -> Iterator[tuple[Statement, bool, float]]:
    about = () if index is None else (index,)
    thing = None if index is None else scene.things[index]
    if said.shape or said.colour:
        right = [getattr(thing, t, None) == getattr(said, t) for t in ("shape", "colour") if getattr(said, t)]
        full = bool(said.shape and said.colour)
        yield Statement("thing", said.name, "" if full else "partly", about=about), all(right), 3.0 * sum(right)
    traits = [(t, getattr(said, t)) for t in ("size", "fill", "place") if getattr(said, t)] + said.again
    for trait, value in traits:
        is_true = getattr(thing, trait, None) == value
        yield Statement(trait, said.name, value, about=about), is_true, float(is_true)


__all__ = [
    "Comparison",
    "SeenThing",
    "Statement",
    "Verdict",
    "compare",
    "description",
    "judge_caption",
    "look",
    "scene_of",
]
