import torch

from tuwen.fuse._rows import Rows
from tuwen.types import Latent


def rows_of(owner, rows):
    values = torch.arange(10.0, 10.0 + len(owner))[:, None]
    return Rows(Latent(values, owner_P=torch.tensor(owner, dtype=torch.int64)), rows), values


def test_each_row_finds_its_first_value():
    place, values = rows_of([0, 2, 2, 3], 5)
    assert place.spread(values)[:, 0].tolist() == [10, 0, 11, 13, 0]
    assert place.present_B.tolist() == [True, False, True, True, False]


def test_a_mask_is_false_where_there_is_no_value():
    place, _ = rows_of([1], 2)
    assert place.spread(torch.ones(1, 3, dtype=torch.bool)).tolist() == [[False] * 3, [True] * 3]


def test_no_value_at_all_is_zeros():
    place, values = rows_of([], 2)
    assert place.spread(values).tolist() == [[0], [0]]


def test_what_is_not_a_number_does_not_leak_into_other_rows():
    place, values = rows_of([0, 2], 3)
    values[0] = torch.nan
    assert place.spread(values)[1:, 0].tolist() == [0, 11]
