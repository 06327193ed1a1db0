"""Squared distances of pairs by hand, and what the objective must not be fooled by."""

import pytest
import torch

from tuwen.errors import ShapeError
from tuwen.objective.alignment import Config, alignment
from tuwen.types import Batch, Latent, Made

BATCH = Batch(["a", "b"], {})


def vectors(seed, rows=400, width=6):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def test_by_hand():
    """Pairs 0-0 and 2-1: (0 + 1) / 2. All four: (0 + 1 + 4 + 1) / 4. Their ratio is a third."""
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [1.0]])
    assert alignment(a, b).item() == pytest.approx(1 / 3)


def test_limits():
    a = vectors(0)
    assert alignment(a, a).item() == 0
    assert alignment(a, vectors(1)).item() == pytest.approx(1, abs=0.05)
    assert alignment(torch.ones(3, 2), torch.ones(3, 2)).item() == 0, "one point for all is not NaN"


def test_shrinking_and_moving_the_space_gains_nothing():
    a, b = vectors(0), vectors(0) + 0.5 * vectors(1)
    assert alignment(a / 100 + 3, b / 100 + 3).item() == pytest.approx(alignment(a, b).item(), rel=1e-2)
    assert alignment(b, a).item() == pytest.approx(alignment(a, b).item())


def test_it_is_one_minus_the_correlation():
    a, b = (x - x.mean(0) for x in (vectors(0), vectors(0) + vectors(1)))
    b = b * (a.norm() / b.norm())
    correlation = (a * b).sum() / (a.norm() * b.norm())
    assert alignment(a, b).item() == pytest.approx(1 - correlation.item(), rel=1e-4)


def test_only_rows_with_both_count():
    """Picture rows 0, 1, 3; texts of rows 1, 1, 2, 3: three pairs."""
    image = Latent(torch.tensor([[9.0], [0.0], [2.0]]), owner_P=torch.tensor([0, 1, 3]))
    text = Latent(torch.tensor([[0.0], [0.5], [7.0], [1.0]]), owner_P=torch.tensor([1, 1, 2, 3]))
    found = Config().build()(Made({"image": image, "text": text}), BATCH).values["alignment"]
    wanted = alignment(torch.tensor([[0.0], [0.0], [2.0]]), torch.tensor([[0.0], [0.5], [1.0]]))
    assert found.item() == pytest.approx(wanted.item())


def test_one_pair_says_nothing():
    one = Latent(torch.ones(1, 2), owner_P=torch.tensor([1]))
    assert Config().build()(Made({"image": one, "text": one}), BATCH).values == {}
    assert Config().build()(Made({"image": one}), BATCH).values == {}


def test_spaces_of_different_widths():
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2, 4\); they must be alike: give both fields spaces"):
        alignment(torch.zeros(2, 3), torch.zeros(2, 4))
