"""Judging a model: one pass over batches gives every figure that the model and the data allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuwen import registry
from tuwen.judge._asked import Asked
from tuwen.judge._drawn import Drawn
from tuwen.judge._rates import Means
from tuwen.model import CrossModal
from tuwen.task._asking import asking
from tuwen.task._writing import build, check_matchers
from tuwen.types import Batch, Picture

if TYPE_CHECKING:
    from tuwen.judge._eyes import Eyes


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a model is worth on some rows."""

    figures: dict[str, float]
    """Name -> value; see `evaluate`."""
    chance: dict[str, float] = field(default_factory=dict)
    """Figure -> what a model that knows nothing of its input would reach."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Figure -> 95 % interval over the rows, by bootstrap; empty unless asked for."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """One a row that was looked at, by `key`: what each judge has to say of it (caption, references, label, ...)."""
    tables: dict[str, Any] = field(default_factory=dict)
    """What lies between figures and rows, by name: figures of each class, which class is taken for which."""
    less: frozenset[str] = frozenset()
    """Figures of which the smallest is the best: the loss, the terms of objectives, and what judges say."""
    num_rows: int = 0
    """Rows that were looked at."""
    rates: list[Any] = field(default_factory=list)
    """What the figures come from, for comparisons on the same rows."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the figures has to know: rows that count otherwise than usual, metrics that failed."""
    drawn: dict[str, Picture] = field(default_factory=dict)
    """Key of a row -> the picture that was drawn for it."""


def evaluate(
    model: CrossModal,
    batches: Iterable[Batch],
    *,
    method: Any = None,
    objectives: Mapping[str, Any] | None = None,
    weight: Mapping[str, float] | None = None,
    shuffled: bool = True,
    bootstrap: bool = False,
    known: Sequence[str] = (),
    gallery: int = 0,
    unsure: bool = False,
    eyes: Eyes | None = None,
    draws: int = 0,
    drawing: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Runs the model once over the batches and computes what it can; each field is encoded once.

    Args:
        batches: with all captions as targets and their raw samples; moved to the model's device.
        method: Config of `tuwen.generate` that writes the captions; beam search with 5 beams if None.
        objectives: name -> built objective; if None, those of the recipe that say something outside of training.
        weight: term -> its weight in the loss; the recipe's if None.
        shuffled: also judges what the model makes and how surely when it is shown the picture of another row.
        bootstrap: also gives 95 % intervals, and looks at all rows where a look takes long.
        known: captions of the training part, for the share of captions that are copies of them.
        gallery: pictures that are looked through at once in retrieval; 0: all.
        unsure: rows also say what a confidence is fitted on (`tuwen.judge._sure.calibrate`).
        eyes: networks that compare drawn pictures with real ones (`tuwen.judge._eyes`).
        draws: rows that a picture is drawn for, the first ones; 0: all.
        drawing: options of `draw` that they are drawn with.
    Returns:
        figures: loss, each objective's terms and what it reports (means over the rows, teacher-forced), and those of
        every judge that is able to judge the model; the files of `judge/` say which.
    """
    if objectives is None:
        every = {name: config.build() for name, config in model.recipe.objective.items()}
        objectives = {name: one for name, one in every.items() if not getattr(one, "in_training_only", False)}
    if method is None:
        from tuwen.generate.beam import Config as Beam

        method = Beam()
    check_matchers(model, method)
    asked = Asked(
        method=build(model, method), shuffled=shuffled, quick=not bootstrap, known=known, gallery=gallery, unsure=unsure,
        eyes=eyes, draws=draws, drawn=Drawn(options=drawing),
    )  # fmt: skip
    judges = [module.Judge(model, asked) for module in _judges() if module.able(model)]
    terms, reports, num_rows = Means(), Means(), 0
    with asking(model):
        for batch in batches:
            batch = batch.to(model.device)
            made = model(batch)
            for found in (made.aside(), *(objective(made, batch) for objective in objectives.values())):
                for means, values in ((terms, found.values), (reports, found.reports)):
                    for name, value in values.items():
                        means.add(name, float(value), len(batch))
            for judge in judges:
                judge.add(made, batch)
            num_rows += len(batch)
    losses = _with_loss(terms.result(), model.recipe.weight if weight is None else weight)
    less = frozenset(losses).union(*(getattr(one, "less", ()) for one in (*judges, *objectives.values())))
    found = _merged(judges, Evaluation(figures={**losses, **reports.result()}, less=less, num_rows=num_rows), bootstrap)
    found.drawn.update(asked.drawn.pictures)
    return found


def _judges() -> list[Any]:
    return [registry.get("judge", name) for name in registry.names("judge")]


def _with_loss(terms: Mapping[str, float], weight: Mapping[str, float]) -> dict[str, float]:
    loss = {"loss": sum(value * weight.get(name, 1.0) for name, value in terms.items())} if terms else {}
    return {**loss, **terms}


def _merged(judges: Iterable[Any], found: Evaluation, bootstrap: bool) -> Evaluation:
    """The figures of all judges, and what they say of each row, beside those that are there."""
    rows: dict[str, dict[str, Any]] = {}
    for judge in judges:
        for rates, chance in judge.rates():
            found.rates.append(rates)
            found.figures.update(rates.figures)
            found.chance.update({name: value for name, value in chance.items() if name in found.figures})
            found.intervals.update(rates.intervals() if bootstrap else {})
        found.tables.update(judge.tables(bootstrap) if hasattr(judge, "tables") else {})
        found.notes.extend(judge.notes() if hasattr(judge, "notes") else ())
        for row in judge.rows():
            rows.setdefault(row["key"], {}).update(row)
    found.rows.extend(rows.values())
    return found


__all__ = ["Evaluation", "evaluate"]
