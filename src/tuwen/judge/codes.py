"""How much of its codes a quantised space uses, over all rows at once, and how well those are foreseen that are drawn.

Figures, of a space other than the pictures' with the name of its field before them:
    code_use: share of the codes that occur; code_perplexity: the share that would occur if all were used alike,
        exp(entropy) over their number. Chance: as many codes drawn at random.
    nats_per_code: how surprising a code is to the decoder that draws them, those before it known. Chance: the logarithm of
        their number.
    code_gap: how much more surprising it is with what is given for another row. Chance: 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tuwen.judge._rates import Rates, mean_rates
from tuwen.space._codes import Codes
from tuwen.types import Batch, Decoded, Feed, Latent, Made, base_of

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal


def able(model: CrossModal) -> bool:
    """Whether a space of the model has codes."""
    return bool(_sizes(model))


def _sizes(model: CrossModal) -> dict[str, int]:
    """Field -> codes that there are."""
    return {field: part.size for field, part in model.spaces.items() if isinstance(part, Codes)}


def _before(field: str) -> str:
    """What stands before the names of figures of a field."""
    return "" if field == "image" else f"{field}_"


class Judge:
    """Counts the codes of each field, and collects how surprising those are that are drawn."""

    less = ("nats_per_code",)
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, self.asked = model, asked
        self.counts = {field: torch.zeros(size) for field, size in _sizes(model).items()}
        self.nats: dict[str, list[dict[str, Tensor]]] = {}

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        for field, count_K in self.counts.items():
            latent = made.latents.get(field)
            if latent is not None and latent.codes is not None:
                real_N = latent.codes.flatten() if latent.mask is None else latent.codes[latent.mask]
                count_K += torch.bincount(real_N.cpu(), minlength=len(count_K))
        for name, route in self.model.routes.items():
            part: Any = self.model.decoders[route.make] if route.make else None
            if name in made.routes and getattr(part, "modality", "") == "codes":
                latent = made.latents[name if route.fuse else route.given[0]]
                self.nats.setdefault(base_of(str(route.make)), []).append(
                    self._surprise(part, latent, made.routes[name])
                )

    def _surprise(self, decoder: Any, latent: Latent, decoded: Decoded) -> dict[str, Tensor]:
        """Figure -> its value for each picture of a batch."""
        nats_P = _nats(decoded)
        if not self.asked.shuffled or len(latent) < 2 or decoded.owner_P is None:
            return {"nats_per_code": nats_P}
        other = latent.rows((torch.arange(len(latent), device=nats_P.device) + 1) % len(latent))
        wrong_P = _nats(decoder(other, Feed(decoded.target, decoded.owner_P)))
        return {"nats_per_code": nats_P, "code_gap": wrong_P - nats_P}

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """Figures of each field, beside those of chance."""
        for field, count_K in self.counts.items():
            if num := int(count_K.sum()):
                random_N = torch.randint(len(count_K), (num,), generator=torch.Generator().manual_seed(0))
                random_K = random_N.bincount(minlength=len(count_K))
                yield Rates(more=_figures(count_K, _before(field))), _figures(random_K, _before(field))
        for field, batches in self.nats.items():
            chance = {"nats_per_code": math.log(len(self.counts[field])), "code_gap": 0.0}
            for name, level in chance.items():
                if found := [one[name] for one in batches if name in one]:
                    named = _before(field) + name
                    yield mean_rates({named: torch.cat(found).cpu().double().numpy()}), {named: level}

    def rows(self) -> list[dict[str, Any]]:
        """Nothing of single rows."""
        return []


def _nats(decoded: Decoded) -> Tensor:
    """(P,) mean surprise of the codes of each picture."""
    logprob_PTK = decoded.prediction.float().log_softmax(-1)
    return -logprob_PTK.gather(2, decoded.target[:, :, None])[:, :, 0].mean(1)


def _figures(count_K: Tensor, before: str) -> dict[str, float]:
    share_K = count_K / count_K.sum()
    perplexity = float(torch.special.entr(share_K).sum().exp())
    return {
        f"{before}code_use": float((count_K > 0).float().mean()),
        f"{before}code_perplexity": perplexity / len(count_K),
    }
