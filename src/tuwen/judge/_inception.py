"""The Inception network of 2015, in whose features published Fréchet distances are; its weights are a file that the user has.

Source:
    Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision", arXiv:1512.00567, section 6; names and
    widths of its layers: the weights that pytorch-fid ported from TensorFlow's of 2015-12-05.
Differs:
    as those weights need it, from the paper and from the Inception v3 of torchvision: an average leaves out what lies beyond
    the edge, and the last block takes the largest in place of the average. From TensorFlow and torch-fidelity, as pytorch-fid
    does: pictures are resized by the centres of pixels and not by their corners, and white is exactly 1.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.data._picture import open_picture
from tuwen.errors import CheckpointError, ConfigError
from tuwen.judge._eyes import Glance
from tuwen.types import Picture

DIGEST = "6726825d"
"""What the SHA-256 of the published file begins with, as its name says."""
FILE = f"pt_inception-2015-12-05-{DIGEST}.pth"
HELP = (
    f"The Inception network of published numbers is the file {FILE}, which pytorch-fid takes from "
    f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
)
SIDE = 299
_AT_ONCE = 8
"""Pictures that the network sees at once."""
_HEAD = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
"""Of classes whose names are not known, and so not asked; an Inception v3 of other classes is another network."""
_BEGINNINGS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9")
"""Of files that torch writes, and that it wrote before 2020."""

Kernel = int | tuple[int, int]
Step = tuple[int, *tuple[Kernel, ...]]
"""Width and kernel of a convolution; of two kernels, both see the same and stand side by side."""
Branches = Mapping[str, Sequence[Step]]


class Conv(nn.Module):
    """A convolution, batch norm and relu; zeros around it keep the size, where `edge` is true and the stride 1."""

    def __init__(self, width: int, out: int, kernel: Kernel, *, stride: int = 1, edge: bool = True):
        super().__init__()
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (high // 2, wide // 2) if edge else 0
        self.conv = nn.Conv2d(width, out, (high, wide), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x_PCHW: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x_PCHW)), inplace=True)


class Mixed(nn.Module):
    """Branches side by side, whose channels follow one another; `branch_pool` sees what `pool` makes of the input.

    A branch of one step has its name, the steps of a longer one are numbered, and kernels side by side are a and b.
    """

    def __init__(self, width: int, branches: Branches, pool: nn.Module, *, halves: bool = False):
        """
        Args:
            halves: half of the rows and columns come out: the last step of each branch has stride 2, and what `pool` makes is
                a branch of its own.
        """
        super().__init__()
        self.pool, self.halves = pool, halves
        self.branches: dict[str, list[list[str]]] = {branch: [] for branch in branches}
        for branch, steps in branches.items():
            before = width
            for i, (out, *kernels) in enumerate(steps, 1):
                step = branch if len(steps) == 1 else f"{branch}_{i}"
                names = [step] if len(kernels) == 1 else [f"{step}a", f"{step}b"]
                last = halves and i == len(steps)
                for name, kernel in zip(names, kernels, strict=True):
                    self.add_module(name, Conv(before, out, kernel, stride=2 if last else 1, edge=not last))
                self.branches[branch].append(names)
                before = out * len(kernels)

    def forward(self, x_PCHW: Tensor) -> Tensor:
        made = [self.pool(x_PCHW)] if self.halves else []
        for branch, steps in self.branches.items():
            y_PCHW = self.pool(x_PCHW) if branch == "branch_pool" else x_PCHW
            for names in steps:
                y_PCHW = torch.cat([self.get_submodule(name)(y_PCHW) for name in names], 1)
            made.append(y_PCHW)
        return torch.cat(made[1:] + made[:1] if self.halves else made, 1)


def _mean() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def _mixed_5(width: int, pooled: int) -> Mixed:
    branches: Branches = {
        "branch1x1": [(64, 1)],
        "branch5x5": [(48, 1), (64, 5)],
        "branch3x3dbl": [(64, 1), (96, 3), (96, 3)],
        "branch_pool": [(pooled, 1)],
    }
    return Mixed(width, branches, _mean())


def _mixed_6(inner: int) -> Mixed:
    row, column = (1, 7), (7, 1)
    branches: Branches = {
        "branch1x1": [(192, 1)],
        "branch7x7": [(inner, 1), (inner, row), (192, column)],
        "branch7x7dbl": [(inner, 1), (inner, column), (inner, row), (inner, column), (192, row)],
        "branch_pool": [(192, 1)],
    }
    return Mixed(768, branches, _mean())


def _mixed_7(width: int, pool: nn.Module) -> Mixed:
    both: Step = (384, (1, 3), (3, 1))
    branches: Branches = {
        "branch1x1": [(320, 1)],
        "branch3x3": [(384, 1), both],
        "branch3x3dbl": [(448, 1), (384, 3), both],
        "branch_pool": [(192, 1)],
    }
    return Mixed(width, branches, pool)


def _halving(width: int, branches: Branches) -> Mixed:
    return Mixed(width, branches, nn.MaxPool2d(3, 2), halves=True)


class Network(nn.Sequential):
    """(P, 3, 299, 299) of -1 to 1 -> (P, 2048, 8, 8): all but its classes; the features are the mean over the places."""

    def __init__(self) -> None:
        to_6a: Branches = {"branch3x3": [(384, 3)], "branch3x3dbl": [(64, 1), (96, 3), (96, 3)]}
        to_7a: Branches = {
            "branch3x3": [(192, 1), (320, 3)],
            "branch7x7x3": [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)],
        }
        layers: dict[str, nn.Module] = {
            "Conv2d_1a_3x3": Conv(3, 32, 3, stride=2, edge=False),
            "Conv2d_2a_3x3": Conv(32, 32, 3, edge=False),
            "Conv2d_2b_3x3": Conv(32, 64, 3),
            "pool_1": nn.MaxPool2d(3, 2),
            "Conv2d_3b_1x1": Conv(64, 80, 1),
            "Conv2d_4a_3x3": Conv(80, 192, 3, edge=False),
            "pool_2": nn.MaxPool2d(3, 2),
            "Mixed_5b": _mixed_5(192, pooled=32),
            "Mixed_5c": _mixed_5(256, pooled=64),
            "Mixed_5d": _mixed_5(288, pooled=64),
            "Mixed_6a": _halving(288, to_6a),
            "Mixed_6b": _mixed_6(128),
            "Mixed_6c": _mixed_6(160),
            "Mixed_6d": _mixed_6(160),
            "Mixed_6e": _mixed_6(192),
            "Mixed_7a": _halving(768, to_7a),
            "Mixed_7b": _mixed_7(1280, _mean()),
            "Mixed_7c": _mixed_7(2048, nn.MaxPool2d(3, 1, 1)),
        }
        super().__init__(OrderedDict(layers))


class Inception:
    """The network with the weights of a file; its features are the 2048 means of its last grid.

    Raises:
        ConfigError: there is no such file, or it holds the weights of another network.
        CheckpointError: it is damaged, or no file of weights.
    """

    classes: list[str] = []

    def __init__(self, path: Path, device: str | torch.device = "cpu", *, where: str = "--features"):
        if not path.is_file():
            raise ConfigError(f"{where} {path}: there is no such file. {HELP}")
        self.model: Any
        with torch.device("meta"):
            self.model = Network()
        what = f"{where} {path}"
        self.model.load_state_dict(_fitting(_read(path, what), self.model, what), assign=True)
        self.model.to(device=device, memory_format=torch.channels_last).eval().requires_grad_(False)

    @torch.inference_mode()
    def look(self, images: Sequence[Picture]) -> Glance:
        """Features."""
        device = next(self.model.parameters()).device
        found = []
        for start in range(0, len(images), _AT_ONCE):
            pixels = [np.ascontiguousarray(open_picture(one)) for one in images[start : start + _AT_ONCE]]
            bytes_1HW3 = [torch.tensor(one, device=device)[None] for one in pixels]
            seen_P3HW = torch.cat([_seen(one.permute(0, 3, 1, 2) / 255) for one in bytes_1HW3])
            found.append(self.model(seen_P3HW).mean((2, 3)))
        return Glance(torch.cat(found).cpu().double().numpy(), [])

    def grid(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, 64, 2048) its last grid."""
        grid_PDHW: Tensor = self.model(_seen(pixels_PCHW.float().expand(-1, 3, -1, -1)))
        return grid_PDHW.flatten(2).transpose(1, 2)


def _seen(pixels_PCHW: Tensor) -> Tensor:
    """(P, C, H, W) of 0 to 1 -> (P, C, 299, 299) of -1 to 1; without antialiasing, as published numbers are made."""
    return 2 * F.interpolate(pixels_PCHW, (SIDE, SIDE), mode="bilinear", align_corners=False) - 1


def _read(path: Path, what: str) -> Any:
    """What a file of torch holds, where it holds nothing that would be run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch says of TorchScript, which is refused
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{what} cannot be read as weights: {_what_it_is(path)}. {HELP}") from error
    if DIGEST in path.name and not (digest := _digest(path)).startswith(DIGEST):
        raise CheckpointError(
            f"{what} is damaged: its SHA-256 begins with {digest[:8]}, and by its name with {DIGEST}. {HELP}"
        )
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _what_it_is(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if not head.startswith(_BEGINNINGS):
        return f"it is no file of torch, and begins with {head!r}"
    if zipfile.is_zipfile(path):
        return "it holds more than weights (TorchScript, a whole pickled model), and nothing of a file is run here"
    return f"it is truncated after {path.stat().st_size} bytes, or holds more than weights"


def _fitting(found: Any, network: nn.Module, what: str) -> dict[str, Tensor]:
    """The weights of the network, where all are there."""
    found = found if isinstance(found, Mapping) else {}
    own = {name: one.shape for name, one in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    wanted = own | _HEAD
    odd = [name for name, shape in wanted.items() if getattr(found.get(name), "shape", None) != shape]
    if set(odd) <= _HEAD.keys() and odd:
        raise ConfigError(
            f"{what} is an Inception v3 of other classes, as torchvision has one of 1000: another network, whose distances do "
            f"not compare with published ones. {HELP}"
        )
    if odd:
        raise ConfigError(
            f"{what} holds other weights: of {len(wanted)} tensors of the Inception network of 2015, {len(odd)} are lacking or "
            f"of another shape, such as {odd[0]}. {HELP}"
        )
    return {name: found[name].float() for name in own}


__all__ = ["FILE", "HELP", "Inception", "Network"]
