"""Rows become a batch: who owns which value, and what counts as one value."""

import torch

from tuwen.data._collate import collate
from tuwen.data._config import Data
from tuwen.types import Sample


class Part:
    """Takes values as they come."""

    def __init__(self, whole=False):
        self.whole, self.seen = whole, []

    def prepare(self, values):
        self.seen = list(values)
        return torch.zeros(len(values)), None


ROWS = [Sample(str(i), {"label": value}) for i, value in enumerate((["a", "b"], "c", None, [], ["d"]))]


def test_each_value_of_a_list_is_one():
    part = Part()
    batch = collate(ROWS, {"label": part}, {}, options=Data())
    assert part.seen == ["a", "b", "c", "d"] and batch.inputs["label"].owner_P.tolist() == [0, 0, 1, 4]
    assert batch.present["label"].tolist() == [True, True, False, False, True]


def test_a_part_may_take_the_list_of_a_row_as_one_value():
    part, other = Part(whole=True), Part()
    batch = collate(ROWS, {"label": other}, {"label": part}, options=Data())
    assert part.seen == [["a", "b"], "c", ["d"]] and batch.targets["label"].owner_P.tolist() == [0, 1, 4]
    assert other.seen == ["a", "b", "c", "d"], "the same field, for another part"
    assert batch.present["label"].tolist() == [True, True, False, False, True]


def test_a_field_that_no_row_has():
    batch = collate(ROWS, {"image": Part()}, {}, options=Data())
    assert "image" not in batch.inputs and not batch.present["image"].any()
