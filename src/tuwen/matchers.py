"""Several models that match pictures and texts as one: how well the two fit is the mean of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch.nn.functional import normalize

from tuwen._several import Several
from tuwen.errors import CannotError
from tuwen.model import CrossModal
from tuwen.types import Feed, Latent


class Matchers(Several):
    """Models as one model that matches. Its vectors are theirs side by side, so that a cosine is the mean of their cosines.

    A cosine is what all models that match have in common: their temperatures are of their objectives, and some learn none.

    Args:
        models: one or more, on one device.
        names: what they are called in messages, in the same order.
    Raises:
        CannotError: one of them does not match.
    """

    def __init__(self, models: Sequence[CrossModal], names: Sequence[str] = ()):
        _check(models, list(names) or [f"model {i}" for i in range(1, len(models) + 1)])
        super().__init__(models, models, ("image", "text"))
        self.names = tuple(names)
        own = models[0].recipe
        self.routes = {name: one for name, one in own.routes.items() if one.how == "embed"}
        self.recipe = replace(own, routes=self.routes)

    def latent(self, field: str, feed: Feed) -> Latent:
        """The vectors of all models side by side."""
        return side_by_side(self.latents(field, feed))


def _check(models: Sequence[CrossModal], names: Sequence[str]) -> None:
    fit = [name for model, name in zip(models, names, strict=True) if "match" in model.can()]
    if len(fit) < len(models):
        other = next(name for name in names if name not in fit)
        hint = f"Leave it out: {','.join(fit)}." if fit else "`tuwen train DATA -r dual-encoder` trains one that does."
        raise CannotError(f"{other} does not match pictures with texts, so that it has no vectors to compare. {hint}")


def side_by_side(latents: Sequence[Latent]) -> Latent:
    """Rows of several spaces as rows of one, in which a cosine is the mean of theirs.

    Args:
        latents: of the same rows; a single one stays as it is.
    Returns:
        Vectors of length 1. Its half of scale and bias is the mean of theirs, of scales the geometric one; none where one
        of them has none.
    """
    if len(latents) == 1:
        return latents[0]
    unit = [normalize(one.pooled.float(), dim=-1) for one in latents]
    scales = [one.scale for one in latents if one.scale is not None]
    biases = [one.bias for one in latents if one.bias is not None]
    return Latent(
        pooled=torch.cat(unit, -1) / len(unit) ** 0.5,
        owner_P=latents[0].owner_P,
        scale=torch.stack(scales).log().mean().exp() if len(scales) == len(latents) else None,
        bias=torch.stack(biases).mean() if len(biases) == len(latents) else None,
    )
