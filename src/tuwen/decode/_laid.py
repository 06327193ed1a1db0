"""Linear layers whose weights lie as oneDNN reads them: few rows times large weights take up to half of the time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn


class Laid(nn.Module):
    """A linear layer that is only read, with a GELU after it where told.

    torch lays weights out anew for every product; here it is done once, and bias and GELU are computed within the product.

    Raises:
        AttributeError, RuntimeError: this torch or this processor cannot.
    """

    def __init__(self, linear: nn.Linear, gelu: nn.GELU | None = None):
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight)
        self.bias_O = None if linear.bias is None else linear.bias.detach()
        self.then: tuple[str, list[float], str] = ("gelu", [], gelu.approximate) if gelu else ("none", [], "")
        self(linear.weight.new_zeros(1, linear.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., O)."""
        done: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias_O, *self.then)
        return done

    def __deepcopy__(self, memo: Any) -> Laid:
        return self  # nothing in it changes


@torch.no_grad()
def lay_out(module: nn.Module) -> None:
    """Replaces every linear layer of a module on a CPU, and the GELU after it; where a machine cannot, nothing changes."""
    for part in list(module.modules()):
        children = dict(part.named_children())
        for name, after in pairwise([*children, ""]):
            one = children[name]
            if not isinstance(one, nn.Linear) or one.weight.device.type != "cpu":
                continue
            follows = children.get(after)
            gelu = follows if isinstance(part, nn.Sequential) and isinstance(follows, nn.GELU) else None
            try:
                setattr(part, name, Laid(one, gelu))
            except (AttributeError, RuntimeError):
                return
            if gelu is not None:
                setattr(part, after, nn.Identity())
