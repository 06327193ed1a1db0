"""The judge of the drawn world is judged: it errs in less than 1 % and notices at least 99 % of corruptions."""

import doctest
import re
from dataclasses import replace

import numpy as np
import pytest

from tuwen.data import scenes
from tuwen.data._scene_draw import render
from tuwen.data._scene_language import describe, main_relation, relations
from tuwen.data._scene_world import COLOURS, RADIUS, SHAPES, SIZES, UNSEEN, Background, Scene, Thing, pick, sample
from tuwen.errors import DataError
from tuwen.metric import _scene_judge, statement_truth
from tuwen.metric._scene_judge import compare, description, judge_caption, look, scene_of

NUM = 300
GROUND = Background((240, 240, 250), (240, 240, 250), 0.0, 0.0, 0)
STAR = Thing("star", "red", "small", "filled", 12.0, 12.0, 6.0)
SQUARE = Thing("square", "blue", "large", "outlined", 32.0, 32.0, 11.0)
PAIR = Scene((STAR, SQUARE), GROUND)


@pytest.fixture(scope="module")
def world():
    return [scenes.draw_one(11, split, i) for split in ("train", "test") for i in range(NUM // 2)]


@pytest.fixture(scope="module")
def truths(world):
    return [Scene.from_json(one.fields["scene"]) for one in world]


def faulty(verdict) -> bool:
    return bool(verdict.false or verdict.unread or not verdict.true)


def test_errs_on_less_than_one_percent_of_true_captions(world, truths):
    verdicts = [judge_caption(text, s) for one, s in zip(world, truths, strict=True) for text in one.fields["text"]]
    assert np.mean([faulty(v) for v in verdicts]) < 0.01
    assert np.mean([bool(v.missing) for v in verdicts[::5]]) < 0.01  # the first of five says everything
    assert np.mean([bool(v.missing) for v in verdicts]) > 0.5


def other(rng, values, *but):
    return pick(rng, [v for v in values if v not in but])


def wrong_colour(rng, scene, text):
    """Every time the thing is named; no other thing of the scene has that name."""
    t = pick(rng, scene.things)
    taken = [o.colour for o in scene.things if o.shape == t.shape]
    return text.replace(f"{t.colour} {t.shape}", f"{other(rng, list(COLOURS), *taken)} {t.shape}")


def wrong_shape(rng, scene, text):
    t = pick(rng, scene.things)
    taken = [o.shape for o in scene.things if o.colour == t.colour]
    return text.replace(f"{t.colour} {t.shape}", f"{t.colour} {other(rng, SHAPES, *taken)}")


def swapped_colours(rng, scene, text):
    a, b = scene.things[:2] if len(scene.things) > 1 else (None, None)
    if a is None or a.colour == b.colour or a.shape == b.shape:
        return None
    words = {a.colour: b.colour, b.colour: a.colour}
    return re.sub("|".join(words), lambda m: words[m[0]], text)


def wrong_relation(rng, scene, text):
    if not main_relation(scene):
        return None
    return re.sub("left of|above", lambda m: {"left of": "right of", "above": "below"}[m[0]], text)


def wrong_trait(rng, scene, text):
    turned = {"small": "large", "large": "small", "filled": "outlined", "outlined": "filled"}
    return re.sub("|".join(turned), lambda m: turned[m[0]], text, count=1)


def wrong_place(rng, scene, text):
    free = [t for t in scene.things if f" at the {t.place}" in text]
    if not free:
        return None
    place = other(rng, ("top left", "top right", "bottom left", "bottom right"), free[0].place)
    return re.sub(rf"at the {free[0].place}(?= and|,|$)", f"at the {place}", text, count=1)


def extra_thing(rng, scene, text):
    taken = {(t.shape, t.colour) for t in scene.things}
    shape, colour = other(rng, [(s, c) for s in SHAPES for c in COLOURS], *taken)
    return f"a small filled {colour} {shape} at the top and " + text


def dropped_thing(rng, scene, text):
    if len(scene.things) < 2:
        return None
    return describe(Scene(scene.things[:-1], scene.background))


FALSE = [wrong_colour, wrong_shape, swapped_colours, wrong_relation, wrong_trait, wrong_place, extra_thing]


@pytest.mark.parametrize("corrupt", [*FALSE, dropped_thing])
def test_notices_corrupted_captions(world, truths, corrupt):
    rng, noticed = np.random.default_rng(0), []
    for one, scene in zip(world, truths, strict=True):
        if text := corrupt(rng, scene, one.fields["text"][0]):
            assert text != one.fields["text"][0]
            verdict = judge_caption(text, scene)
            noticed.append(bool(verdict.missing) if corrupt is dropped_thing else bool(verdict.false))
    assert len(noticed) > 80 and np.mean(noticed) >= 0.99


def test_notices_a_turned_relation_in_the_partial_captions(truths):
    rng, noticed = np.random.default_rng(0), []
    for scene in truths:
        for i, word, j in relations(scene):
            a, b = (scene.things[k] for k in ((j, i) if rng.random() < 0.5 else (i, j)))
            verdict = judge_caption(f"look, the {a.colour} {a.shape} is {word} the {b.colour} {b.shape}", scene)
            noticed.append(bool(verdict.false) == (a is scene.things[j]))
    assert len(noticed) > 300 and np.mean(noticed) >= 0.99


def test_sees_exactly_what_was_drawn(world, truths):
    exact = [compare(look(one.fields["image"]), s).exact for one, s in zip(world, truths, strict=True)]
    assert np.mean(exact) >= 0.99


def test_sees_through_blur_and_noise(world, truths):
    from scipy import ndimage

    rng, exact = np.random.default_rng(0), []
    for one, scene in zip(world[::3], truths[::3], strict=True):
        soft = ndimage.gaussian_filter(one.fields["image"].astype(float), (0.6, 0.6, 0)) + rng.normal(0, 6, (64, 64, 3))
        exact.append(compare(look(soft.clip(0, 255).astype(np.uint8)), scene).exact)
    assert np.mean(exact) >= 0.97


def repaint(rng, scene, t):
    return [replace(t, colour=other(rng, list(COLOURS), t.colour))]


def reshape(rng, scene, t):
    return [replace(t, shape=other(rng, SHAPES, t.shape))]


def resize(rng, scene, t):
    size = other(rng, SIZES, t.size)
    return [replace(t, size=size, r=RADIUS[size][0])]


def move(rng, scene, t):
    return [replace(t, x=64 - t.x) if abs(t.x - 32) > 10 else replace(t, x=12.0 if t.x > 32 else 52.0)]


def drop(rng, scene, t):
    return []


def add(rng, scene, t):
    free = [v for v in (9.0, 32.0, 55.0) if all(max(abs(v - o.x), abs(v - o.y)) > 21 for o in scene.things)]
    return [t, Thing("circle", "black", "small", "outlined", free[0], free[0], 6.0)] if free else None


@pytest.mark.parametrize("change", [repaint, reshape, resize, move, drop, add])
def test_notices_corrupted_pictures(truths, change):
    """The picture of a changed scene is compared with the scene before the change."""
    rng, noticed = np.random.default_rng(0), []
    for scene in truths[::3]:
        *rest, t = scene.things
        if (new := change(rng, scene, t)) is not None:
            picture = render(Scene((*rest, *new), scene.background))
            noticed.append(not compare(look(picture), scene).exact)
    assert len(noticed) > 40 and np.mean(noticed) >= 0.99


def test_junk_is_an_extra_thing():
    picture = render(PAIR)
    picture[50:56, 5:9] = (45, 95, 220)
    result = compare(look(picture), PAIR)
    assert len(result.extra) == 1 and not result.exact and not result.missing


def test_a_picture_is_compared_with_a_text():
    seen = look(render(PAIR))
    assert compare(seen, scene_of("a red star left of a blue square")).exact
    wrong = compare(seen, scene_of("a large red star at the top left"))
    assert wrong.wrong == ["size: red star large"] and [t.colour for t in wrong.extra] == ["blue"]
    assert compare(seen, scene_of("a green circle")).missing == ["green circle"]
    assert compare(seen, PAIR.to_json()).exact
    assert compare(look(np.full((64, 64, 3), 240, np.uint8)), PAIR).missing == ["red star", "blue square"]


@pytest.mark.parametrize(
    ("text", "true", "false", "unread"),
    [
        ("a small red star", 2, 0, 0),
        ("A  RED star,at the top-left .", 2, 0, 0),
        ("the hollow blue square is in the middle and it is big", 4, 0, 0),
        ("left of the square is a tiny red star", 4, 0, 0),
        ("the square is to the right of the red one", 3, 0, 0),
        ("two shapes: a star and a square", 3, 0, 0),
        ("three things, one of them a star", 1, 1, 0),
        ("a red star is below a blue square", 2, 1, 0),
        ("a red star and a red star", 1, 1, 0),
        ("a large green circle at the top", 0, 3, 0),
        ("a small blue star at the top left", 2, 1, 0),
        ("a red star inside", 1, 0, 1),
        ("a red wombat star", 1, 0, 2),
        ("", 0, 0, 0),
        ("a a is is the", 0, 0, 0),
    ],
)
def test_reads(text, true, false, unread):
    verdict = judge_caption(text, PAIR)
    assert (len(verdict.true), len(verdict.false), len(verdict.unread)) == (true, false, unread), verdict


def test_missing_is_what_the_full_description_would_add():
    # each thing: name, size, fill, place; and the star is above the square, for they stand in different rows
    assert len(description(PAIR)) == 9
    assert [str(s) for s in judge_caption(describe(PAIR).split(" and ")[0], PAIR).missing] == [
        "thing: blue square",
        "size: blue square large",
        "fill: blue square outlined",
        "place: blue square centre",
        "relation: red star above blue square",
    ]


def test_a_wrong_name_counts_against_the_thing_it_is_said_of():
    true, false = judge_caption("a small filled green star at the top left", PAIR).about("star", "red")
    assert [s.kind for s in true] == ["size", "fill", "place"] and [s.kind for s in false] == ["thing"]
    assert judge_caption("a blue square", PAIR).about("star", "red") == ([], [])


def test_garbage_never_fails():
    rng = np.random.default_rng(0)
    words = re.findall(r"\S+", "a the red star square inside left of top is and two one it . colours shapes blue small")
    for _ in range(300):
        assert 0 <= judge_caption(" ".join(rng.choice(words, 20)), PAIR).truth <= 1


def test_statement_truth_counts_by_hand():
    metric = statement_truth.Config().build()
    unseen = Scene((replace(STAR, colour="green"), SQUARE), GROUND)
    assert ("star", "green") in UNSEEN
    metric.update(["a small red star", "a tiny green star and a wombat"], [PAIR.to_json(), unseen.to_json()])
    result = metric.result()
    assert result["statement_truth"] == 4 / 5  # the wombat cannot be read
    assert result["statement_recall"] == 4 / 18
    assert (result["caption_truth"], result["caption_exact"]) == (0.5, 0.0)
    assert (result["unseen_truth"], result["unseen_named"], result["num_unseen_statements"]) == (1.0, 1.0, 2.0)


def test_statement_truth_of_full_descriptions_is_one_and_of_other_scenes_is_low(truths):
    full, shuffled = statement_truth.StatementTruth(), statement_truth.StatementTruth()
    rows = [s.to_json() for s in truths]
    full.update([describe(s) for s in truths], rows)
    assert full.result()["statement_truth"] == full.result()["caption_exact"] == 1.0
    shuffled.update([describe(s) for s in truths], rows[7:] + rows[:7])
    assert shuffled.result()["statement_truth"] < 0.3
    assert statement_truth.StatementTruth().result()["statement_truth"] == 0.0


def test_errors_say_what_was_got():
    with pytest.raises(DataError, match="got 1 captions for 2 scenes; give one caption a scene"):
        statement_truth.StatementTruth().update(["a star"], [PAIR.to_json()] * 2)
    with pytest.raises(DataError, match=r"looks at \(64, 64, 3\) uint8 pictures; got \(32, 32, 3\) float64"):
        look(np.zeros((32, 32, 3)))


@pytest.mark.parametrize("module", [_scene_judge, statement_truth, scenes])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_sampled_scenes_can_ask_for_an_unseen_pair():
    rng = np.random.default_rng(0)
    counts = [sum((t.shape, t.colour) in UNSEEN for t in sample(rng, unseen=True).things) for _ in range(50)]
    assert counts == [1] * 50
