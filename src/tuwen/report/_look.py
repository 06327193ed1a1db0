"""What a page of an evaluation is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tuwen.report._html import Html
from tuwen.report.pictures import picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuwen.evaluation import Evaluation
    from tuwen.model import CrossModal
    from tuwen.types import Picture, Sample


@dataclass(frozen=True, kw_only=True)
class Look:
    """An evaluation with what was evaluated."""

    found: Evaluation
    samples: Sequence[Sample] = ()
    """Rows that were looked at; empty where only texts were there."""
    learned: Sequence[Sample] = ()
    """Rows of the training part, where drawn pictures are compared with these."""
    model: CrossModal | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    """Name -> what was measured, for the top of the page."""
    log: Any = None
    """Path of the log.jsonl of the model's training."""

    @cached_property
    def by_key(self) -> dict[str, Sample]:
        return {sample.key: sample for sample in self.samples}

    def rows(self, *names: str) -> list[dict[str, Any]]:
        """Rows of the evaluation that have all of these fields."""
        return [row for row in self.found.rows if all(row.get(name) is not None for name in names)]

    @cached_property
    def learned_by_key(self) -> dict[str, Sample]:
        return {sample.key: sample for sample in self.learned}

    def drawn(self, key: str, said: Mapping[str, Any]) -> Picture:
        """The picture that was drawn for a row; drawn again of its text and seed where the evaluation was only read."""
        if key in self.found.drawn:
            return self.found.drawn[key]
        assert self.model is not None
        return self.model.draw(said["text"], seed=said.get("seed", 0)).pictures[0]

    def picture(self, key: str, alt: str = "") -> Html:
        """Thumbnail of a row; empty where it has no picture."""
        sample = self.by_key.get(key)
        raw = sample.fields.get("image") if sample else None
        return Html() if raw is None else picture(raw, alt or f"the picture of row {key}")


def words(text: str, length: int = 140) -> str:
    """A text cut to a length that fits on a card.

    Example:
        >>> words("a large filled circle", 9)
        'a large…'
    """
    if len(text) <= length:
        return text
    return (text[:length].rpartition(" ")[0] or text[: length - 1]) + "…"


def first_text(value: Any) -> str:
    """A field as one text: the first of several, empty for a missing one.

    Example:
        >>> first_text(["a", "b"]), first_text("c"), first_text(None)
        ('a', 'c', '')
    """
    values = [value] if isinstance(value, str) else list(value or ())
    return str(values[0]).strip() if values else ""
