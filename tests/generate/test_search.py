"""Finding the best continuations in folded rows gives what looking at every one gives."""

import pytest
import torch

from tuwen.generate._search import highest


def plain(logits_NV, shift_RK, count):
    sum_RKV = logits_NV.view(*shift_RK.shape, -1) + shift_RK[:, :, None]
    sum_RC, place_RC = sum_RKV.flatten(1).topk(count)
    return sum_RC, place_RC // logits_NV.shape[1], place_RC % logits_NV.shape[1]


@pytest.mark.parametrize("vocabulary", [6, 191, 383, 384, 385, 575, 997, 3000])
@pytest.mark.parametrize("beams", [1, 5])
def test_the_highest_sums_are_found(vocabulary, beams):
    torch.manual_seed(vocabulary)
    logits_NV, shift_RK = torch.randn(7 * beams, vocabulary), torch.randn(7, beams)
    logits_NV[:, 3] = float("-inf")
    for mine, other in zip(
        highest(logits_NV, shift_RK, min(2 * beams, 5)), plain(logits_NV, shift_RK, min(2 * beams, 5)), strict=True
    ):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("place", [0, 191, 192, 959, 960, 996])
def test_the_highest_may_stand_anywhere(place):
    logits_NV = torch.zeros(2, 997)
    logits_NV[1, place] = 1.0
    (value,), (beam,), (token,) = (found[0].tolist() for found in highest(logits_NV, torch.zeros(1, 2), 1))
    assert (value, beam, token) == (1.0, 1, place)
