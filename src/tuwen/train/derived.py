"""What frozen parts make of a field, made once for all steps: the targets of a decoder of a derived field."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from tuwen.model import CrossModal
from tuwen.train.feed import Source
from tuwen.train.log import Log
from tuwen.train.precision import Machine
from tuwen.types import Route, base_of

_ROWS = 64


class Derived:
    """Values of a derived field, in memory: the codes of a picture are a hundredth of its pixels.

    Args:
        places: key of a sample -> number of its value, then those of the other views of its picture.
        values: (P, ...) whole numbers, or floats that half precision holds.
    """

    encoded = bound = False

    def __init__(self, places: Mapping[str, list[int]], values: Tensor):
        self.places = places
        self.values = values.half() if values.is_floating_point() else values.int()

    def place(self, key: str, view: int = 0) -> int:
        """Number of the value of a sample; of one of its views, counted from 1."""
        return self.places[key][view]

    def read(self, places: Sequence[int]) -> Tensor:
        """(P, ...) the values of these numbers."""
        values = self.values[torch.tensor(places)]
        return values.float() if values.is_floating_point() else values.long()


def derivable(model: CrossModal, routes: Iterable[Route]) -> list[str]:
    """Derived fields that the routes make, of parts that do not learn: the same at every step."""
    parts = model.parts()
    fields = dict.fromkeys(route.make for route in routes if route.make and route.make != base_of(route.make))
    makers = {field: [f"{section}.{base_of(field)}" for section in ("encode", "space")] for field in fields}
    return [field for field in fields if all(parts[place].resting for place in makers[field] if place in parts)]


@torch.no_grad()
def derive(
    model: CrossModal, field: str, learned: Source, held_out: Source, *, views: int, machine: Machine, log: Log
) -> Derived:
    """Makes a derived field of all rows.

    Args:
        learned, held_out: read the field that it is derived from.
        views: of the pictures that are learned from.
    """
    passes = [(source, view) for source, num in ((learned, views), (held_out, 1)) for view in range(num)]
    whole, done, began = sum(len(source.samples) for source, _ in passes), 0, time.perf_counter()
    places: dict[str, list[int]] = {}
    values: list[Tensor] = []
    model.eval()
    for source, view in passes:
        for start in range(0, len(source.samples), _ROWS):
            rows = range(start, min(start + _ROWS, len(source.samples)))
            batch = source.batch([(row, -1) for row in rows], [view] * len(rows)).to(machine.device)
            if feed := batch.inputs.get(base_of(field)):
                with machine.autocast():
                    made = model.derived(field, model.latent(base_of(field), feed))
                for row, value in zip(made.owner_P.tolist(), made.data.cpu(), strict=True):
                    places.setdefault(batch.keys[row], []).append(len(values))
                    values.append(value)
            done += len(rows)
            rate = done / max(1e-9, time.perf_counter() - began)
            log("cache", keep=done == whole, field=field, done=done, of=whole, rows_per_s=round(rate, 1))
    return Derived(places, torch.stack(values) if values else torch.empty(0, dtype=torch.int32))
