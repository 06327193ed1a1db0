"""The likelihood of codes: by hand, at its limits, and as torch computes it."""

import math

import pytest
import torch

from tuwen.objective.codes import Config, codes
from tuwen.types import Batch, Decoded, Made


def test_by_hand():
    """Two codes of probability 1/4 and 3/4: (ln 4 + ln 4/3) / 2 = (1.3863 + 0.2877) / 2."""
    logits_PTK = torch.tensor([[[1.0, 3.0], [1.0, 3.0]]]).log()
    assert codes(logits_PTK, torch.tensor([[0, 1]])).item() == pytest.approx(0.8370, abs=1e-4)


def test_one_that_knows_nothing_pays_the_logarithm_of_their_number():
    assert codes(torch.zeros(3, 5, 64), torch.randint(0, 64, (3, 5))).item() == pytest.approx(math.log(64), abs=1e-5)


def test_the_order_of_pictures_does_not_matter():
    torch.manual_seed(0)
    logits, target = torch.randn(4, 3, 7), torch.randint(0, 7, (4, 3))
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(codes(logits[order], target[order]), codes(logits, target))


def test_it_is_the_mean_of_the_logarithms():
    torch.manual_seed(0)
    logits, target = torch.randn(4, 3, 7), torch.randint(0, 7, (4, 3))
    chosen = torch.distributions.Categorical(logits=logits).log_prob(target)
    torch.testing.assert_close(codes(logits, target), -chosen.mean())


def test_it_reads_its_route():
    decoded = Decoded(torch.zeros(1, 2, 4), torch.tensor([[1, 3]]))
    terms = Config(route="paint").build()(Made(routes={"paint": decoded}), Batch(["a"], {}))
    assert terms.values["codes"].item() == pytest.approx(math.log(4))
    assert not Config().build()(Made(routes={"paint": decoded}), Batch(["a"], {})).values
