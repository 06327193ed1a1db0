import math

import pytest
import torch

from tuwen.errors import ShapeError
from tuwen.objective.sigmoid import Config, sigmoid
from tuwen.types import Batch, Latent, Made

EYE = torch.eye(2, dtype=torch.bool)


def test_a_hand_worked_pair():
    # logits log 3 where they match, -log 3 elsewhere: each of four pairs costs -log(3/4); divided by two texts
    logits = math.log(3) * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    assert sigmoid(logits, EYE).item() == pytest.approx(2 * math.log(4 / 3), rel=1e-6)


def test_logits_of_zero_cost_log_2_for_each_picture():
    pairs = torch.tensor([0, 1, 2])[:, None] == torch.tensor([0, 0, 1, 2, 2])
    assert sigmoid(torch.zeros(3, 5), pairs).item() == pytest.approx(3 * math.log(2), rel=1e-6)


def test_perfect_pairs_cost_nothing_in_the_limit():
    assert sigmoid(torch.where(EYE, 1000.0, -1000.0), EYE).item() == 0


def test_swapping_the_sides_changes_nothing():
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    pairs = torch.arange(4)[:, None] == torch.tensor([0, 0, 1, 3])
    torch.testing.assert_close(sigmoid(logits, pairs), sigmoid(logits.T, pairs.T))


def test_each_caption_of_a_picture_is_its_own_positive():
    both = torch.tensor([[True, True]])
    found = torch.autograd.grad(sigmoid(logits := torch.zeros(1, 2, requires_grad=True), both), logits)[0]
    # d/dx -log sigmoid(x) at 0 is -1/2, over two texts
    assert found.tolist() == [[-0.25, -0.25]]


def test_owners_say_who_belongs_together():
    pooled = torch.eye(2)
    image = Latent(pooled, owner_P=torch.tensor([0, 1]))
    texts = {name: Latent(pooled, owner_P=torch.tensor(owner)) for name, owner in (("right", [0, 1]), ("same", [0, 0]))}
    cost = {
        n: Config().build()(Made({"image": image, "text": t}), Batch(["a", "b"], {})).values["sigmoid"]
        for n, t in texts.items()
    }
    # cosines of 1 and 0: of four pairs, the one of picture 1 and text 1 (cosine 1) and of picture 0 and text 1 (0) change sides
    assert (cost["same"] - cost["right"]).item() == pytest.approx(0.5, rel=1e-5)


def test_matches_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"logits are \(2, 3\) and matches \(3, 2\); they must be alike"):
        sigmoid(torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.bool))
