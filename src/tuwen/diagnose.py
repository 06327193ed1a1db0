"""What goes wrong in training, in plain words, read from the figures of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

_SAME_SHARE = 0.5
"""Share of the pictures from which one sentence for all of them is said to be one."""
_FEW_DISTINCT = 0.1
"""Share of distinct captions below which they are said to be few."""
_ONE_CLASS = 0.95
"""Share of the pictures from which one class for all of them is said to be one, where it is not the right one."""
_NO_GAP = 0.02
"""Nats per token that the wrong picture costs at least where pictures are looked at."""
_NEAR_CHANCE = 0.95
"""Share of the chance value above which a contrastive loss is said to have learned nothing."""
_SPREADS = {
    "drawn_spread": (0.4, "pictures drawn of different texts with different noise"),
    "text_spread": (0.1, "pictures drawn of different texts with the same noise"),
    "noise_spread": (0.2, "pictures drawn of one text with different noise"),
}
"""Figure -> the share of the distance of two real pictures below which drawn ones are said to be one, and which they are."""
_CRITIC_RIGHT = 0.98
"""Share of pictures, real and drawn, from which a critic is said to win."""
_FEW_ROWS = 20
"""Rows below which the share of distinct captions says nothing."""


def warnings_of(figures: Mapping[str, float], batch: int) -> list[str]:
    """Sentences to show to the user; none where all looks well.

    Args:
        figures: of `tuwen.evaluation.evaluate`; those that are missing are not judged.
        batch: rows of a batch; ln(batch) is what guessing gives where the figures do not say `contrastive_chance`.
    """
    found = (
        _same(figures),
        _few(figures),
        _one_class(figures),
        _blind(figures),
        _apart(figures, batch),
        collapsed(figures),
        _critic_wins(figures),
        _not_finite(figures),
    )
    return [text for text in found if text]


def collapsed(figures: Mapping[str, float]) -> str:
    """What shows that a model that learned from a critic draws the same again and again; empty where it does not."""
    for name, (least, what) in _SPREADS.items():
        if (share := figures.get(name, math.inf)) < least:
            return (
                f"collapse: {what} are {share:.0%} as far apart as real ones (above {least:.0%} is usual), and such a model "
                "is not kept as the best if another has not collapsed; train longer, or try a smaller "
                "objective.adversarial.lr, or another objective.adversarial.steady"
            )
    return ""


def _critic_wins(figures: Mapping[str, float]) -> str:
    share = figures.get("critic_right", 0.0)
    if share < _CRITIC_RIGHT:
        return ""
    return (
        f"the critic tells {share:.0%} of the pictures apart, real and drawn, so that little can be learned of it; train "
        "longer, or try a smaller objective.adversarial.lr"
    )


def _same(figures: Mapping[str, float]) -> str:
    share = figures.get("commonest_share", 0.0)
    if figures.get("num_captions", math.inf) < _FEW_ROWS or share < _SAME_SHARE:
        return ""
    return (
        f"the same sentence is said of {share:.0%} of the pictures; "
        "train longer, or see whether captions belong to their pictures: `tuwen data DATA`"
    )


def _few(figures: Mapping[str, float]) -> str:
    share = figures.get("distinct_captions", 1.0)
    common = figures.get("commonest_share", 0.0) >= _SAME_SHARE
    if figures.get("num_captions", 0.0) < _FEW_ROWS or common or share > _FEW_DISTINCT:
        return ""
    return f"only {share:.0%} of the captions are distinct; train longer, or use more varied captions"


def _one_class(figures: Mapping[str, float]) -> str:
    share = figures.get("commonest_named", 0.0)
    if share < _ONE_CLASS or figures.get("accuracy", 1.0) >= _ONE_CLASS:
        return ""
    return (
        f"one class is named for {share:.0%} of the pictures; train longer, or let rare classes weigh as much as common "
        "ones: objective.classification.balanced=true"
    )


def _blind(figures: Mapping[str, float]) -> str:
    gap = figures.get("shuffled_gap", math.inf)
    if not gap < _NO_GAP:
        return ""
    return (
        f"the model does not look at the pictures yet: a wrong picture costs {gap:+.3f} nats per token (above "
        f"{_NO_GAP} is usual); "
        "train longer, or try a larger train.lr"
    )


def _apart(figures: Mapping[str, float], batch: int) -> str:
    loss, level = figures.get("contrastive"), figures.get("contrastive_chance", math.log(max(2, batch)))
    if loss is None or not loss > _NEAR_CHANCE * level:
        return ""
    return (
        f"matching has learned nothing yet: the contrastive loss is {loss:.2f}, guessing gives {level:.2f}; "
        "train longer, or try a smaller train.lr"
    )


def _not_finite(figures: Mapping[str, float]) -> str:
    broken = [name for name, value in figures.items() if not math.isfinite(value)]
    return f"not a number: {', '.join(broken)}; try a smaller train.lr, or train.precision=float32" if broken else ""


class IdleWeights:
    """Weights of terms that no objective gives.

    Args:
        weight: term -> its weight in the loss.
    """

    def __init__(self, weight: Mapping[str, float]):
        self.idle, self.terms = dict(weight), set[str]()

    def see(self, terms: Iterable[str]) -> None:
        """Takes the terms of a step."""
        if self.idle:
            self.terms.update(terms)

    def said(self) -> list[str]:
        """A warning for each that had no effect so far; once, when there were steps."""
        if not self.terms:
            return []
        idle, self.idle = {name: one for name, one in self.idle.items() if name not in self.terms}, {}
        terms = ", ".join(sorted(self.terms))
        return [f"weight.{name}={one:g} had no effect so far; the terms were: {terms}" for name, one in idle.items()]
