"""Drawings of the drawn world, judged: by hand, chance, what is left out, and a model that has learned to draw."""

import numpy as np
import pytest
from tests import eight
from tests.drawing import ROWS, model, row, thing

from tuwen.generate.greedy import Config as Greedy
from tuwen.judge import drawings
from tuwen.judge._asked import Asked
from tuwen.task import draw
from tuwen.types import Sample

FIGURES = {"prompt_truth", "drawn_shape_colour", "drawn_exact", "drawn_exact_1", "drawn_exact_2", "drawn_things"}


def judged(samples, *, shuffled=True, quick=False, draws=0, of=None):
    asked = Asked(method=Greedy().build(), shuffled=shuffled, quick=quick, draws=draws)
    judge = drawings.Judge(of or model(), asked)
    batch = (of or model()).batch([Sample(s.key, {**s.fields, "image": None}) for s in samples])
    judge.add(None, batch)
    return judge


@pytest.fixture
def drawn(monkeypatch):
    """Text -> the picture that is drawn of it; its own one unless the test says otherwise."""
    pictures = {one.fields["text"][0]: one.fields["image"] for one in ROWS}

    def run(model, requests):
        return [draw.Response(pictures=(pictures[one.text],), seed=one.seed) for one in requests]

    monkeypatch.setattr(draw, "run", run)
    return pictures


def figures(judge):
    [(rates, chance)] = judge.rates()
    return rates.figures, chance


def test_everything_right(drawn):
    judge = judged(ROWS)
    found, chance = figures(judge)
    assert found == dict.fromkeys(FIGURES, 1.0)
    assert chance["drawn_shape_colour"] == chance["drawn_exact"] == 0 and chance["prompt_truth"] < 0.7
    [(rates, _)] = judge.rates()
    assert rates.intervals()["drawn_exact"] == (1.0, 1.0)


def test_by_hand(drawn):
    """Of four things alone one has the wrong colour, one a second thing beside it, one only the wrong place: 2 of 4 and
    of all five rows 2 are exact."""
    texts = [one.fields["text"][0] for one in ROWS]
    drawn[texts[0]] = row("", thing("circle", "pink")).fields["image"]
    drawn[texts[1]] = row("", thing("square", "blue"), thing("cross", "red", 46.0)).fields["image"]
    drawn[texts[2]] = row("", thing("triangle", "green", 46.0)).fields["image"]
    judge = judged(ROWS)
    found = figures(judge)[0]
    assert found["drawn_shape_colour"] == 2 / 4 and found["drawn_exact"] == 2 / 5 and found["drawn_exact_1"] == 1 / 4
    said = [one["drawn"] for one in judge.rows()]
    assert said[0]["wrong"] == ["colour: red circle red"] and not said[0]["exact"]
    assert said[1]["extra"] == ["red cross"] and said[2]["wrong"] == ["place: green triangle left"]
    assert said[3]["exact"] and said[3]["text"] == texts[3]


def test_chance_is_the_picture_of_another_row(drawn):
    """Where the same is drawn for all, another row's picture does as well as the own one."""
    for text in drawn:
        drawn[text] = ROWS[0].fields["image"]
    found, chance = figures(judged(ROWS))
    assert found["drawn_shape_colour"] == chance["drawn_shape_colour"] == 1 / 4
    assert figures(judged(ROWS, shuffled=False))[1] == {}


def test_rows_that_are_not_judged(drawn):
    rows = [ROWS[0], Sample("a", {"text": ["a dog"]}), Sample("b", {"scene": ROWS[0].fields["scene"]})]
    assert [one["key"] for one in judged(rows).rows()] == ["red"]
    assert list(judged(rows[1:]).rates()) == []


def test_scenes_of_several_things_alone(drawn):
    assert figures(judged(ROWS[4:]))[0] == dict.fromkeys(FIGURES - {"drawn_shape_colour", "drawn_exact_1"}, 1.0)


def test_the_table_says_which_kinds_of_statements_are_so(drawn):
    drawn[ROWS[0].fields["text"][0]] = row("", thing("circle", "pink")).fields["image"]
    [one, two, every] = judged(ROWS).tables(bootstrap=True)["prompt_truth"]
    assert (one["text"], one["num"], one["exact"], one["colour"], one["shape"]) == ("one thing", 4, 0.75, 0.75, 1)
    assert two["relation"] == 1 and every["num"] == 5 and judged(ROWS[:0]).tables(bootstrap=True) == {}


def test_while_training_the_first_rows_only(drawn, monkeypatch):
    monkeypatch.setattr(drawings, "QUICK", 3)
    assert len(judged(ROWS, quick=True).rows()) == 3 and len(judged(ROWS).rows()) == 5
    assert len(judged(ROWS, quick=True, draws=2).rows()) == 2 == len(judged(ROWS, draws=2).rows())


def test_pictures_of_other_sizes():
    small = np.kron(ROWS[0].fields["image"][::2, ::2], np.ones((4, 4, 1), np.uint8))
    assert [(one.shape, one.colour) for one in drawings.see(small)] == [("circle", "red")]
    assert drawings.see(np.full((16, 16, 1), 250, np.uint8)) == []


def test_able():
    assert drawings.able(model()) and not drawings.able(eight.model())


@pytest.mark.slow
def test_a_model_that_has_learned():
    """Chance: 1 in 4 at best for a model that draws one picture of every text."""
    found, chance = figures(judged(ROWS[:4], of=model(800)))
    assert found["drawn_shape_colour"] >= 0.75 and chance["drawn_shape_colour"] == 0
    assert figures(judged(ROWS[:4]))[0]["drawn_shape_colour"] == 0, "before it learns"
