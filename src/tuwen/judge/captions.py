"""Captions: their likelihood, what is written against the references, and whether the pictures are looked at.

Figures:
    nats_per_token, perplexity: likelihood of the references, without smoothing;
    shuffled_gap: nats per token that the picture of another row costs; 0 for a model that looks at no picture;
    bleu_1 .. bleu_4, rouge_l, cider; num_captions; what `metric.diversity` counts: distinct_captions, commonest, copied
    (where training captions are known), ...; mbleu_1 .. mbleu_4 where several captions a picture are written;
    confidence_ece and what else `judge._sure` says of a calibrated model;
    statement_truth and what else `metric.statement_truth` counts, of the drawn world.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.data._scene_world import scene_in
from tuwen.judge._rates import Rates, Weighted, joined, mean_rates
from tuwen.judge._sure import Sure, ciders, judged
from tuwen.metric._captions import with_references
from tuwen.model import CrossModal, align
from tuwen.task import caption as captioning
from tuwen.task._confidence import calibrated, known_of
from tuwen.types import Batch, Decoded, Feed, Latent, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked


def able(model: CrossModal) -> bool:
    """Whether the model writes text from a picture."""
    return captioning.able(model)


class Judge:
    """Collects what the model writes of each picture."""

    less = ("nats_per_token", "perplexity", "commonest", "commonest_share")
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, self.asked = model, asked
        self.likelihoods: list[np.ndarray] = []
        self.route = captioning.route_of(model)
        self.route_name = next(name for name, route in model.routes.items() if route is self.route)
        self.captions: list[dict[str, Any]] = []
        self.scenes: list[Any] = []
        self.vocabulary = 0
        self.sure = calibrated(model, asked.method.config)

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        if "image" not in made.latents or self.route is None:
            return
        latent = made.latents[self.route_name if self.route.fuse else "image"]
        if (decoded := made.routes.get(self.route_name)) is not None:
            self._add_likelihood(latent, decoded, batch)
        self._add_captions(latent, batch)

    def _add_likelihood(self, latent: Latent, decoded: Decoded, batch: Batch) -> None:
        """For each picture sums over tokens: nats, tokens; nats with another picture, with the own one, tokens of these."""
        if decoded.mask is None or decoded.texts is not None:  # not the references, but what the model wrote itself
            return
        _, target = align(latent, batch.targets["text"], len(batch))
        nats_N = _nats(decoded)
        self.vocabulary = decoded.prediction.shape[-1]
        caption_N = decoded.mask.nonzero()[:, 0]
        columns = [_by_picture(nats_N, target.owner_P[caption_N], len(latent))]
        if self.asked.shuffled and len(latent) > 1:
            first_P = torch.ones(len(target), dtype=torch.bool, device=target.owner_P.device)
            first_P[1:] = target.owner_P[1:] != target.owner_P[:-1]  # one caption a picture is enough to tell
            mask = None if target.mask is None else target.mask[first_P]
            told = Feed(target.data[first_P], target.owner_P[first_P], mask)
            wrong_N = _nats(self.model.decoders["text"](_rolled(latent), told))
            own_N = first_P[caption_N]
            owner_N = target.owner_P[caption_N[own_N]]
            columns.append(_by_picture(wrong_N, owner_N, len(latent))[:, :1])
            columns.append(_by_picture(nats_N[own_N], owner_N, len(latent)))
        sums_B5 = torch.cat([*columns, latent.pooled.new_zeros(len(latent), 3)], 1)[:, :5]
        self.likelihoods.append(sums_B5.cpu().double().numpy())

    def _add_captions(self, latent: Latent, batch: Batch) -> None:
        decoder: Any = self.model.decoders["text"]
        written = self.asked.method(decoder, latent)
        owners = range(len(written)) if latent.owner_P is None else latent.owner_P.tolist()
        for owner, texts in zip(owners, written, strict=True):
            said = decoder.texts([one.tokens for one in texts])
            fields = batch.raw[owner].fields if batch.raw else {}
            references = fields.get("text") or []
            references = [references] if isinstance(references, str) else list(references)
            logprob = round(captioning.mean_logprob(texts[0]), 4)
            row = {"key": batch.keys[owner], "caption": said[0], "references": references, "logprob": logprob}
            self.captions.append({**row, **({"alternatives": said[1:]} if len(said) > 1 else {})})
            self.scenes.append(scene_in(fields))
        if self.sure or self.asked.unsure:
            self._add_confidence(latent, [texts[0] for texts in written])

    def _add_confidence(self, latent: Latent, written: list[Any]) -> None:
        """Says of the last rows how sure the model is, or what that is fitted on."""
        known, rows = known_of(self.model, latent, written), self.captions[-len(written) :]
        if self.asked.unsure:
            for place, row in enumerate(rows):
                row["known"] = {name: float(value_N[place]) for name, value_N in known.items()}
        elif self.model.confidence is not None:
            for row, sure in zip(rows, self.model.confidence(known).tolist(), strict=True):
                row["confidence"] = round(sure, 4)

    def rates(self) -> Iterable[tuple[Rates | Weighted, dict[str, float]]]:
        """Figures of likelihood, of captions and of statements, each with what chance gives."""
        if self.likelihoods:
            unknown = {"nats_per_token": math.log(self.vocabulary), "perplexity": float(self.vocabulary)}
            sums_N5 = np.concatenate(self.likelihoods)
            yield Rates(rows_NM=sums_N5, of=_likelihood), {**unknown, "shuffled_gap": 0.0}
        for rates in variety_rates([one["caption"] for one in self.captions], self.asked.known):
            yield rates, {}
        if any("alternatives" in one for one in self.captions):
            yield mutual_rates([[one["caption"], *one.get("alternatives", ())] for one in self.captions]), {}
        if told := with_references(self.captions):
            yield self._with_other([one["caption"] for one in told], [one["references"] for one in told], caption_rates)
        if self._confident is not None:
            yield self._confident.rates, self._confident.chance
        drawn = [
            (one["caption"], scene) for one, scene in zip(self.captions, self.scenes, strict=True) if scene is not None
        ]
        if drawn:
            yield self._with_other([text for text, _ in drawn], [scene for _, scene in drawn], truth_rates)

    def rows(self) -> list[dict[str, Any]]:
        """One a picture: key, caption, references, logprob (mean per token); alternatives, confidence where there are."""
        return self.captions

    def tables(self, bootstrap: bool) -> dict[str, list[dict[str, float]]]:
        """How often captions of a calibrated model are acceptable, by their confidence."""
        return {} if self._confident is None else {"reliability": self._confident.reliability}

    @cached_property
    def _confident(self) -> Sure | None:
        """What the confidence is worth of the captions that have one and references, when all batches are there."""
        rows = [row for row in with_references(self.captions) if "confidence" in row]
        if not rows or self.model.confidence is None:
            return None
        return judged([row["confidence"] for row in rows], ciders(rows), cider=self.model.confidence.cider)

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


def _by_picture(nats_N: Tensor, owner_N: Tensor, num: int) -> Tensor:
    """(B, 2) sums of nats, and numbers of tokens, of each picture."""
    columns_N2 = torch.stack([nats_N, torch.ones_like(nats_N)], 1)
    return columns_N2.new_zeros(num, 2).index_add(0, owner_N, columns_N2)


def _likelihood(sums_5: np.ndarray) -> dict[str, float]:
    """Figures of such sums."""
    nats, tokens, wrong, right, compared = sums_5.tolist()
    if not tokens:
        return {}
    gap = {"shuffled_gap": (wrong - right) / compared} if compared else {}
    return {"nats_per_token": nats / tokens, "perplexity": math.exp(min(nats / tokens, 700.0)), **gap}


def variety_rates(captions: Sequence[str], known: Sequence[str] = ()) -> list[Rates]:
    """Whether the same is said of every picture, or, where texts are known, what was learned by heart.

    A sample with replacement says things twice, so that only the share of copies has an interval.
    """
    from tuwen.metric.diversity import Diversity

    if not captions:
        return []
    diversity = Diversity()
    diversity.update(list(captions))
    if known:
        diversity.remember(known)
    figures = {**diversity.result(), "num_captions": float(len(captions))}
    copied = {"copied": np.array(diversity.copies(captions))} if figures.pop("copied", None) is not None else {}
    return [Rates(more=figures), *([mean_rates(copied)] if copied else [])]


def mutual_rates(sets: Sequence[Sequence[str]]) -> Rates:
    """mbleu_1 .. mbleu_4 of the captions of each picture; no figures where no picture has two."""
    from tuwen.errors import DataError
    from tuwen.metric.mutual_bleu import MutualBleu

    metric = MutualBleu()
    metric.update(sets)
    try:
        return joined([metric.sums()])
    except DataError:
        return Rates()


def caption_rates(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Rates:
    """bleu_1 .. bleu_4, rouge_l, cider; the rarity of words is that of all rows in every sample of the bootstrap."""
    from tuwen.metric import bleu, cider, rouge
    from tuwen.metric._captions import prepare

    kept = prepare(captions, references)
    return joined(metric.sums() for metric in (bleu.Bleu(kept), rouge.Rouge(kept), cider.Cider(kept)))


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


__all__ = ["Judge", "able", "caption_rates", "mutual_rates", "truth_rates"]
