"""Folding computes the same, and falls back where it would not."""

import torch
from torch import Tensor, nn

from tuwen.encode._fold import folded


class Plain(nn.Module):
    """A convolution, its batch norm and an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class ReadsTwice(Plain):
    """Also reads what went into the activation, as networks with the activation first do."""

    def forward(self, x: Tensor) -> Tensor:
        before = self.norm(self.conv(x))
        return self.act(before) + before


class OtherOrder(Plain):
    """The norm is not where it seems to be."""

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.act(self.conv(x)))


def trained(model: nn.Module) -> nn.Module:
    model.train()
    for _ in range(3):
        model(3 * torch.randn(4, 3, 8, 8) + 1)
    return model.eval()


def fold(model: nn.Module) -> tuple[nn.Module, Tensor, Tensor]:
    x = torch.randn(2, 3, 8, 8)
    fast = folded(model, x[:1], lambda network, pixels: network(pixels))
    with torch.no_grad():
        return fast, model(x), fast(x)


def test_a_batch_norm_is_folded_and_the_activation_works_in_place() -> None:
    fast, there, here = fold(model := trained(Plain()))
    assert isinstance(fast.norm, nn.Identity) and fast.act.inplace and not model.act.inplace
    torch.testing.assert_close(there, here)


def test_an_activation_whose_input_is_read_again_is_not_in_place() -> None:
    fast, there, here = fold(trained(ReadsTwice()))
    assert isinstance(fast.norm, nn.Identity) and not fast.act.inplace
    torch.testing.assert_close(there, here)


def test_a_network_that_runs_in_another_order_is_left_alone() -> None:
    model = trained(OtherOrder())
    assert fold(model)[0] is model
