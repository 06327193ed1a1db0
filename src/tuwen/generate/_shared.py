"""Rows shared out among cores: the products of one token are small, and several threads gain little within them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

import torch
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent

_LEAST = 8
"""Rows below which a core of its own does not pay."""

T = TypeVar("T")
Told = Callable[[int, int], None]
"""Called with the steps that are done and all of them; may raise, which ends the work."""
Write = Callable[[Steps, Latent, Emit | None, Cancelled | None], list[list[Written]]]


def shared(
    write: Write, decoder: Steps, latent: Latent, emit: Emit | None, cancelled: Cancelled | None
) -> list[list[Written]]:
    """What `write` makes of each row of a latent, whose rows do not depend on each other; not shared out where texts are
    followed while they come."""
    if emit is not None:
        return write(decoder, latent, emit, cancelled)
    found = by_cores(lambda rows: write(decoder, latent.rows(rows), None, cancelled), latent)
    return [texts for part in found for texts in part]


def by_cores(work: Callable[[Tensor], T], latent: Latent, least: int = _LEAST) -> list[T]:
    """What comes of parts of the rows of a latent, in their order.

    On a CPU each of torch's threads takes a part, and `work` is called in several threads at once, each with one of its own
    and under the autocast of the caller.

    Args:
        work: takes the (R,) numbers of rows.
        least: rows that a part has at least.
    """
    threads, every = torch.get_num_threads(), torch.arange(len(latent), device=latent.pooled.device)
    parts = min(threads, len(latent) // least) if latent.pooled.device.type == "cpu" else 1
    if parts < 2:
        return [work(every)]
    cast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def part(row_R: Tensor) -> T:
        with torch.autocast("cpu", dtype=dtype, enabled=cast):  # a thread has none of its own
            return work(row_R)

    try:
        with ThreadPoolExecutor(parts, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(part, every.chunk(parts)))
    finally:
        torch.set_num_threads(threads)  # new threads of the process take over what was set last


class _Over(Exception):
    """Other rows are not wanted any more."""


def in_steps(work: Callable[[Tensor, Told], T], latent: Latent, told: Told | None, least: int = _LEAST) -> list[T]:
    """As `by_cores`, of work that tells of its steps: the first part is heard, and the others end where telling raises."""
    over = Event()

    def part(rows_R: Tensor) -> T:
        def tell(step: int, steps: int) -> None:
            if rows_R[0] == 0 and told:
                try:
                    told(step, steps)
                except BaseException:
                    over.set()
                    raise
            elif over.is_set():
                raise _Over

        return work(rows_R, tell)

    return by_cores(part, latent, least)
