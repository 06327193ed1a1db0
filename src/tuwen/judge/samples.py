"""Drawn pictures as a whole, beside real ones, in the features of a network that is named: `tuwen evaluate --features`.

One picture is drawn for each row that has one, of its first text where the model reads texts.

Figures:
    fid, kid (kid_spread over subsets): distances of the drawn and the real pictures of the same rows;
    sample_precision, sample_recall, sample_density, sample_coverage: drawn pictures like real ones, and the other way round;
    memorised: drawn pictures that lie nearer to a training picture than 95 % of the real ones of these rows;
    classifier_accuracy: rows whose drawn picture is taken for their label, where the network is a classifier and the model
        reads texts;
    r_precision: rows whose drawn picture fits their text best among 100, by a model that matches.
With `_real`, what real pictures reach, which is the aim: distances and balls between two halves of them, the others in place
of the drawn ones. A fid is the larger, the fewer pictures there are, and so are balls: fid_real is to be compared with fid_halves,
sample_recall_real with sample_recall_halves, of one half real and the other drawn.
Chance: the picture that was drawn for another row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tuwen.data._problem import bare
from tuwen.decode.label import labels_of
from tuwen.judge._drawn import drawable, reads, request
from tuwen.judge._eyes import MOST_KNOWN, Glance
from tuwen.judge._rates import Jackknifed, Rates, mean_rates
from tuwen.metric import memorisation, r_precision
from tuwen.metric.fid import Frechet, frechet
from tuwen.metric.kid import kernel_distance
from tuwen.metric.sample_precision import overlap
from tuwen.task import draw
from tuwen.types import Batch, Made, Sample

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal

LEAST = 16
"""Rows below which nothing is said."""
_LEVEL = memorisation.Config().level
_CANDIDATES = r_precision.Config().candidates
Found = tuple[Rates | Jackknifed, dict[str, float]]


def able(model: CrossModal) -> bool:
    """Whether the model draws."""
    return draw.able(model)


class Judge:
    """Collects what a network makes of the drawn and the real picture of each row."""

    less = ("fid", "fid_halves", "fid_real", "kid", "kid_real", "kid_spread", "memorised", "memorised_real")
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, self.asked, self.eyes = model, asked, asked.eyes
        self.samples: list[Sample] = []
        self.glances: dict[str, list[Glance]] = {"drawn": [], "real": []}
        self.fits: dict[str, list[np.ndarray]] = {"drawn": [], "real": []}
        painter: Any = model.decoders["image"]
        self.side, self.fit = int(painter.side), painter.config.fit

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        if self.eyes is None:
            return
        rows = [row for row in drawable(self.model, batch.raw) if row.fields.get("image") is not None]
        if not (rows := rows[: (self.asked.draws or sys.maxsize) - len(self.samples)]):
            return
        drawn = [np.broadcast_to(one, (*one.shape[:2], 3)) for one in self.asked.drawn.of(self.model, rows)]
        self.samples += rows
        true = [self.eyes.real(row, self.side, self.fit) for row in rows]
        for kind, images in {"drawn": drawn, "real": true}.items():
            self.glances[kind].append(self.eyes.eye.look(images))
            if self.eyes.matcher is not None:
                self.fits[kind].append(self.eyes.matcher.images(images))

    def rates(self) -> Iterable[Found]:
        """What the network and the data allow; nothing of fewer than `LEAST` rows."""
        if len(self.samples) < LEAST:
            return
        yield Jackknifed(num_rows=len(self.samples), of=self._fid), {}
        yield self._distances(), {}
        yield mean_rates(overlap(self.points["real"], self.points["drawn"]).columns()), {}
        for end, kind in (("halves", "drawn"), ("real", "real")):
            yield mean_rates({f"{name}_{end}": of for name, of in overlap(*self._halves(kind)).columns().items()}), {}
        if self.nearest:
            shares = {"": self.nearest["drawn"][0], "_real": self.nearest["real"][0]}
            yield mean_rates({f"memorised{end}": share < _LEVEL for end, share in shares.items()}), {}
        yield from self._named()
        if self.hits:
            chance = 1 / min(_CANDIDATES, len(self.texts))
            figures = {"r_precision": self.hits["drawn"], "r_precision_real": self.hits["real"]}
            yield mean_rates(figures), dict.fromkeys(figures, chance)

    def rows(self) -> list[dict[str, Any]]:
        """One a drawn picture: key, and `sample` with the text and the seed it was drawn with; the key of the nearest training
        picture, the share of the real pictures that lie nearer to theirs, and whether it fits its text best."""
        found: list[dict[str, Any]] = []
        for i, row in enumerate(self.samples):
            asked = request(self.model, row)
            said: dict[str, Any] = {"text": asked.text, "seed": asked.seed}
            if self.nearest:
                share_M, place_M = self.nearest["drawn"]
                said |= {"nearest": self.known[place_M[i]].key, "nearer": round(float(share_M[i]), 4)}
            if self.hits:
                said["fits"] = round(float(self.hits["drawn"][i]), 4)
            found.append({"key": row.key, "sample": said})
        return found

    def notes(self) -> list[str]:
        """What the figures rest on, where that is less than it seems."""
        if self.eyes is None:
            return []
        if len(self.samples) < LEAST:
            return [f"{len(self.samples)} drawn pictures are too few to compare with real ones; draw at least {LEAST}"]
        found, num, known = [], len(self.samples), len(self.eyes.known)
        if self.frechet.rank < self.frechet.width and num <= self.frechet.width:
            found.append(
                f"fid is of {num} pictures in {self.frechet.width} features, which {num} pictures show in {self.frechet.rank} "
                "directions only; it compares with that of as many pictures, and kid with that of any"
            )
        if not self.labels and reads(self.model) and self.eyes.eye.classes:
            found.append(
                "classifier_accuracy is not given: no row has a label, or a text, that is a class of the network"
            )
        if known > MOST_KNOWN:
            found.append(f"memorised looks through {len(self.known):,} of the {known:,} training pictures")
        if broken := self.eyes.broken:
            found.append(
                f"memorised leaves out {len(broken)} training pictures that cannot be read; the first: "
                + bare(next(iter(broken.values())))
            )
        return found

    # -- what the figures are made of ------------------------------------------------------------------------------

    @cached_property
    def points(self) -> dict[str, np.ndarray]:
        """(N, D) features of the drawn and the real pictures."""
        return {kind: np.concatenate([one.feature_ND for one in glances]) for kind, glances in self.glances.items()}

    def _halves(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Half of the real pictures, and the others, or what was drawn for the others; as many, the same rows each time."""
        order = np.random.default_rng(0).permutation(len(self.samples))
        half = len(order) // 2
        return self.points["real"][order[:half]], self.points[kind][order[half : 2 * half]]

    @cached_property
    def frechet(self) -> Frechet:
        return frechet(self.points["real"], self.points["drawn"])

    def _fid(self, rows_M: np.ndarray) -> dict[str, float]:
        if len(rows_M) == len(self.samples):
            return {"fid": self.frechet.value}
        return {"fid": frechet(self.points["real"][rows_M], self.points["drawn"][rows_M]).value}

    def _distances(self) -> Rates:
        halves = {name: frechet(*self._halves(kind)).value for name, kind in (("halves", "drawn"), ("real", "real"))}
        kid = kernel_distance(self.points["real"], self.points["drawn"])
        more = {f"fid_{name}": value for name, value in halves.items()}
        more |= {"kid": kid.value, "kid_spread": kid.spread, "kid_real": kernel_distance(*self._halves("real")).value}
        return Rates(more=more)

    @cached_property
    def known(self) -> list[Sample]:
        """Training rows that are looked through."""
        return [] if self.eyes is None else self.eyes.known_at(self.side, self.fit)[0]

    @cached_property
    def nearest(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For drawn and real pictures: the share of the real ones that lie nearer to the training part, and the place of the
        nearest training picture."""
        if self.eyes is None or len(self.samples) < LEAST or not self.known:
            return {}
        known_KD = self.eyes.known_at(self.side, self.fit)[1]
        found = {kind: memorisation.nearest(point_ND, known_KD) for kind, point_ND in self.points.items()}
        return {kind: (memorisation.nearer(of[0], found["real"][0]), of[1]) for kind, of in found.items()}

    def _named(self) -> Iterable[Found]:
        """How often the network takes a picture for its label."""
        if not self.labels:
            return
        told, true = list(self.labels), np.array(list(self.labels.values()))
        named = {
            kind: np.array([name for one in glances for name in one.named])[told]
            for kind, glances in self.glances.items()
        }
        chance = sum((true == one).mean() * (named["drawn"] == one).mean() for one in set(self.labels.values()))
        figures = {"classifier_accuracy": named["drawn"] == true, "classifier_accuracy_real": named["real"] == true}
        yield mean_rates(figures), {"classifier_accuracy": float(chance)}

    @cached_property
    def labels(self) -> dict[int, str]:
        """Number of a row -> its only label, or its text where it has none, that the network knows as a class."""
        classes = self.eyes.eye.classes if self.eyes is not None and reads(self.model) else []
        told = [labels_of(row.fields.get("label")) or [request(self.model, row).text] for row in self.samples]
        return {i: label[0] for i, label in enumerate(told) if len(label) == 1 and label[0] in classes}

    @cached_property
    def texts(self) -> list[str]:
        """The different texts that were drawn."""
        return list(dict.fromkeys(request(self.model, row).text for row in self.samples))

    @cached_property
    def hits(self) -> dict[str, np.ndarray]:
        """For drawn and real pictures: whether the own text fits best."""
        if self.eyes is None or self.eyes.matcher is None or len(self.texts) < 2:
            return {}
        place = {text: i for i, text in enumerate(self.texts)}
        own_N = np.array([place[request(self.model, row).text] for row in self.samples])
        text_MD = _unit(self.eyes.matcher.texts(self.texts))
        images = {kind: _unit(np.concatenate(parts)) for kind, parts in self.fits.items()}
        return {kind: r_precision.hits(image_ND, text_MD, own_N) for kind, image_ND in images.items()}


def _unit(vector_ND: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vector_ND / np.maximum(np.linalg.norm(vector_ND, axis=1, keepdims=True), 1e-12)
    return unit


__all__ = ["Judge", "able"]
