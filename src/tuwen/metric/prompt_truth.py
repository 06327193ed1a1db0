"""How much of what texts of the drawn world say is so in the pictures that were drawn of them, seen by the eye of its judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuwen.data._scene_world import UNSEEN, Scene
from tuwen.errors import DataError
from tuwen.metric._scene_look import TRAITS, SeenThing, compare, relations

KINDS = (*TRAITS, "relation")
"""What a description says of things."""
GROUPS = {"1": "one thing", "2": "two things", "3": "three things", "unseen": "an unseen pair", "all": "all"}
"""Group -> the texts in it; an unseen pair is a (shape, colour) that never occurs in training."""
_COLUMNS = (
    *("num", "exact", "alone", "only", "extra", "things", "named", "unseen", "unseen_named"),
    *(f"{what}_{kind}" for kind in KINDS for what in ("asked", "right")),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Truth of drawings; nothing to set."""

    def build(self) -> PromptTruth:
        return PromptTruth()


class PromptTruth:
    """Counts over drawn pictures; higher is better, 0 to 1.

    Example:
        >>> from tuwen.data.scenes import draw_one
        >>> from tuwen.metric._scene_look import look
        >>> one = draw_one(0, "train", 0)
        >>> metric = Config().build()
        >>> metric.update([look(one.fields["image"])], [one.fields["scene"]])
        >>> metric.result()["prompt_truth"]
        1.0
    """

    direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[str, ...] = ("seen", "scenes")

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []

    def update(self, seen: Sequence[Sequence[SeenThing]], scenes: Sequence[Mapping[str, Any]]) -> None:
        """Adds pictures.

        Args:
            seen: what `look` finds in each.
            scenes: the field `scene` that each was drawn from the description of.
        Raises:
            DataError: the numbers differ, or a dict is not a scene.
        """
        if len(seen) != len(scenes):
            raise DataError(f"got {len(seen)} pictures for {len(scenes)} scenes; give one a scene, in the same order.")
        self._rows += [counted(things, scene) for things, scene in zip(seen, scenes, strict=True)]

    def result(self) -> dict[str, float]:
        """As `figures`."""
        return figures(np.sum(self._rows, axis=0)) if self._rows else {}

    def table(self) -> list[dict[str, Any]]:
        """As `table`."""
        return table(np.sum(self._rows, axis=0)) if self._rows else []


def counted(seen: Sequence[SeenThing], scene: Mapping[str, Any]) -> np.ndarray:
    """(M,) what a picture adds to the sums of `figures` and `table`."""
    wanted, found = Scene.from_json(scene), compare(seen, scene)
    right, count = set(found.right), Counter(one.partition(":")[0] for one in found.right)
    pairs = [(thing.shape, thing.colour) for thing in wanted.things]
    named = [{f"shape: {c} {s} {s}", f"colour: {c} {s} {c}"} <= right for s, c in pairs]
    new = [pair in UNSEEN for pair in pairs]
    row = {
        "num": 1, "exact": found.exact, "alone": not found.extra, "only": sum(named) == len(pairs) and not found.extra,
        "extra": len(found.extra), "things": len(pairs), "named": sum(named), "unseen": sum(new),
        "unseen_named": sum(is_new and is_named for is_new, is_named in zip(new, named, strict=True)),
    }  # fmt: skip
    for kind in KINDS:
        row[f"asked_{kind}"] = len(list(relations(wanted))) if kind == "relation" else len(pairs)
        row[f"right_{kind}"] = count[kind]
    row_C = np.array([float(row[name]) for name in _COLUMNS])
    groups = {str(len(pairs)), "all", *(["unseen"] if any(new) else [])}
    return np.concatenate([row_C * (group in groups) for group in GROUPS])


def figures(sums_M: np.ndarray) -> dict[str, float]:
    """Shares; those of which nothing was asked are left out.

    Returns:
        prompt_truth: of everything that is said (shape, colour, size, fill and place of each thing, and relations), what is so;
            a thing that nobody asked for counts as one more statement that is false.
        drawn_shape_colour: texts of one thing whose picture shows it in its shape and colour, and nothing else.
        drawn_exact: texts of which all is so, and nothing else is there; drawn_exact_1, _2, _3: of so many things;
            drawn_exact_unseen: of those that name an unseen pair.
        drawn_things: things that are there in their shape and colour; drawn_things_unseen: those of an unseen pair.
    """
    sums = _by_group(sums_M)
    every, one, new = sums["all"], sums["1"], sums["unseen"]
    right, asked = (sum(every[f"{what}_{kind}"] for kind in KINDS) for what in ("right", "asked"))
    shares = {
        "prompt_truth": (right, asked + every["extra"]),
        "drawn_shape_colour": (one["only"], one["num"]),
        "drawn_exact": (every["exact"], every["num"]),
        **{f"drawn_exact_{group}": (sums[group]["exact"], sums[group]["num"]) for group in GROUPS if group != "all"},
        "drawn_things": (every["named"], every["things"]),
        "drawn_things_unseen": (new["unseen_named"], new["unseen"]),
    }
    return {name: part / whole for name, (part, whole) in shares.items() if whole}


def table(sums_M: np.ndarray) -> list[dict[str, Any]]:
    """One row for each group of texts: text, num, the share that is exact, of each kind of statement the share that is so
    (None where none was made), and the share of the pictures in which nothing is that nobody asked for."""
    rows = []
    for group, sums in _by_group(sums_M).items():
        if not sums["num"]:
            continue
        asked = {kind: sums[f"asked_{kind}"] for kind in KINDS}
        shares = {kind: sums[f"right_{kind}"] / num if num else None for kind, num in asked.items()}
        whole = {"num": int(sums["num"]), "exact": sums["exact"] / sums["num"]}
        rows.append({"text": GROUPS[group], **whole, **shares, "nothing_else": sums["alone"] / sums["num"]})
    return rows


def _by_group(sums_M: np.ndarray) -> dict[str, dict[str, float]]:
    """Group -> column -> sum."""
    parts = np.split(sums_M, len(GROUPS))
    return {
        group: dict(zip(_COLUMNS, map(float, part), strict=True)) for group, part in zip(GROUPS, parts, strict=True)
    }


__all__ = ["GROUPS", "KINDS", "Config", "PromptTruth", "counted", "figures", "table"]
