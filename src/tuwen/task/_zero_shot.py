"""Naming classes that no training row had as labels: each is a text, and the picture goes to the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuwen.errors import ConfigError
from tuwen.task._asking import ROWS

if TYPE_CHECKING:
    from torch import Tensor

    from tuwen.model import CrossModal
    from tuwen.types import Latent

TEMPLATES = ("{}", "a {}", "a photo of a {}")
"""Texts that are made of a label; those of the data are better where one knows how it speaks."""
PLACE = "{}"
"""Where the label goes."""


def check_templates(templates: Sequence[str]) -> None:
    """Raises ConfigError for a template without a place for the label, or where there is none at all."""
    for template in templates or ("",):
        if PLACE not in template:
            raise ConfigError(
                f"template is {template!r}; it needs {PLACE} where the label goes: --template 'a photo of a {PLACE}'"
            )


def class_latent(model: CrossModal, labels: Sequence[str], templates: Sequence[str] = TEMPLATES) -> Latent:
    """Where labels lie in the shared space: each is the mean of its texts, all of length 1.

    Args:
        labels: L of them.
        templates: T texts with `{}` in them.
    Returns:
        pooled (L, D); scale and bias of the texts' space.
    Source:
        Radford et al. 2021, arXiv:2103.00020, section 3.1.4 (ensembles of prompts in the space of embeddings).
    """
    import dataclasses

    import torch
    from torch.nn.functional import normalize

    from tuwen.types import Sample

    texts = [template.replace(PLACE, label) for label in labels for template in templates]
    parts = []
    for start in range(0, len(texts), ROWS):
        batch = model.batch([Sample(str(i), {"text": text}) for i, text in enumerate(texts[start : start + ROWS])])
        parts.append(model.latent("text", batch.inputs["text"]))
    pooled_LTD = normalize(torch.cat([part.pooled.float() for part in parts]), dim=-1).unflatten(0, (len(labels), -1))
    pooled_LD = normalize(pooled_LTD.mean(1), dim=-1)
    return dataclasses.replace(parts[0], pooled=pooled_LD, tokens=None, mask=None, owner_P=None)


def shares(image: Latent, classes: Latent) -> Tensor:
    """(P, L) softmax of the scaled similarities of pictures and labels, float32."""
    from tuwen.objective.contrastive import pair_logits

    return pair_logits(image, classes).softmax(-1)
