"""Rows -> batches for the loop: cached fields from their memory maps, the rest by the parts' `prepare`, one step ahead."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from tuwen.data._collate import collate
from tuwen.data._words import count_words
from tuwen.judge._drawn import seed_of
from tuwen.model import CrossModal
from tuwen.train.plan import Item, Lost, Plan
from tuwen.types import Batch, Feed, Route, Sample, base_of

_LONG = 8
"""Words from which on a text says several things, and can say fewer."""
_RUN = 4
"""Words of a run that is left out, on average: few enough for what is said of a thing, so that a colour rarely loses its noun."""
_CLAUSE, _ENDS = re.compile(r".+?(?:[,;:.!?](?=\s)|[，、；：。！？]|$)", re.DOTALL), " ,;:，、；："
"""A clause with its mark, and marks that no text ends with."""
_CLAUSES, _MISSING = 0.75, 0.25
"""Share of the texts of several clauses of which some are kept, and the most of their words that are gone then."""


class Stored(Protocol):
    """Where values of a field lie that were made before."""

    encoded: bool
    bound: bool
    """Whether each value belongs to the noise that its row's key is the seed of."""

    @property
    def places(self) -> Mapping[str, list[int]]: ...
    def place(self, key: str, view: int = 0) -> int: ...
    def read(self, places: Sequence[int]) -> torch.Tensor: ...


class Source:
    """One part of the data as batches.

    Args:
        samples: the rows.
        caches: field -> where its pictures or features lie.
        targets: field -> where the pixels lie that its decoder is to make.
        routes: what is made from what: fields that none of them reads or makes are left out; None: all are taken.
    """

    def __init__(
        self,
        model: CrossModal,
        samples: Sequence[Sample],
        caches: Mapping[str, Stored],
        targets: Mapping[str, Stored] | None = None,
        routes: Mapping[str, Route] | None = None,
    ):
        self.samples, self.options = samples, model.recipe.data
        stored = targets or {}
        read, made = set(model.encoders), set(model.decoders)
        if routes is not None:
            made = {route.make for route in routes.values() if route.make}
            # what is derived from a field, and was not before, is made from that field in the step
            read = {field for route in routes.values() for field in route.given}
            read |= {base_of(field) for field in made - {base_of(field) for field in made} - stored.keys()}
        self.caches = {field: cache for field, cache in caches.items() if field in read}
        self.target_caches = {field: cache for field, cache in stored.items() if field in made}
        self.inputs = {field: part for field, part in model.encoders.items() if field in read - caches.keys()}
        self.targets = {
            field: part
            for field, part in model.decoders.items()
            if field in made - stored.keys() and field == base_of(field)
        }

    def lengths(self) -> list[list[int]]:
        """Characters of each caption of each row."""
        return [[len(text) for text in sample.fields.get("text") or ()] for sample in self.samples]

    def batch(self, items: Sequence[Item], views: Sequence[int] = (), lost: Sequence[Lost] = ()) -> Batch:
        """The rows of `items` on the CPU; a caption number of -1 takes all captions of its row.

        Args:
            views: for each row which of the cached views of its pictures is taken; empty: the pictures themselves.
            lost: for each row what its caption loses; empty: nothing.
        """
        chosen = [self._with_caption(*item, lost[i] if lost else None) for i, item in enumerate(items)]
        batch = collate(chosen, self.inputs, self.targets, options=self.options)
        for feeds, caches in ((batch.inputs, self.caches), (batch.targets, self.target_caches)):
            for field, cached in caches.items():
                rows = [
                    (i, cached.place(sample.key, views[i] if views else 0))
                    for i, sample in enumerate(chosen)
                    if sample.key in cached.places
                ]
                owner_P = torch.tensor([i for i, _ in rows], dtype=torch.int64)
                batch.present[field] = torch.zeros(len(chosen), dtype=torch.bool).index_fill(0, owner_P, True)
                if rows:
                    keys = [chosen[i].key for i, _ in rows]
                    seed_P = torch.tensor([seed_of(key) for key in keys]) if cached.bound else None
                    data = cached.read([p for _, p in rows])
                    feeds[field] = Feed(data, owner_P, encoded=cached.encoded, seed_P=seed_P)
        return batch

    def _with_caption(self, row: int, caption: int, lost: Lost | None) -> Sample:
        sample = self.samples[row]
        if caption < 0:
            return sample
        texts = sample.fields["text"]
        chosen = [texts[caption]]
        if self.options.captions == "detailed" and (longest := max(texts, key=len)) != chosen[0]:
            chosen.insert(0, longest)
        if lost and lost[0]:
            chosen = [shortened(text, *lost) for text in chosen]
        return replace(sample, fields={**sample.fields, "text": chosen})

    def in_order(self, rows: int, limit: int = 0) -> Iterator[Batch]:
        """All rows (or `limit` of them) with all their captions, `rows` at a time."""
        items = [(row, -1) for row in spread(len(self.samples), limit)]
        for start in range(0, len(items), rows):
            yield self.batch(items[start : start + rows])


class Ahead:
    """Batches of a plan, made by a thread while the step before is computed."""

    def __init__(self, source: Source, plan: Plan, depth: int = 2):
        self.source, self.plan, self.depth = source, plan, depth
        self._pool = ThreadPoolExecutor(1)
        self._made: dict[int, Future[Batch]] = {}

    def take(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        for wanted in range(step, step + self.depth):
            if wanted not in self._made:
                seen = self.plan.items(wanted), self.plan.views(wanted), self.plan.lost(wanted)
                self._made[wanted] = self._pool.submit(self.source.batch, *seen)
        return self._made.pop(step).result()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def spread(num: int, limit: int = 0) -> list[int]:
    """Numbers below `num`, in order: `limit` of them, evenly apart, since rows often stand sorted by class; 0: all.

    Example:
        >>> spread(10, 4), spread(3, 4)
        ([0, 2, 5, 7], [0, 1, 2])
    """
    count = min(limit or num, num)
    return [i * num // count for i in range(count)]


def shortened(text: str, share: float, seed: int) -> str:
    """A text that says less; one that is short already stays as it is.

    Mostly one of its clauses or several in a row, from which a few words are gone; else, and where it has but one, all of it
    without some runs of words.

    Args:
        share: of the words, that such runs take away on average; above 0.

    Example:
        >>> shortened("a red star at the left and a blue circle", 0.5, seed=6)
        'a red star at the left and a blue'
        >>> shortened("a red star at the left, a blue circle, the star is left of the circle", 0.5, seed=3)
        'a red star at the left'
    """
    if count_words(text) < _LONG:
        return text
    rng = np.random.default_rng(seed)
    clauses = [clause for clause in _CLAUSE.findall(text) if clause.strip(_ENDS)]
    if len(clauses) > 1 and rng.random() < _CLAUSES:
        first = rng.integers(len(clauses))
        last = first if rng.random() < 0.5 else rng.integers(first, len(clauses))
        words = "".join(clauses[first : last + 1]).rstrip(_ENDS).split()
        kept = rng.random(len(words)) >= rng.random() * _MISSING
    else:
        words = text.split()
        kept = ~_runs(len(words), share, rng)
    return " ".join(itertools.compress(words, kept)) or words[0]


def _runs(num: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """(num,) whether each word is in a run that is left out."""
    odds = share / (1.0 - share)
    run = max(_RUN, odds)
    out, all_out = rng.random() < share, list[bool]()
    for chance in rng.random(num):
        all_out.append(out)
        out = bool(chance < (1.0 - 1.0 / run if out else odds / run))  # in the long run `share` of all
    return np.array(all_out)


def cut(batch: Batch, parts: int) -> list[Batch]:
    """A batch as several of consecutive rows, the last one smaller where they do not divide."""
    if parts <= 1:
        return [batch]
    size = math.ceil(len(batch) / parts)
    return [_rows(batch, start, min(start + size, len(batch))) for start in range(0, len(batch), size)]


def _rows(batch: Batch, start: int, end: int) -> Batch:
    def part(feeds: Mapping[str, Feed]) -> dict[str, Feed]:
        picked = {}
        for name, feed in feeds.items():
            here_P = (feed.owner_P >= start) & (feed.owner_P < end)
            data, owner_P = feed.data[here_P], feed.owner_P[here_P] - start
            mask, seed_P = (None if more is None else more[here_P] for more in (feed.mask, feed.seed_P))
            if mask is not None and mask.any():  # as long as the longest of these
                longest = int(mask.any(0).nonzero().max()) + 1
                data, mask = data[:, :longest], mask[:, :longest]
            picked[name] = replace(feed, data=data, mask=mask, owner_P=owner_P, seed_P=seed_P)
        return picked

    rows = slice(start, end)
    present = {name: flags[rows] for name, flags in batch.present.items()}
    return Batch(batch.keys[rows], part(batch.inputs), part(batch.targets), present, batch.raw[rows])
