import math

import pytest
import torch

from tuwen.objective.caption import Config, caption
from tuwen.types import Batch, Decoded, Made


def test_a_hand_worked_token():
    # logits (0, log 3): probabilities 1/4 and 3/4; the targets cost log 4 and log 4/3, their mean is log(4 / sqrt 3)
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    assert caption(logits, torch.tensor([0, 1])).item() == pytest.approx(math.log(4 / math.sqrt(3)), rel=1e-6)


def test_a_decoder_that_knows_nothing_costs_the_log_of_the_vocabulary():
    assert caption(torch.zeros(3, 50), torch.tensor([0, 7, 49])).item() == pytest.approx(math.log(50), rel=1e-6)


def test_certainty_costs_nothing_and_smoothing_keeps_it_from_paying():
    sure = torch.full((1, 4), -100.0).index_fill(1, torch.tensor([2]), 100.0)
    assert caption(sure, torch.tensor([2])).item() == 0
    # a tenth of the target lies evenly on four tokens, three of which are 200 nats away: 0.1 * 3 / 4 * 200
    assert caption(sure, torch.tensor([2]), smoothing=0.1).item() == pytest.approx(15.0, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothed_loss_and_gradient_are_those_of_pytorch(smoothing):
    torch.manual_seed(0)
    logits, target = 3 * torch.randn(9, 7, requires_grad=True), torch.randint(0, 7, (9,))
    ours = caption(logits, target, smoothing=smoothing)
    theirs = torch.nn.functional.cross_entropy(logits, target, label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(2.5 * loss, logits, retain_graph=True)[0] for loss in (ours, theirs, ours)]
    torch.testing.assert_close(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])
    with torch.no_grad():
        torch.testing.assert_close(caption(logits, target, smoothing=smoothing), theirs)


def test_the_order_of_the_tokens_does_not_matter():
    logits, target = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 4, 0])
    torch.testing.assert_close(caption(logits, target), caption(logits.flip(0), target.flip(0)))


def test_bfloat16_logits_are_summed_in_float32():
    assert caption(torch.zeros(2, 5, dtype=torch.bfloat16), torch.tensor([0, 1])).dtype == torch.float32


def test_the_route_that_is_named_is_read():
    made = Made(routes={"answer": Decoded(torch.zeros(2, 4), torch.tensor([1, 2]))})
    assert Config().build()(made, Batch(["a"], {})).values == {}
    found = Config(route="answer").build()(made, Batch(["a"], {})).values
    assert found["caption"].item() == pytest.approx(math.log(4), rel=1e-6)
