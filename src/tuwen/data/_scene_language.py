"""What is said of a scene: five captions.

The first caption is the full description. It is the longest, it alone begins with "a", in reading order, and it hardly
varies, so that it is what a model says which is trained on all five and decoded greedily; the four others open in many
rare ways, each about another matter. Every sentence is true of its scene; `_scene_questions` asks about it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tuwen.data._scene_world import Scene, Thing, holds, host, pick, shuffled

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
SYNONYMS = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
    "filled": ("filled", "solid"),
    "outlined": ("outlined", "hollow"),
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under", "beneath"),
    "inside": ("inside", "within"),
    "around": ("around",),
}
"""Words of the full description -> the words of the partial captions."""
OPPOSITE = {"left of": "right of", "above": "below", "inside": "around"}
"""Relation -> the one that the other thing has to it."""

_PLACE_PHRASES = {
    "top left": ("at the top left", "in the top left corner", "in the upper left"),
    "top": ("at the top", "at the top centre", "in the upper middle"),
    "top right": ("at the top right", "in the top right corner", "in the upper right"),
    "left": ("on the left", "at the left", "in the middle left"),
    "centre": ("in the centre", "in the middle", "at the centre"),
    "right": ("on the right", "at the right", "in the middle right"),
    "bottom left": ("at the bottom left", "in the bottom left corner", "in the lower left"),
    "bottom": ("at the bottom", "at the bottom centre", "in the lower middle"),
    "bottom right": ("at the bottom right", "in the bottom right corner", "in the lower right"),
}
_SHOW = (
    "there is {}",
    "you can see {}",
    "this picture shows {}",
    "here is {}",
    "look , {}",
    "someone drew {}",
    "we see {}",
    "i see {}",
    "notice {}",
    "pictured is {}",
    "it shows {}",
    "drawn here is {}",
    "what can be seen is {}",
    "see {}",
)
_SAY = (
    "the {}",
    "look , the {}",
    "note that the {}",
    "here the {}",
    "this time the {}",
    "clearly the {}",
    "that {}",
    "as drawn , the {}",
    "in this picture the {}",
    "you see that the {}",
)
_FIND = (
    "somewhere {place} sits {what}",
    "{place} there is {what}",
    "{place} you find {what}",
    "find {what} {place}",
    "placed {place} is {what}",
    "look at this , {place} is {what}",
    "put {place} is {what}",
)
_COUNT = (
    "{} in all",
    "exactly {}",
    "just {} here",
    "in total there are {}",
    "count them : {}",
    "altogether {}",
    "nothing but {}",
    "only {} can be seen",
)
_COLOURS = (
    "colours : {}",
    "painted with the colours {}",
    "these colours are used : {}",
    "its colours are {}",
    "among the colours are {}",
)
Maker = Callable[[np.random.Generator, Scene], "str | None"]


def captions(rng: np.random.Generator, scene: Scene) -> list[str]:
    """Five different captions; the first is the full description, and the longest."""
    said = [describe(scene, rng)]
    makers: tuple[Maker, ...] = (_there_is, _is_at, _is_related, _is_such, _there_are, _has_colours)
    for maker in shuffled(rng, makers) * 4:
        if len(said) < 5 and (text := maker(rng, scene)) and _length(text) < _length(said[0]):
            text = " ".join(text.split()).replace(" ,", ",").replace(" :", ":")
            said += [text] * (text not in said)
    return said


def _length(text: str) -> int:
    """Words and marks."""
    return len(text.replace(",", " ,").split())


def describe(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """The full description; without `rng`, its commonest wording."""
    phrases = []
    for i, t in enumerate(scene.things):
        outer = host(scene, i)
        where = place_phrase(t.place, rng) if outer is None else f"inside the {name(scene.things[outer])}"
        phrases.append(f"a {t.size} {t.fill} {name(t)} {where}")
    text = " and ".join(filter(None, [", ".join(phrases[:-1]), phrases[-1]]))
    if relation := main_relation(scene):
        i, word, j = relation
        word = f"to the {word}" if word == "left of" and rng is not None and rng.random() < 0.1 else word
        text += f", the {name(scene.things[i])} is {word} the {name(scene.things[j])}"
    return text


def main_relation(scene: Scene) -> tuple[int, str, int] | None:
    """The relation that the full description states: that of the first two things which lie in no other thing."""
    free = [i for i in range(len(scene.things)) if host(scene, i) is None]
    if len(free) < 2:
        return None
    i, j = free[:2]
    same_row = scene.things[i].cell[0] == scene.things[j].cell[0]
    return i, "left of" if same_row else "above", j


def name(thing: Thing) -> str:
    return f"{thing.colour} {thing.shape}"


def place_phrase(place: str, rng: np.random.Generator | None = None) -> str:
    """'at the top left'; with `rng`, one time in twelve another wording for the centre."""
    usual, other = _PLACE_PHRASES[place][:2]
    return other if place == "centre" and rng is not None and rng.random() < 1 / 12 else usual


def _mention(rng: np.random.Generator, thing: Thing) -> str:
    """'a tiny red circle', 'a hollow star', ...: the shape, and a random choice of the rest."""
    size = pick(rng, SYNONYMS[thing.size]) if rng.random() < 0.4 else ""
    fill = pick(rng, SYNONYMS[thing.fill]) if rng.random() < 0.35 else ""
    words = [size, fill] if rng.random() < 0.7 else [fill, size]
    colour = thing.colour if rng.random() < 0.85 or not (size or fill) else ""
    text = " ".join(filter(None, [*words, colour, thing.shape]))
    return ("an " if text[0] in "aeiou" else "a ") + text


def refer(rng: np.random.Generator, scene: Scene, thing: Thing) -> str:
    """'red circle', or 'circle' or 'red one' where that names one thing only (no article)."""
    options = [name(thing)] * 2
    if sum(t.shape == thing.shape for t in scene.things) == 1:
        options.append(thing.shape)
    if sum(t.colour == thing.colour for t in scene.things) == 1:
        options.append(f"{thing.colour} {pick(rng, ('one', 'thing', 'shape'))}")
    return pick(rng, options)


def _there_is(rng: np.random.Generator, scene: Scene) -> str:
    chosen = shuffled(rng, scene.things)[: 1 + (rng.random() < 0.4)]
    return pick(rng, _SHOW).format(" and ".join(_mention(rng, t) for t in chosen))


def _is_at(rng: np.random.Generator, scene: Scene) -> str:
    thing = pick(rng, scene.things)
    place = pick(rng, _PLACE_PHRASES[thing.place])
    if rng.random() < 0.5:
        return pick(rng, _FIND).format(place=place, what=_mention(rng, thing))
    return pick(rng, _SAY).format(f"{refer(rng, scene, thing)} is {place}")


def relations(scene: Scene) -> list[tuple[int, str, int]]:
    """All clear relations, in both directions; left and right only where they are the larger distance."""
    found = []
    for i, a in enumerate(scene.things):
        for j, b in enumerate(scene.things):
            wide = abs(a.x - b.x) >= abs(a.y - b.y)
            for word in ("inside", "left of" if wide else "above"):
                if holds(word, a, b):
                    found += [(i, word, j), (j, OPPOSITE[word], i)]
    return found


def _is_related(rng: np.random.Generator, scene: Scene) -> str | None:
    if not (known := relations(scene)):
        return None
    i, word, j = pick(rng, known)
    subject, other = (refer(rng, scene, scene.things[k]) for k in (i, j))
    word = pick(rng, SYNONYMS[word])
    if rng.random() < 0.2:
        return f"{word} the {other} is the {subject}"
    return pick(rng, _SAY).format(f"{subject} is {word} the {other}")


def _is_such(rng: np.random.Generator, scene: Scene) -> str:
    thing = pick(rng, scene.things)
    size, fill = pick(rng, SYNONYMS[thing.size]), pick(rng, SYNONYMS[thing.fill])
    traits = pick(rng, (size, fill, f"{size} and {fill}", f"{fill} and {size}"))
    return pick(rng, _SAY).format(f"{refer(rng, scene, thing)} is {traits}")


def _there_are(rng: np.random.Generator, scene: Scene) -> str:
    num, shape = len(scene.things), pick(rng, scene.things).shape
    noun, some = pick(rng, ("shape", "thing", "object")), sum(t.shape == shape for t in scene.things)
    if some > 1 and rng.random() < 0.5:
        num, noun = some, shape
    text = f"{NUMBERS[num]} {noun}" + ("es" if noun == "cross" else "s") * (num > 1)
    frame = pick(rng, _COUNT)
    if noun != shape and frame.endswith("{}") and rng.random() < 0.4:
        text += " , among them " + _mention(rng, next(t for t in scene.things if t.shape == shape))
    return (frame.replace("there are", "there is") if num == 1 else frame).format(text)


def _has_colours(rng: np.random.Generator, scene: Scene) -> str:
    colours = shuffled(rng, sorted({t.colour for t in scene.things}))
    text = " and ".join(filter(None, [" , ".join(colours[:-1]), colours[-1]]))
    frame = pick(rng, _COLOURS)
    if len(colours) == 1:
        frame = frame.replace("these colours are", "this colour is").replace("colours are", "colour is")
        frame = frame.replace("among the colour is", "among the colours is").replace("colours", "colour")
    return frame.format(text)
