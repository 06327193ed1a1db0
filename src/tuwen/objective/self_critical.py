"""Texts that the model draws itself become more probable the better they agree with the references (CIDEr-D)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.metric._consensus import Consensus
from tuwen.types import Batch, Decoded, Made, Route, Sample, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "caption"
    """Route that makes the text; texts are drawn from what it is given."""
    samples: int = 5
    """Texts that are drawn for each row of a step: 2 or more, with baseline=greedy 1 or more."""
    baseline: Literal["others", "greedy"] = "others"
    """What a text is compared with: others, the mean reward of the other texts of its row; greedy, that of the most
    probable text, as in the paper, which is made for this at every step."""

    def __post_init__(self) -> None:
        least = 2 if self.baseline == "others" else 1
        if self.samples < least:
            raise ConfigError(
                f"objective.self_critical: samples is {self.samples}; with baseline={self.baseline} it is {least} or "
                "more, for example samples=5."
            )

    def build(self) -> SelfCritical:
        return SelfCritical(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def routes(self, known: Mapping[str, Route]) -> dict[str, Route]:
        """What training runs besides the recipe's routes: the drawn texts, and the most probable ones if asked for.

        Raises:
            ConfigError: the recipe has no such route, or it makes no text.
        """
        base = known.get(self.route)
        if base is None or base.make is None:
            making = [name for name, route in known.items() if route.make]
            raise ConfigError(
                f"objective.self_critical draws texts by the route {self.route!r}, which the recipe has not. Set "
                f"objective.self_critical.route to one of: {', '.join(making) or 'none makes anything'}."
            )
        drawn = {self.drawn: replace(base, how="sample", samples=self.samples)}
        return drawn | ({self.probable: replace(base, how="sample", samples=0)} if self.baseline == "greedy" else {})

    @property
    def drawn(self) -> str:
        """Name of the route of the drawn texts."""
        return f"{self.route}@drawn"

    @property
    def probable(self) -> str:
        """Name of the route of the most probable texts."""
        return f"{self.route}@probable"

    def example(self) -> tuple[Made, Batch]:
        said = ["a red dog", "a dog", "two birds", "a red bird"][: 2 * self.samples]
        mask = torch.ones(len(said), 2, dtype=torch.bool)
        logits = torch.randn(2 * len(said), 7, generator=torch.Generator().manual_seed(0))
        target, owner = torch.arange(2 * len(said)) % 7, torch.arange(len(said)) // 2
        ended = torch.ones(len(said), dtype=torch.bool)
        drawn = Decoded(logits, target, mask, owner, texts=said, finished=ended)
        probable = Decoded(logits[:4], target[:4], mask[:2], owner[::2], texts=["a dog", "a bird"], finished=ended[:2])
        rows = [Sample("a", {"text": ["a red dog runs"]}), Sample("b", {"text": ["a bird", "a red bird sits"]})]
        return Made({}, {self.drawn: drawn, self.probable: probable}), Batch(["a", "b"], {}, raw=rows)


class SelfCritical:
    """`(made, batch) -> Terms(self_critical)`, near 0; what it is about is reported: `reward`, the mean CIDEr-D.

    For a model that captions already (`tuwen train --start-from`): one that does not draws nothing worth rewarding. It
    works in training only, since evaluation draws no texts; let a figure such as cider decide the best model.

    Before `fit` all n-grams count the same, and the references are the captions of the batch.

    Source:
        Rennie et al. 2017, arXiv:1612.00563; the mean of the others as baseline: Luo 2020, arXiv:2003.09971.
    Differs:
        texts are drawn without dropout, and the end of a text is a word in the reward, as in Luo's code.
    """

    def __init__(self, config: Config):
        self.config, self.reward = config, Consensus()
        self.references: dict[str, list[str]] = {}

    def fit(self, samples: Sequence[Sample]) -> None:
        """Counts in the captions of the training rows which words are rare, and keeps them as references."""
        self.references = {sample.key: _texts(sample) for sample in samples}
        self.reward = Consensus(self.references.values())

    def __call__(self, made: Made, batch: Batch) -> Terms:
        drawn, probable = made.routes.get(self.config.drawn), made.routes.get(self.config.probable)
        if drawn is None or drawn.mask is None or drawn.owner_P is None:
            return Terms()
        reward_P, rows = self._rewards(drawn, batch), len(batch)
        if self.config.baseline == "greedy" and probable is not None and probable.owner_P is not None:
            beside_P = _mean_of_rows(self._rewards(probable, batch), probable.owner_P, rows)[drawn.owner_P]
        else:
            beside_P = mean_of_others(reward_P, drawn.owner_P, rows)
        ahead_N = (reward_P - beside_P).repeat_interleave(drawn.mask.sum(1))
        term = self_critical(drawn.prediction, drawn.target, ahead_N)
        return Terms({"self_critical": term}, {"reward": reward_P.mean()})

    def _rewards(self, decoded: Decoded, batch: Batch) -> Tensor:
        """(P,) CIDEr-D of each text with the references of its row."""
        assert decoded.texts is not None and decoded.finished is not None and decoded.owner_P is not None
        own = [_texts(sample) for sample in batch.raw] or [[] for _ in batch.keys]
        groups = [self.references.get(key) or texts for key, texts in zip(batch.keys, own, strict=True)]
        references = [groups[row] for row in decoded.owner_P.tolist()]
        reward = self.reward.scores(decoded.texts, references, decoded.finished.tolist())
        return torch.tensor(reward, device=decoded.owner_P.device)


def self_critical(logits_NV: Tensor, target_N: Tensor, ahead_N: Tensor) -> Tensor:
    """Mean over the tokens of -ahead * log p(token): its gradient makes texts probable that are ahead of the baseline.

    Args:
        logits_NV: (N, V) float.
        target_N: (N,) int64, the tokens of texts drawn from the model.
        ahead_N: (N,) reward of each token's text less the baseline; no gradient flows to it.
    Source:
        Rennie et al. 2017, arXiv:1612.00563, eq. 8; per token instead of per text.
    Example:
        >>> round(self_critical(torch.zeros(2, 4), torch.tensor([1, 3]), torch.tensor([2.0, -1.0])).item(), 4)
        0.6931
    """
    logprob_N = logits_NV.float().log_softmax(-1).gather(1, target_N[:, None])[:, 0]
    return -(ahead_N.detach() * logprob_N).mean()


def mean_of_others(reward_P: Tensor, owner_P: Tensor, rows: int) -> Tensor:
    """(P,) for each text the mean reward of the other texts of its row, of which there is at least one.

    Example:
        >>> mean_of_others(torch.tensor([1.0, 2.0, 6.0]), torch.zeros(3, dtype=torch.int64), 1)
        tensor([4.0000, 3.5000, 1.5000])
    """
    total_B = reward_P.new_zeros(rows).index_add(0, owner_P, reward_P)
    count_B = torch.bincount(owner_P, minlength=rows)
    return (total_B[owner_P] - reward_P) / (count_B[owner_P] - 1)


def _mean_of_rows(reward_P: Tensor, owner_P: Tensor, rows: int) -> Tensor:
    total_B = reward_P.new_zeros(rows).index_add(0, owner_P, reward_P)
    return total_B / torch.bincount(owner_P, minlength=rows).clamp(min=1)


def _texts(sample: Sample) -> list[str]:
    value = sample.fields.get("text") or []
    return [value] if isinstance(value, str) else list(value)
