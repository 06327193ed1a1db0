"""Frozen models that objectives ask: opened when a run begins, not part of the model that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch

from tuwen.embedder import open_embedder
from tuwen.errors import ConfigError
from tuwen.judge._eyes import open_eye
from tuwen.recipe import name_of


class _Kind(NamedTuple):
    """What an objective may ask of a frozen model."""

    open: Callable[..., Any]
    """(source, device, where) -> the model."""
    does: str
    name: str
    recipe: str
    """Of a model that does it, for the message."""


_KINDS = {
    "match": _Kind(open_embedder, "matches pictures and texts", "MATCHES", "clip"),
    "look": _Kind(open_eye, "reads pictures", "SEES", "classifier"),
}


def guide(objectives: Iterable[Any], device: torch.device) -> None:
    """Gives each objective that has a `guide` the model that `source` of its Config names, of the kind that it `asks`.

    Raises:
        ConfigError: none is named, or there is no such model.
        CannotError: it does not match pictures and texts, or reads no pictures.
    """
    for objective in objectives:
        if not hasattr(objective, "guide"):
            continue
        kind = _KINDS[objective.asks]
        where, source = ".".join(name_of(objective.config)), objective.config.source
        if not source:
            raise ConfigError(
                f"{where} needs a model that {kind.does}: `tuwen train DATA -o {kind.name} -r {kind.recipe}` makes one, "
                f"--set {where}.source={kind.name} names it."
            )
        objective.guide = kind.open(source, device, where=where)
        objective.guide.model.requires_grad_(False)
