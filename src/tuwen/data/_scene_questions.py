"""Questions about a scene with their only right answers, and short dialogues that refer back."""

from __future__ import annotations

import numpy as np

from tuwen.data._scene_language import NUMBERS, OPPOSITE, name, place_phrase, refer, relations
from tuwen.data._scene_world import COLOURS, SHAPES, Scene, host, pick, shuffled


def questions(rng: np.random.Generator, scene: Scene, num: int = 4) -> list[tuple[str, str]]:
    """Up to `num` different questions with their only right answers."""
    t, other = pick(rng, scene.things), pick(rng, scene.things)
    it, where = refer(rng, scene, t), place_phrase(t.place)
    one_shape = sum(o.shape == t.shape for o in scene.things) == 1
    one_colour = sum(o.colour == t.colour for o in scene.things) == 1
    alone = sum(o.place == t.place for o in scene.things) == 1
    guess = (pick(rng, tuple(COLOURS)), pick(rng, SHAPES)) if rng.random() < 0.5 else (other.colour, other.shape)
    there = any((o.colour, o.shape) == guess for o in scene.things)
    known = [
        ("how many shapes are there?", NUMBERS[len(scene.things)]),
        (f"where is the {it}?", where),
        (f"how big is the {it}?", t.size),
        (f"is the {it} filled or outlined?", t.fill),
        (f"is there a {' '.join(guess)}?".replace(" a o", " an o"), "yes" if there else "no"),
    ]
    known += [(f"what colour is the {t.shape}?", t.colour)] * one_shape
    known += [(f"what shape is the {t.colour} thing?", t.shape)] * one_colour
    known += [(f"what is {where}?", f"a {t.size} {t.fill} {name(t)}")] * alone
    known += _about_relations(rng, scene)
    return shuffled(rng, known)[:num]


def _about_relations(rng: np.random.Generator, scene: Scene) -> list[tuple[str, str]]:
    if not (known := relations(scene)):
        return []
    i, word, j = pick(rng, known)
    a, b = scene.things[i], scene.things[j]
    if rng.random() < 0.5:
        a, b = b, a
    answer = "yes" if a is scene.things[i] else "no"
    found = [(f"is the {name(a)} {word} the {name(b)}?", answer)]
    inner = [(k, outer) for k in range(len(scene.things)) if (outer := host(scene, k)) is not None]
    return found + [(f"what is inside the {name(scene.things[o])}?", f"a {name(scene.things[k])}") for k, o in inner]


def dialogue(rng: np.random.Generator, scene: Scene) -> list[tuple[str, str]]:
    """Three turns (question, answer); the later ones say 'it' for the thing that the first one names."""
    alone = [t for t in scene.things if sum(o.place == t.place for o in scene.things) == 1]
    if alone and rng.random() < 0.6:
        t = pick(rng, alone)
        first = (f"what shape is {place_phrase(t.place)}?", f"a {t.shape}")
        rest = [("what colour is it?", t.colour)]
    else:
        t = pick(rng, scene.things)
        first, rest = (f"is there a {name(t)}?".replace(" a o", " an o"), "yes"), []
        rest.append(("where is it?", place_phrase(t.place)))
    rest.append(("is it small or large?", t.size))
    rest.append(("is it filled or outlined?", t.fill))
    index = scene.things.index(t)
    rest += [(f"is it {word} the {name(scene.things[j])}?", "yes") for i, word, j in relations(scene) if i == index]
    rest += [
        (f"is it {OPPOSITE[w]} the {name(scene.things[j])}?", "no")
        for i, w, j in relations(scene)
        if i == index and w in OPPOSITE
    ]
    return [first, *shuffled(rng, rest)[:2]]
