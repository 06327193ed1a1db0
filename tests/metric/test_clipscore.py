import numpy as np
import pytest

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric import clipscore

VECTORS = {"right": [2.0, 0.0], "near": [0.6, 0.8], "wrong": [0.0, 1.0], "against": [-1.0, 0.0]}


class Table:
    """Looks vectors up; a picture is the name of its own."""

    def images(self, values):
        return np.array([VECTORS[value] for value in values])

    texts = images


def scored(predictions, references, images):
    metric = clipscore.Config().build()
    metric.embedder = Table()
    metric.update(predictions, references, images)
    return metric


def test_matches_hand_worked_vectors():
    # near: 2.5 * 0.6 = 1.5 with its picture, 0.8 with the reference "wrong": 2 * 1.5 * 0.8 / 2.3
    metric = scored(["right", "near"], [["right"], ["against", "wrong"]], ["right", "right"])
    assert metric.per_item() == pytest.approx([2.5, 1.5]) and metric.result()["clipscore"] == pytest.approx(2.0)
    reference = (2 * 2.5 * 1 / 3.5, 2 * 1.5 * 0.8 / 2.3)
    assert metric.result()["ref_clipscore"] == pytest.approx(np.mean(reference))


def test_nothing_in_common_and_nothing_said_give_zero():
    metric = scored(["wrong", "against", " "], [["wrong"], ["right"], ["right"]], ["right"] * 3)
    assert metric.per_item() == [0.0, 0.0, 0.0] and metric.result() == {"clipscore": 0.0, "ref_clipscore": 0.0}


def test_without_references_there_is_no_reference_score():
    assert scored(["near"], [[]], ["right"]).result().keys() == {"clipscore"}


def test_updates_and_sums_add_up():
    metric = scored(["near"], [["right"]], ["right"])
    metric.update(["right"], [["right"]], ["right"])
    rows_NM, of = metric.sums()
    assert of(rows_NM.sum(0)) == metric.result() == scored(["near", "right"], [["right"]] * 2, ["right"] * 2).result()


def test_mistakes_are_named():
    with pytest.raises(
        ConfigError, match="metric.clipscore needs a model that matches pictures and texts: --clip FOLDER"
    ):
        clipscore.Config().build().update(["a"], [[]], ["b"])
    with pytest.raises(ShapeError, match="1 predictions, 1 groups of references and 0 pictures; give one of each"):
        scored(["near"], [[]], [])
    with pytest.raises(DataError, match="no captions to score"):
        scored([], [], []).result()


def test_captions_without_references_are_left_out_of_the_one_figure():
    pictures = ["right", "right"]
    both, one = (
        scored(["near", "wrong"], [["near"], []], pictures).result(),
        scored(["near"], [["near"]], ["right"]).result(),
    )
    assert both["ref_clipscore"] == one["ref_clipscore"] and both["clipscore"] != one["clipscore"]
