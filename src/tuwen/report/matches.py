"""How well some texts fit some pictures: every one of them with every other."""

from __future__ import annotations

from tuwen.report._html import Html, join, number
from tuwen.report._look import Look, first_text, words
from tuwen.report.page import note
from tuwen.report.tables import heat

TITLE = "Texts and pictures"
SHOWN = 9
"""Pictures, and texts, of the table."""


def section(look: Look) -> Html:
    """A table of cosines; empty where the model does not match, or fewer than two rows have both."""
    from tuwen.judge import matches

    rows = [
        sample
        for sample in look.samples
        if sample.fields.get("image") is not None and first_text(sample.fields.get("text"))
    ]
    if look.model is None or len(rows) < 2 or not matches.able(look.model):
        return Html()
    step = max(1, len(rows) // SHOWN)
    rows = rows[::step][:SHOWN]
    texts = [first_text(sample.fields.get("text")) for sample in rows]
    cosines = look.model.similarity([sample.fields["image"] for sample in rows], texts).T.tolist()
    pictures = [look.picture(sample.key, words(text)) for sample, text in zip(rows, texts, strict=True)]
    best = sum((row[i] == max(row)) / row.count(max(row)) for i, row in enumerate(cosines))  # of ties each is the best
    about = note(
        f"Cosines in the shared space. A frame marks a text's own picture, bold its best one; the own one is the best "
        f"for {number(best)} of {len(rows)} texts, by chance for 1."
    )
    return join([about, heat(cosines, [words(t, 90) for t in texts], pictures, own=[[i] for i in range(len(rows))])])
