import math

import pytest
import torch
import torch.nn.functional as F

from tuwen.errors import ShapeError
from tuwen.objective.contrastive import Config, contrastive, matched_pair, pair_logits
from tuwen.types import Batch, Latent, Made

LOGITS = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))


def match(*owner: int, rows: int) -> torch.Tensor:
    return torch.arange(rows)[:, None] == torch.tensor(owner)


def test_a_hand_worked_pair():
    # each row and column costs -log(e^2 / (e^2 + e^0)) = log(1 + e^-2)
    found = contrastive(2 * torch.eye(2), torch.eye(2, dtype=torch.bool))
    assert found.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)


def test_features_without_information_cost_the_log_of_the_batch():
    assert contrastive(torch.ones(7, 7), torch.eye(7, dtype=torch.bool)).item() == pytest.approx(math.log(7), rel=1e-6)


def test_perfect_pairs_cost_nothing_in_the_limit():
    assert contrastive(1000 * torch.eye(3), torch.eye(3, dtype=torch.bool)).item() == 0


def test_swapping_the_sides_changes_nothing():
    pairs = match(0, 0, 1, 3, rows=4)
    torch.testing.assert_close(contrastive(LOGITS, pairs), contrastive(LOGITS.T, pairs.T))


def test_with_one_text_a_picture_it_is_the_mean_of_both_cross_entropies():
    target = torch.arange(4)
    expected = (F.cross_entropy(LOGITS, target) + F.cross_entropy(LOGITS.T, target)) / 2
    torch.testing.assert_close(contrastive(LOGITS, torch.eye(4, dtype=torch.bool)), expected)


def test_captions_of_one_picture_are_no_negatives():
    # pictures 0 and 1; texts 0 and 1 belong to picture 0, text 2 to picture 1; all logits 0
    # picture 0: each text against text 2 only, log 2; picture 1: text 2 against both others, log 3; mean (log 2 + log 3) / 2
    # texts: two pictures each, log 2
    found = contrastive(torch.zeros(2, 3), match(0, 0, 1, rows=2))
    assert found.item() == pytest.approx((math.log(2) + math.log(3)) / 4 + math.log(2) / 2, rel=1e-6)


def test_a_better_logit_of_a_sister_caption_costs_nothing():
    pairs = match(0, 0, 1, rows=2)
    better = torch.tensor([[0.0, 5.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    contrastive(better, pairs)
    first = F.softplus(better[0, 2] - better[0, 0])  # the cost of text 0 within picture 0 does not know of text 1
    assert torch.autograd.grad(first, better)[0][0, 1] == 0
    worse = contrastive(torch.zeros(2, 3), pairs)
    assert contrastive(better, pairs) < worse


def test_a_picture_without_a_text_is_left_out_but_stays_a_negative():
    # picture 1 has no text: pictures give log 1 = 0 for the only text, the text sees two pictures
    assert contrastive(torch.zeros(2, 1), match(0, rows=2)).item() == pytest.approx(math.log(2) / 2, rel=1e-6)


def test_owners_say_who_belongs_together():
    image = Latent(torch.randn(2, 3), owner_P=torch.tensor([0, 2]))
    text = Latent(torch.randn(3, 3), owner_P=torch.tensor([0, 0, 2]))
    _, pairs = matched_pair(Made({"image": image, "text": text}), "image", "text")
    assert pairs.tolist() == [[True, True, False], [False, False, True]]


def test_logits_are_scaled_cosines_with_a_bias():
    # cosine of (1, 0) and (3, 4) is 0.6: 2 * 5 * 0.6 - 1 - 2 = 3
    a = Latent(torch.tensor([[1.0, 0.0]]), scale=torch.tensor(2.0), bias=torch.tensor(-1.0))
    b = Latent(torch.tensor([[3.0, 4.0]]), scale=torch.tensor(5.0), bias=torch.tensor(-2.0))
    assert pair_logits(a, b).item() == pytest.approx(3.0, rel=1e-6)


def test_a_batch_without_any_pair_gives_no_term():
    a, b = (Latent(torch.eye(3)[:2], owner_P=torch.tensor(owner)) for owner in ((0, 1), (2, 3)))
    assert Config().build()(Made({"image": a, "text": b}, {}), Batch(list("abcd"), {})).values == {}


def test_a_missing_side_gives_no_term():
    made = Made({"image": Latent(torch.randn(2, 3))})
    assert Config().build()(made, Batch(["a", "b"], {})).values == {}


def test_spaces_of_different_widths_are_refused():
    with pytest.raises(
        ShapeError, match=r"two spaces of widths 3 and 4 cannot be compared; give both the same space\.\*\.embed"
    ):
        pair_logits(Latent(torch.randn(2, 3)), Latent(torch.randn(2, 4)))


def test_matches_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"logits are \(2, 3\) and matches \(3, 2\); they must be alike"):
        contrastive(torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.bool))
