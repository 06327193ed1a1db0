"""What a run learns from and is looked at with: caches, sources of batches, and the plan of its steps."""

from __future__ import annotations

from dataclasses import dataclass

from tuwen.errors import DataError
from tuwen.model import CrossModal
from tuwen.train.cache import Cached
from tuwen.train.feed import Source
from tuwen.train.log import Log
from tuwen.train.optimiser import learns_norms
from tuwen.train.plan import POOL, Plan
from tuwen.train.setup import Machine, make_caches, usable, without_broken
from tuwen.types import Sample


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Batches of both parts of the data."""

    learned: Source
    held_out: Source
    plan: Plan
    """Which rows of `learned` each step sees."""
    caches: list[Cached]
    """What both read."""

    def __len__(self) -> int:
        return len(self.learned.samples) + len(self.held_out.samples)


def make_sources(
    model: CrossModal, rows: list[Sample], held_out: list[Sample], *, machine: Machine, log: Log, name: str
) -> Sources:
    """Fills the caches; rows that cannot be read are refused, or left out and counted.

    Args:
        rows: to learn from.
        held_out: to look at.
        name: of the data, in messages.
    Raises:
        DataError: a row cannot be read and data.on_error is "raise", or none is left.
    """
    every, broken, recipe = [*rows, *held_out], {}, model.recipe

    def skip(row: int, error: DataError) -> None:
        if recipe.data.on_error == "raise":
            raise error
        broken[every[row].key] = str(error)

    caches, targets = (
        make_caches(model, every, machine, log, skip, learned=len(rows), targets=targets) for targets in (False, True)
    )
    if broken:
        shown = "; ".join(list(broken.values())[:3])
        log("warning", text=f"left out {len(broken)} rows that cannot be read: {shown}", rows=sorted(broken))
    rows = usable(without_broken(rows, broken), recipe)
    if not rows:
        raise DataError(f"{name}: no training row is left; all {len(broken)} cannot be read")
    learned = Source(model, rows, caches, targets)
    plan = Plan(
        learned.lengths(),
        batch=recipe.train.batch,
        captions=recipe.data.captions,
        seed=recipe.train.seed,
        pool=1 if learns_norms(model) else POOL,
        views=1 + len(recipe.data.views),
    )
    looked_at = Source(model, without_broken(held_out, broken), caches, targets)
    return Sources(learned=learned, held_out=looked_at, plan=plan, caches=[*caches.values(), *targets.values()])
