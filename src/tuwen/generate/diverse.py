"""Beam search in groups that keep away from each other's words: several texts that differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest

import torch
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.generate._limits import Ranked
from tuwen.generate._prompt import ready
from tuwen.generate._search import Search
from tuwen.generate._shared import shared
from tuwen.generate._written import Cancelled, Emit, Written, fill_holes
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config(Ranked):
    """Settings of `Diverse`."""

    groups: int = 0
    """Groups that the beams are split into, evenly; 0: each beam is one. The first group is a plain beam search."""
    diversity: float = 0.5
    """What a token costs, in nats, for each beam of an earlier group that has it in the same place; 0 or more."""

    def check(self) -> None:
        super().check()
        divisors = [str(n) for n in range(1, self.beams + 1) if self.beams % n == 0]
        good = self.groups >= 0 and (self.groups == 0 or self.beams % self.groups == 0)
        self.require(
            good, "groups", f"it divides the number of beams, {self.beams}: 0 (each beam is one), {', '.join(divisors)}"
        )
        self.require(self.diversity >= 0, "diversity", "it is 0 or more, for example diversity=0.5")

    def build(self) -> Diverse:
        self.check()
        return Diverse(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(beams=4, groups=2, max_tokens=6)


class Diverse:
    """Writes as `beam` does, in each group, but what earlier groups say in the same place is less welcome.

    Source:
        Vijayakumar et al. 2016, arXiv:1610.02424, algorithm 1 with Hamming diversity (section 5.1): the cost counts
        where tokens are chosen, and not in the scores of texts.
    """

    def __init__(self, config: Config):
        self.config = config

    def __call__(
        self, decoder: Steps, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode.
            emit: called with (row, token) for the best text of a row, once that row is done.
            cancelled: asked before every step; True returns the best of what there is.
        Returns:
            One list a row of at most `best` different texts: the best of each group, the best of these first, then the
            second best of each, and so on.
        """
        return shared(self._write, decoder, latent, emit, cancelled)

    @torch.inference_mode()
    def _write(
        self, decoder: Steps, latent: Latent, emit: Emit | None, cancelled: Cancelled | None
    ) -> list[list[Written]]:
        made: list[list[Written]] = [[] for _ in range(len(latent))]
        if not made:
            return made
        decoder = ready(decoder, self.config, latent)
        groups = _Groups(self.config, decoder, len(latent), latent.pooled.device)
        state = decoder.start(latent, beams=self.config.beams)
        while len(groups):
            if cancelled is not None and cancelled():
                groups.give_up()
            else:
                groups.advance(decoder.step(state, groups.last_N()))
            if (done_R := groups.done_R()).any():
                for row in groups.rows(done_R):
                    made[row] = groups.texts(row)
                    for token in made[row][0].tokens if emit is not None else ():
                        emit(row, token)  # type: ignore[misc]
                keep_L = fill_holes(done_R)
                decoder.drop(state, keep_L)
                groups.keep(keep_L)
            if len(groups):
                decoder.reorder(state, groups.parent_N())
        return made


class _Groups:
    """One search a group, over the same pictures: a picture is done when all its groups are."""

    def __init__(self, config: Config, decoder: Steps, pictures: int, device: torch.device):
        count = config.groups or config.beams
        self.config, self.each = config, config.beams // count
        one = replace(config, beams=self.each, groups=0, best=self.each)
        self.searches = [Search(one, decoder, pictures, device) for _ in range(count)]
        self.found: list[dict[int, list[Written]]] = [{} for _ in range(count)]
        """For each group the texts of the pictures that it is done with."""
        self.done_GR = torch.zeros(count, pictures, dtype=torch.bool, device=device)

    def __len__(self) -> int:
        return len(self.searches[0])

    def last_N(self) -> Tensor:
        return torch.cat([search.last_RK for search in self.searches], 1).flatten()

    def parent_N(self) -> Tensor:
        parent_RK = torch.cat([search.parent_RK + g * self.each for g, search in enumerate(self.searches)], 1)
        first_R1 = torch.arange(len(self), device=parent_RK.device)[:, None] * self.config.beams
        return (first_R1 + parent_RK).flatten()

    def advance(self, logits_NV: Tensor) -> None:
        logits_RKV = logits_NV.view(len(self), self.config.beams, -1)
        used_RV = torch.zeros_like(logits_RKV[:, 0])
        for group, search in enumerate(self.searches):
            logits_RGV = logits_RKV[:, group * self.each : (group + 1) * self.each]
            search.advance(logits_RGV.flatten(0, 1), self.config.diversity * used_RV if group else None)
            self._note(group)
            going_RK = (~self.done_GR[group])[:, None].expand(-1, self.each).to(used_RV.dtype)
            used_RV.scatter_add_(1, search.last_RK, going_RK)

    def give_up(self) -> None:
        for group, search in enumerate(self.searches):
            search.give_up()
            self._note(group)

    def _note(self, group: int) -> None:
        """Keeps the texts of pictures that the group is done with now: it runs on until the others are, for nothing."""
        done_R = self.searches[group].done_R
        if (done_R > self.done_GR[group]).any():
            for row, texts in self.searches[group].written():
                self.found[group].setdefault(row, texts)
            self.done_GR[group] |= done_R

    def done_R(self) -> Tensor:
        return self.done_GR.all(0)

    def rows(self, done_R: Tensor) -> list[int]:
        rows: list[int] = self.searches[0].row_R[done_R].tolist()
        return rows

    def keep(self, keep_L: Tensor) -> None:
        self.done_GR = self.done_GR[:, keep_L]
        for search in self.searches:
            search.keep(keep_L)

    def texts(self, row: int) -> list[Written]:
        """The best of each group, then the second best of each, and so on; each once."""

        def score(text: Written) -> float:
            return text.score(self.config.length_penalty)

        groups = sorted((found[row] for found in self.found), key=lambda texts: -score(texts[0]))
        ranked = [text for rank in zip_longest(*groups) for text in rank if text is not None]
        different = {(tuple(text.tokens), text.finished): text for text in reversed(ranked)}
        return [text for text in ranked if different[tuple(text.tokens), text.finished] is text][: self.config.best]
