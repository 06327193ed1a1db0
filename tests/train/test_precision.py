"""The random generators of a run can be put back."""

import torch

from tuwen.train.precision import random_states, set_random_states


def test_the_random_generators_come_back():
    states = random_states(torch.device("cpu"))
    first = torch.rand(3)
    assert not torch.equal(first, torch.rand(3))
    set_random_states({**states, "random.cuda": torch.ones(1)}, torch.device("cpu"))
    assert torch.equal(first, torch.rand(3))
