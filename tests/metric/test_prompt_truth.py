"""Truth of drawings of the drawn world: by hand, what is missing or too much, pairs that are never seen, and its table."""

import pytest
from tests.drawing import ROWS, row, thing

from tuwen.data.scenes import draw_one
from tuwen.errors import DataError
from tuwen.metric import prompt_truth
from tuwen.metric._scene_look import look


def judged(pairs):
    """Of (wanted row, row whose picture is there instead)."""
    metric = prompt_truth.Config().build()
    metric.update([look(seen.fields["image"]) for _, seen in pairs], [one.fields["scene"] for one, _ in pairs])
    return metric


def test_everything_right():
    found = judged([(one, one) for one in ROWS])
    assert set(found.result().values()) == {1.0} and "drawn_exact_3" not in found.result()
    assert [line["text"] for line in found.table()] == ["one thing", "two things", "all"]


def test_by_hand():
    """A pink circle for a red one: 4 of 5. A second thing beside it: 5 of 5 + 1. Two things of which one is there: 5 of 10 and the
    relation of the two not. In all 14 of 5 + 5 + 11 + 1."""
    red, blue, both = ROWS[0], ROWS[1], ROWS[4]
    found = judged(
        [
            (red, row("", thing("circle", "pink"))),
            (blue, row("", thing("square", "blue"), thing("cross", "red", 46.0))),
            (both, row("", thing("circle", "red"))),
        ]
    )
    assert found.result() == {
        "prompt_truth": pytest.approx(14 / 22),
        "drawn_shape_colour": 0.0,
        "drawn_exact": 0.0,
        "drawn_exact_1": 0.0,
        "drawn_exact_2": 0.0,
        "drawn_things": pytest.approx(2 / 4),
    }
    one, two, every = found.table()
    assert one == {
        "text": "one thing", "num": 2, "exact": 0, "shape": 1, "colour": 0.5, "size": 1, "fill": 1, "place": 1,
        "relation": None, "nothing_else": 0.5,
    }  # fmt: skip
    assert two["relation"] == 0 and two["shape"] == two["place"] == 0.5 and two["nothing_else"] == 1
    assert every["num"] == 3 and every["colour"] == pytest.approx(2 / 4)


def test_pairs_that_are_never_seen_in_training():
    """Every second test scene holds one; a purple circle is one of them."""
    new = row("new", thing("circle", "purple"), thing("star", "blue", 46.0))
    found = judged([(new, new), (new, row("", thing("square", "purple"), thing("star", "blue", 46.0)))]).result()
    assert found["drawn_things_unseen"] == found["drawn_exact_unseen"] == 0.5 and found["drawn_things"] == 3 / 4
    scenes = [draw_one(0, "test", i) for i in range(20)]
    metric = judged([(one, one) for one in scenes])
    assert metric.result()["prompt_truth"] > 0.98
    by_text = {line["text"]: line["num"] for line in metric.table()}
    assert by_text["an unseen pair"] == 10 and by_text["all"] == 20


def test_a_place_that_is_wrong():
    found = judged([(ROWS[0], row("", thing("circle", "red", 46.0)))]).result()
    assert found["drawn_exact"] == 0 and found["drawn_shape_colour"] == 1 and found["prompt_truth"] == 4 / 5


def test_the_order_changes_nothing():
    pairs = [(one, other) for one in ROWS for other in ROWS[:2]]
    assert judged(pairs).result() == judged(pairs[::-1]).result()


def test_nothing_and_mistakes():
    assert prompt_truth.Config().build().result() == {} and prompt_truth.Config().build().table() == []
    with pytest.raises(DataError, match="got 0 pictures for 1 scenes; give one a scene"):
        prompt_truth.Config().build().update([], [ROWS[0].fields["scene"]])
