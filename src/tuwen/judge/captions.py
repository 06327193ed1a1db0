"""Captions: their likelihood, what is written against the references, and whether the pictures are looked at.

Figures:
    nats_per_token: likelihood of the references, without smoothing;
    shuffled_gap: nats per token that the picture of another row costs; 0 for a model that looks at no picture;
    bleu_1 .. bleu_4, rouge_l, cider; distinct_captions, commonest_share, num_captions;
    statement_truth and what else `metric.statement_truth` counts, of the drawn world.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.judge._rates import Means, Rates
from tuwen.model import CrossModal, align
from tuwen.task import caption as captioning
from tuwen.types import Batch, Decoded, Feed, Latent, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked


def able(model: CrossModal) -> bool:
    """Whether the model writes text from a picture."""
    return captioning.able(model)


class Judge:
    """Collects what the model writes of each picture."""

    less = ("nats_per_token", "commonest_share")
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, self.asked, self.means = model, asked, Means()
        self.route = captioning.route_of(model)
        self.route_name = next(name for name, route in model.recipe.routes.items() if route is self.route)
        self.captions: list[dict[str, Any]] = []
        self.scenes: list[Any] = []
        self.vocabulary = 0

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        if "image" not in made.latents or self.route is None:
            return
        latent = made.latents[self.route_name if self.route.fuse else "image"]
        if (decoded := made.routes.get(self.route_name)) is not None:
            self._add_likelihood(latent, decoded, batch)
        self._add_captions(latent, batch)

    def _add_likelihood(self, latent: Latent, decoded: Decoded, batch: Batch) -> None:
        nats_N = _nats(decoded)
        self.vocabulary = decoded.prediction.shape[-1]
        self.means.add("nats_per_token", float(nats_N.mean()), len(nats_N))
        if not self.asked.shuffled or len(latent) < 2 or decoded.mask is None:
            return
        _, target = align(latent, batch.targets["text"], len(batch))
        first_P = torch.ones(len(target), dtype=torch.bool, device=target.owner_P.device)
        first_P[1:] = target.owner_P[1:] != target.owner_P[:-1]  # one caption a picture is enough to tell
        mask = None if target.mask is None else target.mask[first_P]
        wrong = self.model.decoders["text"](_rolled(latent), Feed(target.data[first_P], target.owner_P[first_P], mask))
        right_N = nats_N[first_P[decoded.mask.nonzero()[:, 0]]]
        self.means.add("shuffled_gap", float(_nats(wrong).mean() - right_N.mean()), len(right_N))

    def _add_captions(self, latent: Latent, batch: Batch) -> None:
        decoder: Any = self.model.decoders["text"]
        written = [texts[0] for texts in self.asked.method(decoder, latent)]
        owners = range(len(written)) if latent.owner_P is None else latent.owner_P.tolist()
        said = decoder.texts([one.tokens for one in written])
        for owner, text, one in zip(owners, said, written, strict=True):
            fields = batch.raw[owner].fields if batch.raw else {}
            references = fields.get("text") or []
            references = [references] if isinstance(references, str) else list(references)
            logprob = round(captioning.mean_logprob(one), 4)
            self.captions.append(
                {"key": batch.keys[owner], "caption": text, "references": references, "logprob": logprob}
            )
            self.scenes.append(fields.get("scene"))

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """Figures of likelihood, of captions and of statements, each with what chance gives."""
        chance = {"nats_per_token": math.log(self.vocabulary), "shuffled_gap": 0.0} if self.vocabulary else {}
        yield Rates(more={**self.means.result(), **_variety([one["caption"] for one in self.captions])}), chance
        told = [one for one in self.captions if any(text.strip() for text in one["references"])]
        if told:
            yield self._with_other([one["caption"] for one in told], [one["references"] for one in told], caption_rates)
        drawn = [
            (one["caption"], scene) for one, scene in zip(self.captions, self.scenes, strict=True) if scene is not None
        ]
        if drawn:
            yield self._with_other([text for text, _ in drawn], [scene for _, scene in drawn], truth_rates)

    def rows(self) -> list[dict[str, Any]]:
        """One a picture: key, caption, references, logprob (mean per token)."""
        return self.captions

    def _with_other(self, texts: list[str], truths: list[Any], rates: Any) -> tuple[Rates, dict[str, float]]:
        """Figures of captions, and of the same captions each given to the next picture."""
        guessed = rates(texts[1:] + texts[:1], truths).figures if self.asked.shuffled and len(texts) > 1 else {}
        return rates(texts, truths), {name: value for name, value in guessed.items() if not name.startswith("num_")}


def _nats(decoded: Decoded) -> Tensor:
    """(N,) float32 cross-entropy of each token."""
    return F.cross_entropy(decoded.prediction.float(), decoded.target, reduction="none")


def _rolled(latent: Latent) -> Latent:
    """Every row looks at the picture of the row before it."""
    index = torch.arange(len(latent), device=latent.pooled.device).roll(1)
    return replace(latent.rows(index), owner_P=latent.owner_P)


def _variety(captions: Sequence[str]) -> dict[str, float]:
    """Whether the same is said of every picture."""
    from tuwen.metric.diversity import Diversity

    if not captions:
        return {}
    diversity = Diversity()
    diversity.update(list(captions))
    found = diversity.result()
    return {
        **{name: found[name] for name in ("distinct_captions", "commonest_share")},
        "num_captions": float(len(captions)),
    }


def caption_rates(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Rates:
    """bleu_1 .. bleu_4, rouge_l, cider; the rarity of words is that of all rows in every sample of the bootstrap."""
    from tuwen.metric import bleu, cider, rouge
    from tuwen.metric._captions import prepare

    kept = prepare(captions, references)
    length_N, closest_N, correct_NK, guess_NK = bleu._statistics(kept.ngrams())
    rouge_N, cider_N = np.array(rouge.Rouge(kept).per_item()), np.array(cider.Cider(kept).per_item())
    num_N = np.ones(len(captions))
    rows_NM = np.column_stack([rouge_N, cider_N, num_N, length_N, closest_N, correct_NK, guess_NK]).astype(float)
    order = correct_NK.shape[1]

    def of(sums_M: np.ndarray) -> dict[str, float]:
        rouge_l, cider_d, num = sums_M[:3]
        parts = (sums_M[3:4], sums_M[4:5], sums_M[None, 5 : 5 + order], sums_M[None, 5 + order :])
        values = bleu._bleu(*parts)[0]
        named = {f"bleu_{k}": float(value) for k, value in enumerate(values, 1)}
        return {**named, "rouge_l": float(rouge_l / num), "cider": float(cider_d / num)}

    return Rates(rows_NM=rows_NM, of=of, more={})


def truth_rates(captions: Sequence[str], scenes: Sequence[Any]) -> Rates:
    """What `metric.statement_truth` counts, of captions of the drawn world."""
    from tuwen.metric import statement_truth

    counts = []
    for caption, scene in zip(captions, scenes, strict=True):
        one = statement_truth.Config().build()
        one.update([caption], [scene])
        counts.append(one.count)
    names = sorted({name for count in counts for name in count})
    rows_NM = np.array([[count[name] for name in names] for count in counts], float)

    def of(sums_M: np.ndarray) -> dict[str, float]:
        whole = statement_truth.Config().build()
        whole.count.update({name: int(value) for name, value in zip(names, sums_M, strict=True)})
        found = whole.result()
        if not whole.count["unseen"]:
            found = {name: value for name, value in found.items() if "unseen" not in name}
        return {name: value for name, value in found.items() if name != "num_captions"}

    return Rates(rows_NM=rows_NM, of=of, more={})


__all__ = ["Judge", "able", "caption_rates", "truth_rates"]
