import pytest
import torch

from tuwen.errors import ShapeError
from tuwen.objective.coverage import Config, coverage
from tuwen.types import Batch, Decoded, Made


def mask(*lengths: int, steps: int) -> torch.Tensor:
    return torch.arange(steps) < torch.tensor(lengths)[:, None]


def test_a_hand_worked_caption():
    # two steps over three places: looked at 1.5, 0.5 and 0 times; (0.25 + 0.25 + 1) / 3 = 0.5
    weights = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]])
    assert coverage(weights, mask(2, steps=2)).item() == pytest.approx(0.5)


def test_places_that_were_each_looked_at_once_cost_nothing():
    assert coverage(torch.eye(3)[None], mask(3, steps=3)).item() == 0


def test_the_order_of_the_steps_does_not_matter():
    weights = torch.rand(2, 4, 5).softmax(-1)
    torch.testing.assert_close(coverage(weights.flip(1), mask(4, 4, steps=4)), coverage(weights, mask(4, 4, steps=4)))


def test_steps_after_the_end_do_not_count():
    weights = torch.rand(1, 3, 4).softmax(-1)
    torch.testing.assert_close(coverage(weights, mask(2, steps=3)), coverage(weights[:, :2], mask(2, steps=2)))


def test_learning_spreads_what_is_looked_at():
    """One place gets all at first, which costs (1 + (1 - 4)^2 + ...) / 4 = 3; evenly looked at, nothing."""
    energy = torch.zeros(1, 4, 4)
    energy[..., 0] = 3.0
    energy.requires_grad_()
    optimiser = torch.optim.Adam([energy], lr=0.1)
    first = coverage(energy.softmax(-1), mask(4, steps=4)).item()
    for _ in range(100):
        loss = coverage(energy.softmax(-1), mask(4, steps=4))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert first > 1.5 and loss < 0.01


def test_a_decoder_without_attention_has_no_term():
    decoded = Decoded(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), mask(2, steps=2))
    assert Config().build()(Made({}, {"caption": decoded}), Batch(["a"], {})).values == {}


def test_a_mask_of_other_captions_is_refused():
    with pytest.raises(
        ShapeError, match=r"attention is \(2, 3, 4\) and the mask \(2, 2\); both begin with captions and steps"
    ):
        coverage(torch.zeros(2, 3, 4), mask(2, 2, steps=2))
