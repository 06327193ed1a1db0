"""Of several candidates the one that fits the text best."""

import os

import numpy as np
import pytest
from tests import autoencoders, drawing, eight
from tests.task.test_of_noise import nearest

from tuwen import embedder
from tuwen.directory import save
from tuwen.errors import CannotError, CheckpointError, ConfigError
from tuwen.task import draw
from tuwen.task._candidates import best, judge_of

PICTURES = [np.full((2, 2, 3), value, np.uint8) for value in range(4)]


class Judge:
    """A picture points where its level says; a text along the first axis. Vectors are longer than 1."""

    def images(self, values):
        angle = np.array([float(one[0, 0, 0]) for one in values])
        return 3 * np.stack([np.cos(angle), np.sin(angle)], 1)

    def texts(self, values):
        return np.array([[5.0, 0.0]] * len(values))


def test_by_hand():
    """Levels 3 and 1: cosines -0.99 and 0.54, the second stays; levels 0 and 2: 1 and -0.42, the first stays."""
    kept, match = best(Judge(), "x", [PICTURES[level] for level in (3, 1, 0, 2)], 2)
    assert [one[0, 0, 0] for one in kept] == [1, 0] and match == pytest.approx((0.5403, 1.0))


def test_the_one_that_fits_is_kept():
    """With little guidance few pictures are as it is said; of six the judge finds one far more often, in 32 each."""
    model, texts = drawing.flow(), [f"a {colour} picture" for colour in eight.COLOURS]

    def drawn(**options):
        return model.draw(texts, guidance=0.2, steps=5, **options)

    def right(answers):
        return sum(nearest(one.pictures[0]) == colour for one, colour in zip(answers, eight.COLOURS, strict=True))

    judged = [drawn(seed=seed, candidates=6, judge=str(eight.directory())) for seed in range(4)]
    assert sum(map(right, judged)) >= sum(right(drawn(seed=seed)) for seed in range(4)) + 8
    six = judged[0]
    assert all(len(answer.pictures) == len(answer.match) == 1 and -1 <= answer.match[0] <= 1 for answer in six)
    assert draw.show(six[0]).endswith(f"seed 0, match {six[0].match[0]:.3f}")


def test_the_judge_is_opened_once_while_it_stays_as_it_is(tmp_path, monkeypatch):
    model, place, opened = drawing.flow(), tmp_path / "judge", []
    save(eight.model(), place)
    monkeypatch.setattr(embedder, "open_embedder", lambda source, *_, **__: opened.append(source) or Judge())
    for _ in range(3):
        judge_of(model, str(place))
    assert len(opened) == 1
    os.utime(place / "recipe.json", ns=(2**61, 2**61))
    judge_of(model, str(place))
    assert len(opened) == 2


def test_what_cannot_judge():
    model = drawing.flow()
    with pytest.raises(
        CannotError, match="this model cannot say which candidate fits the text best; name one that matches"
    ):
        model.draw("a red picture", candidates=3)
    with pytest.raises(CannotError, match="was not trained to say how well texts fit pictures; it can: reconstruct"):
        model.draw("a red picture", candidates=3, judge=str(autoencoders.directory()))
    with pytest.raises((ConfigError, CheckpointError), match="judge: there is no folder '/no/such'"):
        model.draw("a red picture", candidates=3, judge="/no/such")
