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
        inputs, targets: field -> part whose `prepare(values)` gives `(data, mask or None)`.
    """
    names = [*inputs, *(name for name in targets if name not in inputs)]
    values = {name: _values(samples, name, options) for name in names}

    def feeds(parts: Mapping[str, Any]) -> dict[str, Feed]:
        made = {}
        for name, part in parts.items():
            found, owner_P = values[name]
            if found:
                data, mask = part.prepare(found)
                made[name] = Feed(data, owner_P, mask)
        return made

    present = {name: torch.zeros(len(samples), dtype=torch.bool) for name in names}
    for name, flags in present.items():
        flags[values[name][1]] = True
    return Batch([s.key for s in samples], feeds(inputs), feeds(targets), present, list(samples))


def _values(samples: Sequence[Sample], name: str, options: Data) -> tuple[list[Any], torch.Tensor]:
    found: list[Any] = []
    owner: list[int] = []
    for row, sample in enumerate(samples):
        value = sample.fields.get(name)
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                is_picture = name.partition("@")[0] == "image" and not isinstance(one, Located)
                found.append(Located(one, sample.where, options.max_pixels) if is_picture else one)
                owner.append(row)
    return found, torch.tensor(owner, dtype=torch.int64)
