"""Judging a model: one pass over batches gives every figure that the model and the data allow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen._figures import Rates, caption_rates, recall_rates, truth_rates
from tuwen.model import CrossModal, align
from tuwen.objective.contrastive import contrastive, matched_pair
from tuwen.task import caption as captioning
from tuwen.task._asking import asking
from tuwen.task.match import able as can_match
from tuwen.types import Batch, Decoded, Feed, Latent, Made


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a model is worth on some rows."""

    figures: dict[str, float]
    """Name -> value; see `evaluate`."""
    chance: dict[str, float] = field(default_factory=dict)
    """Figure -> what a model that knows nothing of the picture would reach."""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Figure -> 95 % interval over the rows, by bootstrap; empty unless asked for."""
    captions: list[dict[str, Any]] = field(default_factory=list)
    """One a picture: key, caption, references, logprob (mean per token)."""


def evaluate(
    model: CrossModal,
    batches: Iterable[Batch],
    *,
    method: Any = None,
    objectives: Mapping[str, Any] | None = None,
    weight: Mapping[str, float] | None = None,
    shuffled: bool = True,
    bootstrap: bool = False,
) -> Evaluation:
    """Runs the model once over the batches and computes what it can; each picture is encoded once.

    Args:
        batches: with all captions as targets and their raw samples; moved to the model's device.
        method: Config of `tuwen.generate` that writes the captions; beam search with 5 beams if None.
        objectives: name -> built objective; those of the recipe if None.
        weight: term -> its weight in the loss; the recipe's if None.
        shuffled: also judges what the model says and how surely when it is shown the picture of another row.
        bootstrap: also gives 95 % intervals.
    Returns:
        figures, where the model and the rows have what they need:
            loss and each objective's terms: means over the rows, teacher-forced;
            nats_per_token: likelihood of the references, without smoothing;
            shuffled_gap: nats per token that the picture of another row costs; 0 for a model that looks at no picture;
            bleu_1 .. bleu_4, rouge_l, cider; distinct_captions, commonest_share, num_captions;
            i2t_r1, i2t_r5, i2t_r10, i2t_median_rank (any of a picture's texts), the same for t2i, and recall, the
            mean of the six;
            statement_truth and what else `metric.statement_truth` counts.
    """
    if objectives is None:
        objectives = {name: config.build() for name, config in model.recipe.objective.items()}
    if method is None:
        from tuwen.generate.beam import Config as Beam

        method = Beam()
    seen = _Seen(model, method.build(), objectives, shuffled)
    with asking(model):
        for batch in batches:
            seen.add(batch.to(model.device))
    return seen.result(model.recipe.weight if weight is None else weight, bootstrap)


class _Seen:
    """What has been counted and collected so far."""

    def __init__(self, model: CrossModal, method: Any, objectives: Mapping[str, Any], shuffled: bool):
        self.model, self.method, self.objectives, self.shuffled = model, method, objectives, shuffled
        self.route = captioning.route_of(model)
        self.route_name = next((name for name, route in model.recipe.routes.items() if route is self.route), "")
        self.matches = can_match(model)
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, float] = defaultdict(float)
        self.vectors: dict[str, list[Tensor]] = {"image": [], "text": []}
        self.owners: dict[str, list[Tensor]] = {"image": [], "text": []}
        self.captions: list[dict[str, Any]] = []
        self.scenes: list[Any] = []
        self.rows = self.vocabulary = 0

    def add(self, batch: Batch) -> None:
        """Counts a batch that is on the model's device."""
        made = self.model(batch)
        for objective in self.objectives.values():
            for name, value in objective(made, batch).values.items():
                self._mean(name, float(value), len(batch))
        self._add_match(made, batch)
        if self.route is not None and "image" in made.latents:
            latent = made.latents.get(self.route_name) if self.route.fuse else made.latents["image"]
            assert latent is not None
            decoded = made.routes.get(self.route_name)
            if decoded is not None:
                self._add_likelihood(latent, decoded, batch)
            self._add_captions(latent, batch)
        self.rows += len(batch)

    def _mean(self, name: str, value: float, weight: float) -> None:
        if weight and not math.isnan(value):
            self.sums[name] += value * weight
            self.counts[name] += weight

    def _add_match(self, made: Made, batch: Batch) -> None:
        pair = matched_pair(made, "image", "text") if self.matches else None
        if pair is None:
            return
        if len(batch) > 1:
            self._mean("contrastive_chance", float(contrastive(torch.zeros_like(pair[0]), pair[1])), len(batch))
        for name in ("image", "text"):
            latent = made.latents[name]
            self.vectors[name].append(F.normalize(latent.pooled.float(), dim=-1).cpu())
            owner = torch.arange(len(latent)) if latent.owner_P is None else latent.owner_P.cpu()
            self.owners[name].append(owner + self.rows)

    def _add_likelihood(self, latent: Latent, decoded: Decoded, batch: Batch) -> None:
        nats_N = _nats(decoded)
        self.vocabulary = decoded.prediction.shape[-1]
        self._mean("nats_per_token", float(nats_N.mean()), len(nats_N))
        if not self.shuffled or len(latent) < 2 or decoded.mask is None:
            return
        _, target = align(latent, batch.targets["text"], len(batch))
        first_P = torch.ones(len(target), dtype=torch.bool, device=target.owner_P.device)
        first_P[1:] = target.owner_P[1:] != target.owner_P[:-1]  # one caption a picture is enough to tell
        mask = None if target.mask is None else target.mask[first_P]
        wrong = self.model.decoders["text"](_rolled(latent), Feed(target.data[first_P], target.owner_P[first_P], mask))
        right_N = nats_N[first_P[decoded.mask.nonzero()[:, 0]]]
        self._mean("shuffled_gap", float(_nats(wrong).mean() - right_N.mean()), len(right_N))

    def _add_captions(self, latent: Latent, batch: Batch) -> None:
        decoder: Any = self.model.decoders["text"]
        written = [texts[0] for texts in self.method(decoder, latent)]
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

    # -- from counts to figures ------------------------------------------------------------------------------------

    def result(self, weight: Mapping[str, float], bootstrap: bool) -> Evaluation:
        figures = {name: total / self.counts[name] for name, total in self.sums.items()}
        terms = [name for name in figures if name not in ("contrastive_chance", "nats_per_token", "shuffled_gap")]
        chance: dict[str, float] = {}
        if terms:
            figures = {"loss": sum(figures[name] * weight.get(name, 1.0) for name in terms), **figures}
        if "contrastive_chance" in figures and "contrastive" in figures:
            chance["contrastive"] = figures["contrastive_chance"]
        if self.vocabulary:
            chance |= {"nats_per_token": math.log(self.vocabulary), "shuffled_gap": 0.0}
        figures |= _variety([one["caption"] for one in self.captions])
        intervals: dict[str, tuple[float, float]] = {}
        for rates, guessed in self._rates():
            figures |= rates.figures
            chance |= guessed
            intervals |= rates.intervals() if bootstrap else {}
        return Evaluation(figures=figures, chance=chance, intervals=intervals, captions=self.captions)

    def _rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """Figures of captions, of statements and of retrieval, each with what chance gives."""
        told = [one for one in self.captions if any(text.strip() for text in one["references"])]
        if told:
            yield self._with_other([one["caption"] for one in told], [one["references"] for one in told], caption_rates)
        drawn = [
            (one["caption"], scene) for one, scene in zip(self.captions, self.scenes, strict=True) if scene is not None
        ]
        if drawn:
            yield self._with_other([text for text, _ in drawn], [scene for _, scene in drawn], truth_rates)
        if self.vectors["image"]:
            vectors = [torch.cat(self.vectors[name]) for name in ("image", "text")]
            found = recall_rates(*vectors, *(torch.cat(self.owners[name]) for name in ("image", "text")))
            if found is not None:
                yield found

    def _with_other(self, texts: list[str], truths: list[Any], rates: Any) -> tuple[Rates, dict[str, float]]:
        """Figures of captions, and of the same captions each given to the next picture."""
        guessed = rates(texts[1:] + texts[:1], truths).figures if self.shuffled and len(texts) > 1 else {}
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


__all__ = ["Evaluation", "evaluate"]
