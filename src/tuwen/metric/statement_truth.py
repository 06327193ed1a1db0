"""Share of true statements in captions of the drawn world, read by its judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuwen.data._scene_world import UNSEEN
from tuwen.errors import DataError
from tuwen.metric._scene_judge import Verdict, description, judge_caption


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""

    def build(self) -> StatementTruth:
        return StatementTruth(self)


class StatementTruth:
    """Counts statements over captions; higher is better, 0 to 1.

    Example:
        >>> from tuwen.data.scenes import draw_one
        >>> one = draw_one(0, "train", 0)
        >>> metric = Config().build()
        >>> metric.update(one.fields["text"][:1], [one.fields["scene"]])
        >>> metric.result()["statement_truth"]
        1.0
    """

    direction = "higher"
    range = (0.0, 1.0)
    headline = "statement_truth"

    def __init__(self, config: Config | None = None):
        self.config = config or Config()
        self.count: Counter[str] = Counter()

    def update(self, captions: Sequence[str], scenes: Sequence[Mapping[str, Any]]) -> None:
        """Adds one caption a scene.

        Args:
            captions: what a model said.
            scenes: the field `scene` of the same rows.
        Raises:
            DataError: the numbers differ, or a dict is not a scene.
        """
        if len(captions) != len(scenes):
            raise DataError(
                f"got {len(captions)} captions for {len(scenes)} scenes; give one caption a scene, in the same order."
            )
        for caption, scene in zip(captions, scenes, strict=True):
            self._add(judge_caption(caption, scene))

    def _add(self, verdict: Verdict) -> None:
        true, false = len(verdict.true), len(verdict.false) + len(verdict.unread)
        in_full = len(description(verdict.scene))
        fully = bool(true) and not false and not verdict.missing
        self.count += Counter(
            captions=1, true=true, said=true + false, unread=len(verdict.unread), all_true=int(bool(true) and not false)
        )
        self.count += Counter(in_full=in_full, said_in_full=in_full - len(verdict.missing), full_and_true=int(fully))
        for thing in verdict.scene.things:
            if (thing.shape, thing.colour) in UNSEEN:
                right, wrong = verdict.about(thing.shape, thing.colour)
                named = any(s.kind == "thing" and s.value == "" for s in right)
                self.count += Counter(unseen=1, unseen_named=int(named))
                self.count += Counter(unseen_true=len(right), unseen_said=len(right) + len(wrong))

    def result(self) -> dict[str, float]:
        """Shares (0 where nothing was counted) and counts.

        Returns:
            statement_truth: true statements / all that was said; what cannot be read was said too.
            statement_recall: statements of the full description that are made, and true / all of them.
            caption_truth: captions without a false or unreadable statement.
            caption_exact: captions that say the full description and nothing false.
            unseen_truth: of the statements about things whose (shape, colour) never occurs in training, the true ones.
            unseen_named: such things that are named by their right shape and colour.
            num_captions, num_statements, num_unread, num_unseen_statements: counts.
        """
        c = self.count

        def share(part: str, whole: str) -> float:
            return c[part] / c[whole] if c[whole] else 0.0

        return {
            "statement_truth": share("true", "said"),
            "statement_recall": share("said_in_full", "in_full"),
            "caption_truth": share("all_true", "captions"),
            "caption_exact": share("full_and_true", "captions"),
            "unseen_truth": share("unseen_true", "unseen_said"),
            "unseen_named": share("unseen_named", "unseen"),
            "num_captions": float(c["captions"]),
            "num_statements": float(c["said"]),
            "num_unread": float(c["unread"]),
            "num_unseen_statements": float(c["unseen_said"]),
        }
