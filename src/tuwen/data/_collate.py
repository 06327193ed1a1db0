"""Samples -> a Batch: every part prepares its own field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tuwen.data._config import Data
from tuwen.types import Batch, Feed, Located, Sample


def collate(
    samples: Sequence[Sample], inputs: Mapping[str, Any], targets: Mapping[str, Any], *, options: Data
) -> Batch:
    """Calls the `prepare` of every part on the values that are there.

    Args:
        samples: B rows; a field that is missing, None or an empty list is normal.
        inputs, targets: field -> part whose `prepare(values)` gives `(data, mask or None)`. A part that is `whole`
            takes the list of a row as one value.
    """
    present: dict[str, torch.Tensor] = {}

    def feeds(parts: Mapping[str, Any]) -> dict[str, Feed]:
        made = {}
        for name, part in parts.items():
            found, owner_P = _values(samples, name, options, whole=getattr(part, "whole", False))
            present[name] = torch.zeros(len(samples), dtype=torch.bool).index_fill_(0, owner_P, True)
            if found:
                data, mask = part.prepare(found)
                made[name] = Feed(data, owner_P, mask)
        return made

    return Batch([s.key for s in samples], feeds(inputs), feeds(targets), present, list(samples))


def _values(samples: Sequence[Sample], name: str, options: Data, *, whole: bool) -> tuple[list[Any], torch.Tensor]:
    """The values that are there, and the row of each."""
    found: list[Any] = []
    owner: list[int] = []
    for row, sample in enumerate(samples):
        value = sample.fields.get(name)
        is_one = not isinstance(value, list | tuple) or (whole and len(value) > 0)
        for one in [value] if is_one else list(value or ()):
            if one is not None:
                is_picture = name.partition("@")[0] == "image" and not isinstance(one, Located)
                found.append(Located(one, sample.where, options.max_pixels) if is_picture else one)
                owner.append(row)
    return found, torch.tensor(owner, dtype=torch.int64)
