import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from tuwen.objective.classification import Config, each_of, one_of
from tuwen.types import Batch, Decoded, Made

LOGITS = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
"""Shares 1/4 and 3/4; 1/2 and 1/2. Each on its own: 1/2 and 3/4; 1/2 and 1/2."""


def terms(decoded, **fields):
    return Config(**fields).build()(Made(routes={"classify": decoded}), Batch(["a", "b"], {})).values


def test_one_of_by_hand():
    # -log(3/4) and -log(1/2), their mean is log(8/3) / 2
    assert one_of(LOGITS, torch.tensor([1, 0])).item() == pytest.approx(math.log(8 / 3) / 2)


def test_each_of_by_hand():
    # no: 1/2, yes: 3/4; yes: 1/2, no: 1/2: log(2 * 4/3 * 2 * 2) over four answers
    target = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert each_of(LOGITS, target).item() == pytest.approx(math.log(32 / 3) / 4)


def test_smoothing_by_hand():
    # a fifth of the target spread: 0.9 of the right class, 0.1 of the other
    expected = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
    assert one_of(LOGITS[:1], torch.tensor([1]), smoothing=0.2).item() == pytest.approx(expected)
    yes = each_of(LOGITS[:1, 1:], torch.ones(1, 1), smoothing=0.2).item()
    assert yes == pytest.approx(expected)


def test_weights_by_hand():
    # (3 * log(4/3) + 1 * log 2) / 4
    found = one_of(LOGITS, torch.tensor([1, 0]), weight_P=torch.tensor([3.0, 1.0])).item()
    assert found == pytest.approx((3 * math.log(4 / 3) + math.log(2)) / 4)
    weight = torch.tensor([[0.0, 3.0], [1.0, 0.0]])
    assert each_of(LOGITS, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), weight_PK=weight).item() == pytest.approx(found)


def test_knowing_nothing_and_everything():
    assert one_of(torch.zeros(3, 7), torch.tensor([0, 3, 6])).item() == pytest.approx(math.log(7))
    assert each_of(torch.zeros(3, 7), torch.ones(3, 7)).item() == pytest.approx(math.log(2))
    sure = torch.eye(3) * 1000
    assert one_of(sure, torch.arange(3)).item() == 0
    assert each_of(sure * 2 - 1000, torch.eye(3)).item() == pytest.approx(0, abs=1e-6)


def test_the_order_of_classes_and_rows_changes_nothing():
    logits, order = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([2, 0, 3, 1])
    target = torch.tensor([0, 1, 2, 3, 0, 1])
    torch.testing.assert_close(one_of(logits[:, order], order.argsort()[target]), one_of(logits, target))
    torch.testing.assert_close(one_of(logits.flip(0), target.flip(0)), one_of(logits, target))


def test_torch_agrees():
    logits, target = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 3, 0, 1])
    weight, many = torch.tensor([1.0, 2, 0.5, 3]), torch.eye(4)[target]
    expected = cross_entropy(logits, target, weight=weight)
    torch.testing.assert_close(one_of(logits, target, weight_P=weight[target]), expected)
    torch.testing.assert_close(each_of(logits, many), binary_cross_entropy_with_logits(logits, many))


def test_the_type_of_the_target_decides():
    one = terms(Decoded(LOGITS, torch.tensor([1, 0])))
    each = terms(Decoded(LOGITS, torch.tensor([[0.0, 1.0], [1.0, 0.0]])))
    assert one["classification"].item() == pytest.approx(math.log(8 / 3) / 2)
    assert each["classification"].item() == pytest.approx(math.log(32 / 3) / 4)


def test_unknown_labels_do_not_count():
    known = terms(Decoded(LOGITS, torch.tensor([1, -1]), weight=torch.tensor([2.0, 9.0])), balanced=True)
    assert known["classification"].item() == pytest.approx(math.log(4 / 3))
    assert terms(Decoded(LOGITS, torch.tensor([-1, -1]))) == {}


def test_weights_count_only_where_asked_for():
    decoded = Decoded(LOGITS, torch.tensor([1, 0]), weight=torch.tensor([3.0, 1.0]))
    plain, balanced = (terms(decoded, balanced=b)["classification"].item() for b in (False, True))
    assert plain == pytest.approx(math.log(8 / 3) / 2)
    assert balanced == pytest.approx((3 * math.log(4 / 3) + math.log(2)) / 4)


def test_a_term_may_have_another_name():
    assert list(terms(Decoded(LOGITS, torch.tensor([1, 0])), term="action")) == ["action"]
