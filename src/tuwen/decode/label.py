"""Names the class of a latent: one of several, or each that applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tuwen.errors import DataError
from tuwen.layers import Dropout
from tuwen.types import Decoded, Feed, Latent, Widths

UNKNOWN = -1
"""Target of a row whose label is none of the classes; objectives and judges leave it out."""


@dataclass(frozen=True, kw_only=True)
class Config:
    labels: Literal["auto", "one", "several"] = "auto"
    """How many labels a row has; auto: several where the value of any training row is a list."""
    hidden: int = 0
    """Width of a hidden layer; 0: none, each class is one direction of the pooled vector."""
    dropout: float = 0.1
    """Share of the pooled vector, and of the hidden layer, that is dropped in training; 0 to below 1."""

    def build(self, widths: Widths) -> Label:
        return Label(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(hidden=6, dropout=0.0)

    @staticmethod
    def example(batch: int) -> list[str]:
        return [("red", "blue", "green")[i % 3] for i in range(batch)]


class Label(nn.Module):
    """Logits of the classes that the training part has, from the pooled vector.

    With one label a row the classes exclude each other (softmax), with several each is a question of its own (sigmoid).
    """

    modality = "label"
    whole = True
    """The value of a row is taken as it is: a list of labels is one value."""

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        self.config, self.source = config, widths
        self.classes: list[str]
        """Sorted; what the columns of the logits stand for."""
        self.several: bool
        self.balance_K: Tensor
        """What a label of each class counts, so that all classes together count alike."""

    def fit(self, values: Sequence[Any]) -> None:
        """Learns the classes from the labels of the training part.

        Args:
            values: a label, or a list of labels, for each row.
        Raises:
            DataError: fewer than two classes, or several labels in a row that may have one.
        """
        rows = [labels_of(value) for value in values]
        if self.config.labels == "one" and (bad := next((row for row in rows if len(row) > 1), None)):
            raise DataError(
                f"a row has {len(bad)} labels ({', '.join(bad[:5])}) and has room for one; set decode.label.labels=several"
            )
        count = Counter(label for row in rows for label in set(row))
        if len(count) < 2:
            found = f"only {next(iter(count))!r}" if count else "none"
            raise DataError(
                f"the training part has {found} as label; there is nothing to tell apart. Two classes are needed; "
                "`tuwen data DATA` shows what is there."
            )
        is_list = any(isinstance(value, list | tuple) for value in values)
        several = self.config.labels == "several" or (self.config.labels == "auto" and is_list)
        classes = sorted(count)
        self._settle(classes, several, [count[name] for name in classes], len(rows))

    def learned(self) -> dict[str, Any]:
        """What `fit` learned, as JSON for the model directory."""
        return {"classes": self.classes, "several": self.several, "counts": self.counts, "rows": self.rows}

    def restore(self, learned: dict[str, Any]) -> None:
        """Instead of `fit`: takes what an earlier one learned."""
        self._settle(learned["classes"], learned["several"], learned["counts"], learned["rows"])

    def _settle(self, classes: list[str], several: bool, counts: list[int], rows: int) -> None:
        self.classes, self.several, self.counts, self.rows = classes, several, counts, rows
        self.place = {name: i for i, name in enumerate(classes)}
        c, width = self.config, self.source.pooled
        layers: list[nn.Module] = [Dropout(c.dropout)]
        if c.hidden:
            layers += [nn.Linear(width, c.hidden), nn.GELU(approximate="tanh"), Dropout(c.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(c.hidden or width, len(classes)))
        count_K = torch.tensor(counts, dtype=torch.float32)
        balance_K = (rows - count_K) / count_K if several else rows / (len(classes) * count_K)
        self.register_buffer("balance_K", balance_K, persistent=False)

    def prepare(self, values: Sequence[Any]) -> tuple[Tensor, None]:
        """Labels -> (P,) int64 numbers of classes, or (P, K) float32 of 0 and 1 where rows have several.

        A label that is no class gives `UNKNOWN`, or no 1. So does a list in a model of one label a row, unless it
        holds exactly one.
        """
        rows = [labels_of(value) for value in values]
        if not self.several:
            return torch.tensor([self.place.get(row[0], UNKNOWN) if len(row) == 1 else UNKNOWN for row in rows]), None
        data_PK = torch.zeros(len(rows), len(self.classes))
        for i, row in enumerate(rows):
            data_PK[i, [self.place[label] for label in row if label in self.place]] = 1
        return data_PK, None

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        """(P, K) logits beside the targets; target.owner_P points at rows of the latent."""
        weight = self.balance_K[target.data.clamp(min=0)] if not self.several else None
        if self.several:
            weight = torch.where(target.data > 0, self.balance_K, 1.0)
        return Decoded(self.logits(latent)[target.owner_P], target.data, owner_P=target.owner_P, weight=weight)

    def logits(self, latent: Latent) -> Tensor:
        """(R, D) pooled -> (R, K)."""
        return self.layers(latent.pooled)

    def make(self, latent: Latent) -> Tensor:
        """(R, K) float32 probabilities: they sum to 1, or with several labels each stands for itself."""
        return self.probabilities(self.logits(latent))

    def probabilities(self, logits_PK: Tensor) -> Tensor:
        """(P, K) logits -> (P, K) float32."""
        return logits_PK.float().sigmoid() if self.several else logits_PK.float().softmax(-1)


def labels_of(value: Any) -> list[str]:
    """The labels of a row as texts; a list, or one of any type.

    Example:
        >>> labels_of("dog"), labels_of(3), labels_of(["dog", "grass"]), labels_of(None)
        (['dog'], ['3'], ['dog', 'grass'], [])
    """
    values = value if isinstance(value, list | tuple) else [value]
    return [text for one in values if one is not None and (text := str(one).strip())]


__all__ = ["UNKNOWN", "Config", "Label", "labels_of"]
