"""Figures that are made of sums over rows, so that a bootstrap over the rows gives their intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

DRAWS = 1000
"""Samples of a bootstrap."""
PARTS = 10
"""Parts of the rows, each of which a jackknife leaves out once."""
_WIDE = 2.262
"""Standard errors on both sides that hold 95 %, where the error is found of `PARTS` values (Student's t)."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Sums over rows, and what they give."""

    rows_NM: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    """(N, M): what each row adds to each of M sums."""
    of: Callable[[np.ndarray], dict[str, float]] = lambda sums_M: {}
    """(M,) sums -> figures."""
    more: Mapping[str, float] = field(default_factory=dict)
    """Figures without an interval."""
    keys: tuple[str, ...] = ()
    """Names of the rows, where some that were looked at may not be among them; empty: all."""

    @property
    def figures(self) -> dict[str, float]:
        """Name -> value over all rows."""
        return {**self.of(self.rows_NM.sum(0)), **self.more}

    @property
    def num_rows(self) -> int:
        return len(self.rows_NM)

    def drawn(self, times_N: np.ndarray) -> dict[str, float]:
        """Figures of a sample of the rows, given as (N,) how often each is in it."""
        return self.of(times_N @ self.rows_NM)

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Name -> 2.5 % and 97.5 % points over `DRAWS` samples of the rows, with replacement."""
        return _bounds(self.drawn(times_N) for times_N in samples(self.num_rows, seed))


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """Figures that are more than sums over rows (a ranking), of rows that count as often as they are drawn."""

    num_rows: int
    of: Callable[[np.ndarray], dict[str, float]]
    """(N,) how often each row counts -> figures."""
    more: Mapping[str, float] = field(default_factory=dict)
    """Figures without an interval."""
    keys: tuple[str, ...] = ()
    """As of `Rates`."""

    @property
    def figures(self) -> dict[str, float]:
        """Name -> value over all rows."""
        return {**(self.of(np.ones(self.num_rows)) if self.num_rows else {}), **self.more}

    def drawn(self, times_N: np.ndarray) -> dict[str, float]:
        """As `Rates.drawn`."""
        return self.of(times_N)

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """As `Rates.intervals`."""
        return _bounds(self.drawn(times_N) for times_N in samples(self.num_rows, seed))


@dataclass(frozen=True, kw_only=True)
class Jackknifed:
    """Figures that rows which count twice would change, as the distance of two clouds: each part of the rows is left out once.

    Source:
        Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 11; parts of several rows: section 11.5.
    """

    num_rows: int
    of: Callable[[np.ndarray], dict[str, float]]
    """(M,) numbers of the rows that count -> figures."""
    keys: tuple[str, ...] = ()
    """As of `Rates`."""

    @cached_property
    def figures(self) -> dict[str, float]:
        """Name -> value over all rows."""
        return self.of(np.arange(self.num_rows))

    @cached_property
    def left(self) -> list[dict[str, float]]:
        """The figures without each part; the same rows are left out of systems that have as many."""
        order = np.random.default_rng(0).permutation(self.num_rows)
        parts = np.array_split(order, PARTS)
        return [self.of(np.sort(np.concatenate([*parts[:i], *parts[i + 1 :]]))) for i in range(PARTS)]

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Name -> 95 % interval around the value."""
        found = {}
        for name, value in self.figures.items():
            left_G = np.array([one[name] for one in self.left])
            error = float(np.sqrt((PARTS - 1) * left_G.var()))
            found[name] = (value - _WIDE * error, value + _WIDE * error)
        return found


def joined(parts: Iterable[tuple[np.ndarray, Callable[[np.ndarray], dict[str, float]]]]) -> Rates:
    """Several (rows_NM, of) of the same rows as one."""
    parts = list(parts)
    ends = np.cumsum([rows_NM.shape[1] for rows_NM, _ in parts]).tolist()
    starts = [0, *ends[:-1]]

    def of(sums_M: np.ndarray) -> dict[str, float]:
        cut = zip(parts, starts, ends, strict=True)
        return {name: value for (_, of), start, end in cut for name, value in of(sums_M[start:end]).items()}

    return Rates(rows_NM=np.column_stack([rows_NM for rows_NM, _ in parts]), of=of)


Found = Rates | Weighted | Jackknifed


def paired(first: Found, second: Found) -> Weighted | Jackknifed | None:
    """Differences first - second of the figures that both have, of two systems on the same rows.

    Each sample of the bootstrap takes the same rows of both; an interval without 0 is a difference that these rows are
    enough to show.

    Returns:
        None where they have no figure in common, or are of other rows.
    Source:
        Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP, section 4.
    """
    names = _common(first, second)
    if not names or not first.num_rows or not _same_rows(first, second):
        return None

    if isinstance(first, Jackknifed) or isinstance(second, Jackknifed):
        return _apart(first, second) if isinstance(first, Jackknifed) and isinstance(second, Jackknifed) else None

    def of(times_N: np.ndarray) -> dict[str, float]:
        ours, theirs = first.drawn(times_N), second.drawn(times_N)
        return {name: ours[name] - theirs[name] for name in names if name in ours and name in theirs}

    return Weighted(num_rows=first.num_rows, of=of)


def _apart(first: Jackknifed, second: Jackknifed) -> Jackknifed:
    def of(rows_M: np.ndarray) -> dict[str, float]:
        ours, theirs = first.of(rows_M), second.of(rows_M)
        return {name: ours[name] - theirs[name] for name in ours.keys() & theirs.keys()}

    return Jackknifed(num_rows=first.num_rows, of=of)


def _common(first: Found, second: Found) -> list[str]:
    """Figures that both have; not how many there are, nor those of real pictures, which no system changes."""
    ours, theirs = first.figures, second.figures
    return [name for name in ours if name in theirs and not name.startswith("num_") and not name.endswith("_real")]


def _same_rows(first: Found, second: Found) -> bool:
    return first.num_rows == second.num_rows and (not (first.keys and second.keys) or first.keys == second.keys)


def of_other_rows(ours: Sequence[Found], theirs: Sequence[Found]) -> list[str]:
    """Figures that both systems have and that are not compared, since each is of other rows."""
    pairs = [(own, other) for own in ours for other in theirs if own.num_rows and other.num_rows]
    return [name for own, other in pairs if not _same_rows(own, other) for name in _common(own, other)]


@dataclass(frozen=True, kw_only=True)
class Beside:
    """How much better or worse another system is."""

    name: str
    """What it was called."""
    figures: dict[str, float] = field(default_factory=dict)
    """The other system's own."""
    differences: dict[str, float] = field(default_factory=dict)
    """Figure -> ours - theirs."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Figure -> 95 % interval of the difference, by paired bootstrap (of a fid by jackknife); without 0 in it, these rows are enough to show it."""


def beside(name: str, ours: Sequence[Found], theirs: Sequence[Found]) -> Beside:
    """The two compared, figure by figure.

    Args:
        name: of the other system.
        ours, theirs: what the figures of each come from, on the same rows in the same order.
    """
    found = Beside(name=name)
    for other in theirs:
        found.figures.update(other.figures)
        for own in ours:
            if (pair := paired(own, other)) is not None:
                found.differences.update(pair.figures)
                found.intervals.update(pair.intervals())
    return found


def samples(num_rows: int, seed: int = 0) -> Iterator[np.ndarray]:
    """`DRAWS` samples of the rows, as (N,) how often each is in it; none where there are no rows."""
    generator = np.random.default_rng(seed)
    for _ in range(DRAWS if num_rows else 0):
        yield np.bincount(generator.integers(0, num_rows, num_rows), minlength=num_rows)


def _bounds(drawn: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Name -> 2.5 % and 97.5 % points; a count has none."""
    found: dict[str, list[float]] = {}
    for figures in drawn:
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
    bounds = {name: np.percentile(values, (2.5, 97.5)) for name, values in found.items() if not name.startswith("num_")}
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def mean_rates(columns: Mapping[str, np.ndarray]) -> Rates:
    """Means over rows.

    Args:
        columns: figure -> (N,) its value of each row.
    """
    names = list(columns)
    rows_NM = np.column_stack([*columns.values(), np.ones(len(next(iter(columns.values()))))])
    return Rates(rows_NM=rows_NM, of=lambda sums_M: {n: float(sums_M[i] / sums_M[-1]) for i, n in enumerate(names)})


class Means:
    """Weighted means of named numbers that come batch by batch."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._weights: dict[str, float] = defaultdict(float)

    def add(self, name: str, value: float, weight: float) -> None:
        """A mean over `weight` things; what is not a number is left out."""
        if weight and not math.isnan(value):
            self._sums[name] += value * weight
            self._weights[name] += weight

    def result(self) -> dict[str, float]:
        """Name -> mean of what was added."""
        return {name: total / self._weights[name] for name, total in self._sums.items()}
