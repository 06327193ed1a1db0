"""Labels: which classes the model names, against those that the rows have.

Figures, each with what a model reaches that gives every row the shares of the classes:
    accuracy: rows named rightly; where a row may have several labels, rows with all of them right and no other;
    accuracy_top5: rows whose class is among the five likeliest; balanced_accuracy: the mean over the classes;
    f1_macro, precision_macro, recall_macro: means over the classes; f1_micro: over all labels;
    average_precision: the mean over the classes (mAP); ece: the expected calibration error in 15 bins;
    commonest_named: the share of the rows that are given the class that is named most often;
    num_unknown: labels that are no class of the model, where there are any; they are left out.
A model with several routes that make labels has these figures for each; of all but `classify` the name of the route
stands before them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.decode.label import labels_of
from tuwen.judge._named import Named
from tuwen.judge._rates import Weighted
from tuwen.types import Batch, Decoded, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal

_MOST = 200
"""Classes above which no confusion matrix is given."""


def able(model: CrossModal) -> bool:
    """Whether a route of the model makes labels."""
    return bool(_routes(model))


def _routes(model: CrossModal) -> dict[str, str]:
    """Route -> the label field that it makes."""
    labels = {field for field, part in model.decoders.items() if getattr(part, "modality", "") == "label"}
    return {name: route.make for name, route in model.routes.items() if route.make in labels}


class Judge:
    """Collects the probabilities of each route that makes labels."""

    less: tuple[str, ...] = ("ece",)
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        fields = _routes(model)
        alone = len(fields) == 1
        self.seen = {
            "" if alone or name == "classify" else f"{name}_": _Seen(model, name, field)
            for name, field in fields.items()
        }
        self.less = tuple(f"{prefix}ece" for prefix in self.seen)

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        for seen in self.seen.values():
            seen.add(made, batch)

    def rates(self) -> Iterable[tuple[Weighted, dict[str, float]]]:
        """The figures of each route, with what chance gives."""
        for prefix, seen in self.seen.items():
            named = seen.named()
            more = {"num_unknown": float(seen.num_unknown)} if seen.num_unknown else {}
            if named.num_rows and not named.several:
                more["commonest_named"] = float(named.named_NK.mean(0).max())
            yield replace(named.rates(prefix, **more), keys=tuple(seen.keys)), named.chance(prefix)

    def rows(self) -> list[dict[str, Any]]:
        """One a row and route: key, label (what is true), named, probability (of what is named; with several labels
        named by their probabilities)."""
        return [
            {"key": row["key"], **{f"{prefix}{name}": value for name, value in row.items() if name != "key"}}
            for prefix, seen in self.seen.items()
            for row in seen.rows()
        ]

    def tables(self, bootstrap: bool) -> dict[str, Any]:
        """classes: figures of each class; confusion: rows of class i (sorted by name) that were named j."""
        found: dict[str, Any] = {}
        for prefix, seen in self.seen.items():
            named = seen.named()
            if named.num_rows:
                found[f"{prefix}classes"] = named.classes(seen.decoder.classes, bootstrap=bootstrap)
                if not named.several and named.num_classes <= _MOST:
                    found[f"{prefix}confusion"] = named.confusion().tolist()
        return found


class _Seen:
    """What one route has made so far."""

    def __init__(self, model: CrossModal, route: str, field: str):
        self.route, self.field = route, field
        self.decoder: Any = model.decoders[field]
        self.source = route if model.routes[route].fuse else model.routes[route].given[0]
        self.keys: list[str] = []
        self.probability: list[Tensor] = []
        self.true: list[Tensor] = []
        self.num_unknown = 0

    def add(self, made: Made, batch: Batch) -> None:
        decoded = made.routes.get(self.route)
        if decoded is None:
            return
        several, owners, target = self.decoder.several, self._owners(made, decoded), decoded.target.cpu()
        known_P = torch.ones(len(target), dtype=torch.bool) if several else target >= 0
        self.probability.append(self.decoder.probabilities(decoded.prediction).cpu()[known_P])
        self.true.append(target > 0 if several else F.one_hot(target[known_P], len(self.decoder.classes)).bool())
        self.keys += [batch.keys[owner] for owner, known in zip(owners, known_P.tolist(), strict=True) if known]
        self.num_unknown += self._unknown(batch, owners) if several else int((~known_P).sum())

    def _owners(self, made: Made, decoded: Decoded) -> list[int]:
        """The batch row of each value: `decoded.owner_P` points at rows of the latent that it was made from."""
        latent, owner_P = made.latents[self.source], decoded.owner_P
        if owner_P is None:
            return list(range(len(decoded.target)))
        return (owner_P if latent.owner_P is None else latent.owner_P[owner_P]).tolist()

    def _unknown(self, batch: Batch, owners: list[int]) -> int:
        """Labels of rows with several that are no class."""
        given = [labels_of(batch.raw[owner].fields.get(self.field)) for owner in owners] if batch.raw else []
        return sum(label not in self.decoder.place for labels in given for label in labels)

    def named(self) -> Named:
        num = len(self.decoder.classes)
        probability_NK = torch.cat([torch.zeros(0, num), *self.probability]).double().numpy()
        true_NK = torch.cat([torch.zeros(0, num, dtype=torch.bool), *self.true]).numpy()
        return Named(probability_NK, true_NK, several=self.decoder.several)

    def rows(self) -> Iterable[dict[str, Any]]:
        named, classes = self.named(), self.decoder.classes
        for key, true_K, named_K, sure_K in zip(
            self.keys, named.true_NK, named.named_NK, named.probability_NK, strict=True
        ):
            true, said = ([classes[k] for k in np.flatnonzero(of_K)] for of_K in (true_K, named_K))
            sure = np.round(sure_K[named_K], 4).tolist()
            if named.several:
                yield {"key": key, "label": true, "named": dict(zip(said, sure, strict=True))}
            else:
                yield {"key": key, "label": true[0], "named": said[0], "probability": sure[0]}


__all__ = ["Judge", "able"]
