"""Frozen models that objectives ask: opened when a run begins, not part of the model that it makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from tuwen.embedder import open_embedder
from tuwen.errors import ConfigError
from tuwen.recipe import name_of


def guide(objectives: Iterable[Any], device: torch.device) -> None:
    """Gives each objective that has a `guide` the model that `source` of its Config names.

    Raises:
        ConfigError: none is named, or there is no such model.
        CannotError: it does not match pictures and texts.
    """
    for objective in objectives:
        if not hasattr(objective, "guide"):
            continue
        where, source = ".".join(name_of(objective.config)), objective.config.source
        if not source:
            raise ConfigError(
                f"{where} needs a model that matches pictures and texts: `tuwen train DATA -o MATCHES -r clip` makes one, "
                f"--set {where}.source=MATCHES names it."
            )
        objective.guide = open_embedder(source, device, where=where)
        objective.guide.model.requires_grad_(False)
