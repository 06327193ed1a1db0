"""Pictures that are made again, or made from other fields, against what they should be.

Figures, means over the pictures; of a route from anything but the picture alone with the name of the route before them:
    mse: squared error of a pixel, 0 to 1; psnr in dB; ssim, -1 to 1.
Chance: the mean of the pictures in place of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tuwen.judge._rates import Rates, mean_rates
from tuwen.metric.reconstruction import errors
from tuwen.types import Batch, Decoded, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal

_SHOWN = ("mse", "psnr", "ssim")
_KEPT = 2_000
"""Pictures whose mean is what chance makes, and that are compared with it."""


def able(model: CrossModal) -> bool:
    """Whether a route makes whole pictures."""
    return bool(_routes(model))


def _routes(model: CrossModal) -> dict[str, str]:
    """Route -> what stands before the names of its figures."""
    pixelwise = {field for field, part in model.decoders.items() if getattr(part, "pixelwise", False)}
    return {
        name: "" if route.given == ("image",) and route.make == "image" else f"{name}_"
        for name, route in model.routes.items()
        if route.make in pixelwise
    }


class Judge:
    """Collects the errors of each picture."""

    less: tuple[str, ...] = ("mse",)
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, self.routes = model, _routes(model)
        self.less = tuple(f"{before}mse" for before in self.routes.values())
        self.errors: dict[str, list[dict[str, Tensor]]] = {name: [] for name in self.routes}
        self.targets: dict[str, list[Tensor]] = {name: [] for name in self.routes}
        self.found: dict[str, dict[str, Any]] = {}

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        for name, before in self.routes.items():
            decoded = made.routes.get(name)
            if decoded is None:
                continue
            owner = self._batch_rows(made, name, decoded)
            rows = list(dict.fromkeys(owner))
            found = {n: _of_rows(one, owner, rows) for n, one in errors(decoded.prediction, decoded.target).items()}
            self.errors[name].append(found)
            if sum(map(len, self.targets[name])) < _KEPT:
                target = decoded.target[[owner.index(row) for row in rows]]
                self.targets[name].append((target * 255).round().to(torch.uint8).cpu())
            for row, mse in zip(rows, found["mse"].tolist(), strict=True):
                key = batch.keys[row]
                self.found.setdefault(key, {"key": key})[f"{before}mse"] = round(mse, 6)

    def _batch_rows(self, made: Made, name: str, decoded: Decoded) -> list[int]:
        """The batch row of each picture that was made."""
        route = self.model.routes[name]
        latent = made.latents[name if route.fuse else route.given[0]]
        owner_P = torch.arange(len(decoded.target)) if decoded.owner_P is None else decoded.owner_P
        return (owner_P if latent.owner_P is None else latent.owner_P[owner_P]).tolist()

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """Errors of each route, with those of the mean picture."""
        for name, before in self.routes.items():
            if self.errors[name]:
                found = {n: torch.cat([one[n] for one in self.errors[name]]).numpy() for n in _SHOWN}
                chance = _of_mean(torch.cat(self.targets[name]))
                yield (
                    mean_rates({before + n: value for n, value in found.items()}),
                    {before + n: value for n, value in chance.items()},
                )

    def rows(self) -> list[dict[str, Any]]:
        """One a picture: key, and the squared error of each route."""
        return list(self.found.values())


def _of_rows(error_P: Tensor, owner: list[int], rows: list[int]) -> Tensor:
    """(R,) the mean error of each row: several captions of it may each have been made a picture of."""
    if len(rows) == len(owner):
        return error_P
    place_P = torch.tensor([rows.index(row) for row in owner], device=error_P.device)
    return error_P.new_zeros(len(rows)).index_add(0, place_P, error_P) / place_P.bincount(minlength=len(rows))


def _of_mean(target_PCHW: Tensor) -> dict[str, float]:
    """Errors of the mean picture, of bytes."""
    target = target_PCHW.float() / 255
    found = errors(target.mean(0, keepdim=True).expand_as(target), target)
    return {name: float(np.mean(found[name].numpy())) for name in _SHOWN}
