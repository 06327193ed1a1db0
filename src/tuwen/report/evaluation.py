"""The page of an evaluation: figures, curves, examples, and what the shared space looks like."""

from __future__ import annotations

import numpy as np

from tuwen.judge._rates import Beside
from tuwen.report import captions, confidence, drawings, labels, matches, reconstructions, samples
from tuwen.report._html import Html, join
from tuwen.report._look import Look, first_text
from tuwen.report.curves import training_curves
from tuwen.report.page import facts, note, page
from tuwen.report.space import Dot, space_map
from tuwen.report.tables import figures_table

MAPPED = 250
"""Most rows of the map."""
VIEWS = (captions, confidence, labels, drawings, samples, reconstructions, matches)
"""In the order of the page; each has a TITLE and a `section`, which is empty where there is nothing to show."""


def evaluation_page(look: Look, *, title: str = "Evaluation", beside: Beside | None = None) -> str:
    """A whole document of what `tuwen evaluate` found.

    Args:
        beside: another system that was measured on the same rows.
    Raises:
        DataError: a picture that is shown cannot be read.
    """
    found = look.found
    sections = {"Figures": _figures(look)}
    sections |= {f"Beside {beside.name}": _beside(beside)} if beside is not None else {}
    sections |= {view.TITLE: view.section(look) for view in VIEWS}
    sections["Map of the shared space"] = _map(look)
    sections["Training"] = training_curves(look.log, found.chance) if look.log else Html()
    return page(title, sections, lead=facts({**look.about, "rows": found.num_rows}))


def _figures(look: Look) -> Html:
    found = look.found
    if not found.figures:
        return Html()
    words = "95 % intervals come from a bootstrap over the rows. Chance is what a model reaches that does not look. "
    bars = "Bars: interval (wide), value (dot) and chance (stroke)."
    notes = [note(text) for text in found.notes]
    return join([note(words + bars), figures_table(found.figures, found.intervals, found.chance), *notes])


def _beside(other: Beside) -> Html:
    words = "How much more this one has. 95 % intervals come from a bootstrap that takes the same rows of both; a "
    words += "difference whose interval is on one side of 0 is one that these rows are enough to show."
    return join([note(words), figures_table(other.differences, other.intervals, {})])


def _map(look: Look) -> Html:
    """Pictures, and texts that are compared with them, of some rows; pictures alone have the colour of their label."""
    from tuwen.judge.matches import able

    if look.model is None or "image" not in look.model.encoders:
        return Html()
    with_texts = able(look.model)
    step = max(1, -(-len(look.samples) // MAPPED))
    dots = []
    for sample in look.samples[::step]:
        text, label = (first_text(sample.fields.get(name)) for name in ("text", "label"))
        if sample.fields.get("image") is not None:
            group = "" if with_texts else label
            image = sample.fields["image"]
            dots.append(Dot(field="image", key=sample.key, text=text or label, image=image, group=group))
        if text and with_texts:
            dots.append(Dot(field="text", key=sample.key, text=text))
    return space_map(_vectors(look.model, dots), dots)


def _vectors(model: object, dots: list[Dot]) -> np.ndarray:
    """(N, D) of length 1."""
    found: list[np.ndarray] = []
    order: list[int] = []
    for field in dict.fromkeys(dot.field for dot in dots):
        places = [i for i, dot in enumerate(dots) if dot.field == field]
        values = [dots[i].image if field == "image" else dots[i].text for i in places]
        found.append(model.encode(values, field=field).cpu().numpy())  # type: ignore[attr-defined]
        order += places
    return np.concatenate(found)[np.argsort(order)] if found else np.zeros((0, 0))
