"""Caption metrics that are asked for by name, beside those that an evaluation always gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuwen import registry
from tuwen.errors import ConfigError, TuwenError, did_you_mean

if TYPE_CHECKING:
    from tuwen.evaluation import Evaluation
    from tuwen.judge._rates import Rates

Row = dict[str, Any]
Pictures = Mapping[str, Any]
"""Key of a row -> its picture."""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """Metrics by name, with the model that those that look at pictures ask."""

    names: tuple[str, ...] = ()
    embedder: Any = None

    @classmethod
    def open(cls, names: str, clip: str, device: str, *, draws: bool = False) -> Extra:
        """What `--metrics` and `--clip` ask for; tried before anything takes long.

        Args:
            names: with commas between.
            clip: model for metrics that compare pictures and texts.
            draws: whether it is asked about drawn pictures too.
        Raises:
            UnknownNameError, ConfigError: there is no such metric, it scores no captions, or it cannot run here.
            MissingExtraError: it needs a package that is not installed.
        """
        wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
        looking = [name for name in wanted if "images" in _built(name).needs]
        if clip and not looking and not draws:
            raise ConfigError(
                f"--clip {clip} has no effect without a metric that looks at pictures; add --metrics clipscore, or for "
                "drawn pictures --features"
            )
        if not clip and not looking:
            return cls(names=wanted)
        if not clip:
            raise ConfigError(
                f"--metrics {looking[0]} needs a model that matches pictures and texts; name a model directory of tuwen, or "
                "a CLIP of transformers: --clip FOLDER"
            )
        from tuwen.embedder import open_embedder
        from tuwen.machine import choose_device

        return cls(names=wanted, embedder=_Remembered(open_embedder(clip, choose_device(device))))

    @property
    def looks(self) -> bool:
        """Whether a metric looks at pictures."""
        return any("images" in _built(name).needs for name in self.names)

    def add(self, found: Evaluation, pictures: Pictures, *, chance: bool = True) -> None:
        """Figures and intervals of all metrics, and what chance gives; of one that fails half way, a note."""
        rows = [row for row in found.rows if "caption" in row]
        turned = [{**row, "caption": other["caption"]} for row, other in zip(rows, rows[1:] + rows[:1], strict=True)]
        for name in self.names:
            try:
                rates = self.rates(name, rows, pictures)
                guessed = chance and len(rows) > 1 and not getattr(_built(name), "costly", False)
                by_chance = self.rates(name, turned, pictures).figures if guessed else {}
            except TuwenError as error:  # what was found before stays
                found.notes.append(f"{name} gives no figure: {error}")
                continue
            found.rates.append(rates)
            found.figures.update(rates.figures)
            found.intervals.update(rates.intervals())
            found.chance.update(by_chance)

    def rates(self, name: str, rows: Sequence[Row], pictures: Pictures) -> Rates:
        """What a metric makes of the rows that have what it needs."""
        from tuwen.judge._rates import Rates, joined
        from tuwen.metric._captions import with_references

        metric = _built(name)
        if "images" in metric.needs:
            rows = [row for row in rows if pictures.get(row["key"]) is not None]
        elif "references" in metric.needs:
            rows = with_references(rows)
        if not rows:
            return Rates()
        given: list[Any] = [[row["caption"] for row in rows], [list(row["references"]) for row in rows]]
        if "images" in metric.needs:
            metric.embedder = self.embedder
            given.append([pictures[row["key"]] for row in rows])
        metric.update(*given)
        return joined([metric.sums()]) if hasattr(metric, "sums") else Rates(more=metric.result())


class _Remembered:
    """Asks another embedder once about each picture and each text: several systems, and chance, are of the same ones."""

    def __init__(self, embedder: Any):
        self.embedder = embedder
        self.known: dict[Any, tuple[Any, Any]] = {}
        """Identity of a picture, or a text -> its vector; and the picture itself, whose identity stays its own as long as
        it is there."""

    def images(self, values: Sequence[Any]) -> Any:
        """(N, D)."""
        return self._vectors(values, [id(value) for value in values], self.embedder.images)

    def texts(self, values: Sequence[str]) -> Any:
        """(N, D)."""
        return self._vectors(values, values, self.embedder.texts)

    def _vectors(self, values: Sequence[Any], keys: Sequence[Any], ask: Any) -> Any:
        import numpy as np

        if new := {key: value for key, value in zip(keys, values, strict=True) if key not in self.known}:
            made = ask(list(new.values()))
            self.known.update({key: (vector_D, new[key]) for key, vector_D in zip(new, made, strict=True)})
        return np.stack([self.known[key][0] for key in keys])


def _built(name: str) -> Any:
    """A metric of captions, new."""
    metric = registry.get("metric", name).Config().build()
    if getattr(metric, "scores", "") != "captions":
        known = [other for other in registry.names("metric") if _scores_captions(other)]
        raise ConfigError(
            f"--metrics {name} scores no captions.{did_you_mean(name, known)} It can be {', '.join(known)}."
        )
    return metric


def _scores_captions(name: str) -> bool:
    try:
        return getattr(registry.get("metric", name).Config().build(), "scores", "") == "captions"
    except TuwenError:  # it scores captions, but not here: what it lacks is said when it is asked for
        return True
