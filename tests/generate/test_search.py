"""Finding the best continuations in folded rows gives what looking at every one gives; rounded logits are looked at again."""

import pytest
import torch

from tuwen.generate._search import Search, highest
from tuwen.generate.beam import Config


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


class Writer:
    bos, eos, max_tokens = 1, 2, 9


@pytest.mark.parametrize("vocabulary", [6, 500])
@pytest.mark.parametrize("beams", [1, 3])
def test_candidates_that_are_asked_again_are_those_of_exact_logits(vocabulary, beams):
    """Some of the best are wrong at first, and with them what their beams divide by."""
    generator = torch.Generator().manual_seed(vocabulary + beams)
    exact_NV = 2 * torch.randn(4 * beams, vocabulary, generator=generator)
    rough_NV = exact_NV.clone()
    total_RK = torch.randn(4, beams, generator=generator)
    wrong_RC = (exact_NV.view(4, -1) + total_RK.repeat_interleave(vocabulary, 1)).topk(2 * beams)[1]
    rough_NV.view(4, -1).scatter_add_(1, wrong_RC, 0.2 * torch.randn(wrong_RC.shape, generator=generator))
    rough_NV[:, :4] = exact_NV[:, :4]  # what is never written is not asked for

    def again(beam_RC, token_RC):
        return exact_NV.view(4, -1).gather(1, beam_RC * vocabulary + token_RC)

    def candidates(logits_NV, again):
        search = Search(Config(beams=beams), Writer(), 4, torch.device("cpu"))
        search.total_RK = total_RK
        return search._candidates(logits_NV, None, again)

    expected = candidates(exact_NV, None)
    for mine, other in zip(candidates(rough_NV, again), expected, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=0)
    assert not torch.allclose(candidates(rough_NV, None)[0], expected[0], atol=1e-2)
