"""Captions beside their pictures and references."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuwen.data._scene_world import scene_in
from tuwen.metric._captions import with_references
from tuwen.report._html import Html, tag
from tuwen.report._look import Look, words
from tuwen.report.examples import examples
from tuwen.report.pictures import card

TITLE = "Captions"
REFERENCES = 3
"""Most references on a card."""

Row = Mapping[str, Any]


def section(look: Look) -> Html:
    """The best, the worst and some captions; empty where none was written."""
    rows = look.rows("caption")
    if not rows:
        return Html()
    scored, scores, about, says = _scores(look, rows)

    def show(row: Row, score: float) -> Html:
        caption, key = row["caption"].strip(), row["key"]
        references = [words(text) for text in row.get("references", ())[:REFERENCES]]
        shown = look.picture(key, f"Picture of row {key}, captioned: {caption}")
        said = caption or tag("i", "says nothing")
        return card(shown, said=said, score=says(row, score), more=tuple(references), key=key)

    return examples(scored, scores, show, about=about)


def _scores(look: Look, rows: Sequence[Row]) -> tuple[Sequence[Row], list[float], str, Callable[[Row, float], str]]:
    """The rows that have one, the scores, what they are, and the words for one of them."""
    scenes = {row["key"]: scene_in(look.by_key[row["key"]].fields) for row in rows if row["key"] in look.by_key}
    if len(scenes) == len(rows) and None not in scenes.values():
        count = {row["key"]: _count(row["caption"], scenes[row["key"]] or {}) for row in rows}

        def statements(row: Row, score: float) -> str:
            true, said, of, in_full = count[row["key"]]
            return f"{true} of {said} statements true; {of} of {in_full} of the scene said"

        truths = [true * of / max(1, said * in_full) for true, said, of, in_full in count.values()]
        return rows, truths, "the share of true statements times the share of the scene that is said", statements
    if told := with_references(rows):
        from tuwen.metric._captions import prepare
        from tuwen.metric.cider import Cider

        kept = prepare([row["caption"] for row in told], [row["references"] for row in told])
        without = f"; {len(rows) - len(told)} others have none" if len(told) < len(rows) else ""
        about = f"CIDEr with their references (listed{without})"
        return told, Cider(kept).per_item(), about, lambda row, score: f"CIDEr {score:.2f}"
    sure = [float(row.get("logprob", 0.0)) for row in rows]
    return rows, sure, "how sure the model is", lambda row, score: f"{score:.2f} nats per token"


def _count(caption: str, scene: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """True statements, all that are made, statements of the full description that are made, and all of these."""
    from tuwen.metric.statement_truth import Config

    metric = Config().build()
    metric.update([caption], [scene])
    count = metric.count
    return count["true"], count["said"], count["said_in_full"], count["in_full"]
