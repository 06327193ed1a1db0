"""Which rows and captions each step sees: a pure function of (seed, step), so that a killed run goes on exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuwen.data._config import Captions

Item = tuple[int, int]
"""(row, number of the caption); the caption is -1 where all of them are taken, or the row has none."""

Lost = tuple[float, int]
"""Share of the words of a caption that are left out, and the seed that chooses them."""

WHOLE = 100_000
"""Rows that `longest_first` reads whole. What belongs to which thing is learned from texts that name everything, and much later
where other texts come from the start."""
_OTHERS = 4
"""Epochs, in one of which a row reads another caption after that."""
_SHORTENED, _MOST = 0.5, 0.75
"""Share of the captions that say less then, and the most of its words that one loses."""
POOL = 16
"""Batches' worth of rows that are sorted by length together: long enough for little padding, short enough to stay random."""


class Plan:
    """Batches of rows, bucketed by the length of their captions where that does no harm.

    Args:
        lengths: for each row the length of each of its captions, in any unit.
        batch: rows of a batch; fewer where the data has fewer.
        captions: one: a different caption of a row each epoch, in turn; detailed: the longest each epoch beside one in turn;
            longest_first: the longest, until that is known well, then in three epochs of four, between them one in turn,
            and some are shortened; all: every caption each epoch.
        seed: of the order.
        pool: batches' worth of rows that are sorted by length together; 1: none. A model with batch norms takes 1: rows of
            one length look alike (short captions, few things to see), and what sets them apart from the others vanishes
            in a norm over them alone, in training but not in use.
        views: views of each picture, of which a step sees one.
    """

    def __init__(
        self,
        lengths: Sequence[Sequence[int]],
        *,
        batch: int,
        captions: Captions,
        seed: int,
        pool: int = POOL,
        views: int = 1,
    ):
        self.lengths, self.captions, self.seed, self.pool, self.num_views = lengths, captions, seed, pool, views
        self.batch = min(batch, len(lengths))
        self.steps_per_epoch = len(lengths) // self.batch if lengths else 0
        self._first = np.random.default_rng([seed, 0]).integers(0, 1 << 30, len(lengths))
        self._epoch = -1
        self._batches: list[list[Item]] = []

    def items(self, step: int) -> list[Item]:
        """The rows of one step, counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._of_epoch(epoch)
        return self._batches[place]

    def views(self, step: int) -> list[int]:
        """For each row of a step the view of its pictures that it sees, counted from 0: the picture itself."""
        rng = np.random.default_rng([self.seed, 2, step])
        views: list[int] = rng.integers(0, self.num_views, self.batch).tolist()
        return views

    def lost(self, step: int) -> list[Lost]:
        """What each row of a step loses of its caption; nothing at all: an empty list."""
        if self.captions != "longest_first" or self._whole(step // self.steps_per_epoch):
            return []
        rng = np.random.default_rng([self.seed, 3, step])
        share_B = rng.random(self.batch) * _MOST * (rng.random(self.batch) < _SHORTENED)
        return list(zip(share_B.tolist(), rng.integers(1 << 30, size=self.batch).tolist(), strict=True))

    def _of_epoch(self, epoch: int) -> list[list[Item]]:
        rng = np.random.default_rng([self.seed, 1, epoch])
        order = rng.permutation(len(self.lengths))
        items = [(int(row), self._caption(int(row), epoch)) for row in order]
        items = items[: self.steps_per_epoch * self.batch]
        batches = []
        for start in range(0, len(items), self.pool * self.batch):
            pool = items[start : start + self.pool * self.batch]
            pool = sorted(pool, key=self._length) if self.pool > 1 else pool
            batches += [pool[i : i + self.batch] for i in range(0, len(pool), self.batch)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _caption(self, row: int, epoch: int) -> int:
        lengths, turn = self.lengths[row], int(self._first[row]) + epoch
        if self.captions == "all" or not lengths:
            return -1
        if self.captions == "longest_first":
            turn, part = divmod(turn, _OTHERS)
            if part or self._whole(epoch):
                return max(range(len(lengths)), key=lengths.__getitem__)
        return turn % len(lengths)

    def _whole(self, epoch: int) -> bool:
        """Whether an epoch reads the longest captions alone, as they are."""
        return epoch * self.steps_per_epoch * self.batch < WHOLE

    def _length(self, item: Item) -> int:
        row, caption = item
        alone = self.captions in ("one", "longest_first") and caption >= 0
        return self.lengths[row][caption] if alone else max(self.lengths[row], default=0)
