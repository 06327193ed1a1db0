"""Linear layers in bfloat16 within a network that is float32, their weights as oneDNN reads them: few rows times large weights
would take up to twice the time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Laid(nn.Module):
    """A linear layer that is only read, in bfloat16, with a GELU after it where told.

    torch lays weights out anew for every product; on a CPU it is done once, and bias and GELU are computed within the product.
    The GELU is a whole one: it differs from the tanh form by less than bfloat16 does, and takes a quarter of the time.
    """

    def __init__(self, linear: nn.Linear, *, gelu: bool = False):
        super().__init__()
        self.gelu = gelu
        self.weight_OD = linear.weight.detach().to(torch.bfloat16)
        self.bias_O = None if linear.bias is None else linear.bias.detach().to(torch.bfloat16)
        self.laid: Tensor | None = None
        try:
            self.laid = torch.ops.mkldnn._reorder_linear_weight(self.weight_OD)
            self(linear.weight.new_zeros(1, linear.in_features))
        except (AttributeError, RuntimeError):  # this torch or this processor cannot
            self.laid = None

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., O) in bfloat16."""
        x = x.to(torch.bfloat16)
        if self.laid is None:
            y = F.linear(x, self.weight_OD, self.bias_O)
            return F.gelu(y) if self.gelu else y
        done: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self.laid, self.bias_O, "gelu" if self.gelu else "none", [], "none"
        )
        return done

    def __deepcopy__(self, memo: Any) -> Laid:
        return self  # nothing in it changes


@torch.no_grad()
def lay_out(module: nn.Module) -> None:
    """Replaces every linear layer of a module, and the GELU after it."""
    for part in list(module.modules()):
        children = dict(part.named_children())
        for name, after in pairwise([*children, ""]):
            one = children[name]
            if isinstance(one, nn.Linear):
                gelu = isinstance(part, nn.Sequential) and isinstance(children.get(after), nn.GELU)
                setattr(part, name, Laid(one, gelu=gelu))
                if gelu:
                    setattr(part, after, nn.Identity())
