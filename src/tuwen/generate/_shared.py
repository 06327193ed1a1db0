"""Rows shared out among cores: the products of one token are small, and several threads gain little within them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from tuwen.decode._text import Steps
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent

_LEAST = 8
"""Rows below which a core of its own does not pay."""

Write = Callable[[Steps, Latent, Emit | None, Cancelled | None], list[list[Written]]]


def shared(
    write: Write, decoder: Steps, latent: Latent, emit: Emit | None, cancelled: Cancelled | None
) -> list[list[Written]]:
    """What `write` makes of each row of a latent, whose rows do not depend on each other.

    On a CPU each of torch's threads takes a part of the rows, and `write` is called in several threads at once; not where
    texts are followed while they come.
    """
    threads = torch.get_num_threads()
    parts = min(threads, len(latent) // _LEAST) if latent.pooled.device.type == "cpu" and emit is None else 1
    if parts < 2:
        return write(decoder, latent, emit, cancelled)
    some = [latent.rows(rows) for rows in torch.arange(len(latent)).chunk(parts)]
    try:
        with ThreadPoolExecutor(parts, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            found = list(pool.map(lambda one: write(decoder, one, None, cancelled), some))
    finally:
        torch.set_num_threads(threads)  # new threads of the process take over what was set last
    return [texts for part in found for texts in part]
