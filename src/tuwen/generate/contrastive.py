"""Probable tokens that do not say again what was said: one text without loops, and it streams."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.generate._limits import Limits
from tuwen.generate._lines import Lines
from tuwen.generate._logits import Rules
from tuwen.generate._prompt import ready
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config(Limits):
    """Settings of `Contrastive`."""

    candidates: int = 5
    """Most probable tokens that are tried at every step, 1 or more; 1: greedy."""
    penalty: float = 0.6
    """Weight of what was said before against the probability, 0 to 1; 0: greedy."""

    @property
    def streams(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        self.require(self.candidates >= 1, "candidates", "it is at least 1, for example candidates=5")
        self.require(0 <= self.penalty <= 1, "penalty", "it is from 0 (greedy) to 1, for example penalty=0.6")

    def build(self) -> Contrastive:
        self.check()
        return Contrastive(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(candidates=3, max_tokens=6)


class Contrastive:
    """Takes the token of the largest (1 - penalty) * probability - penalty * likeness.

    Likeness is the largest cosine between what the decoder would hold after the token and what it held at any place
    before. A step costs as much as one of `beam` with as many beams as candidates.

    Source:
        Su et al. 2022, arXiv:2202.06417, eq. 5.
    Differs:
        what the decoder holds is what it compares with the embeddings of all tokens. The last token that a decoder has
        room for is the most probable one: what comes after it cannot be computed.
    """

    def __init__(self, config: Config):
        self.config = config

    @torch.inference_mode()
    def __call__(
        self, decoder: Steps, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode; it gives `top`.
            emit: called with (row, token) at once for every token but the end.
            cancelled: asked before every step; True returns what there is.
        Returns:
            One list a row, each of one text. A row's text does not depend on the rows beside it.
        """
        if not len(latent):
            return []
        decoder, device = ready(decoder, self.config, latent), latent.pooled.device
        steps = min(self.config.max_tokens, decoder.max_tokens)
        lines = Lines(decoder, len(latent), device, steps=steps, emit=emit)
        search = _Search(self.config, decoder, latent)
        while len(lines) and not (cancelled is not None and cancelled()):
            keep_L = lines.take(*search.choose(lines.said, lookahead=lines.step + 1 < decoder.max_tokens))
            if keep_L is not None:
                search.keep(keep_L)
        return lines.written()


class _Search:
    """R texts: the logits of the next token of each, and what the decoder held at every place of it."""

    def __init__(self, config: Config, decoder: Steps, latent: Latent):
        self.config, self.decoder, pictures = config, decoder, len(latent)
        self.rules = Rules(config, decoder, latent.pooled.device)
        every = len(getattr(decoder, "pieces", ())) or config.candidates
        self.tried = min(config.candidates, every)
        self.state = decoder.start(latent, beams=self.tried)
        begin_N = torch.full((pictures * self.tried,), decoder.bos, device=latent.pooled.device)
        self.logits_RV = self._first(decoder.step(self.state, begin_N))
        held = [*getattr(decoder, "heard", ()), decoder.top(self.state)]  # type: ignore[attr-defined]
        self.held_RTD = torch.stack([self._first(F.normalize(top_ND.float(), dim=-1)) for top_ND in held], 1)

    def _first(self, x_ND: Tensor) -> Tensor:
        """(R * K, D) -> (R, D): of each picture's candidates the first; before any is tried all are alike."""
        return x_ND[:: self.tried].clone()

    def choose(self, said_RKT: Tensor, *, lookahead: bool) -> tuple[Tensor, Tensor]:
        """The next token of each text and its log-probability, both (R, 1); goes on from it."""
        whole_R1 = self.logits_RV.logsumexp(-1, keepdim=True)
        logits_RV = self.rules(self.logits_RV, said_RKT)
        logit_RK, token_RK = logits_RV.topk(min(self.tried, logits_RV.shape[1]))
        best_R1 = torch.zeros_like(token_RK[:, :1])
        if lookahead:
            best_R1 = self._look(token_RK, (logit_RK - whole_R1).exp())
        return token_RK.gather(1, best_R1), logit_RK.gather(1, best_R1) - whole_R1

    def _look(self, token_RK: Tensor, chance_RK: Tensor) -> Tensor:
        """Tries every candidate, gives the best one's number (R, 1) and goes on from it."""
        tried, penalty = self.tried, self.config.penalty
        spare_RK = token_RK[:, :1].expand(-1, tried - token_RK.shape[1])  # a vocabulary smaller than the candidates
        logits_NV = self.decoder.step(self.state, torch.cat((token_RK, spare_RK), 1).flatten())
        top_ND = F.normalize(self.decoder.top(self.state).float(), dim=-1)  # type: ignore[attr-defined]
        top_RKD = top_ND.view(len(token_RK), tried, -1)
        like_RK = (top_RKD[:, : token_RK.shape[1]] @ self.held_RTD.transpose(1, 2)).amax(-1)
        worth_RK = (1 - penalty) * chance_RK - penalty * like_RK
        best_R1 = worth_RK.masked_fill(chance_RK == 0, float("-inf")).argmax(1, keepdim=True)
        chosen_R = torch.arange(len(token_RK), device=token_RK.device) * tried + best_R1[:, 0]
        self.decoder.reorder(self.state, chosen_R.repeat_interleave(tried))
        self.logits_RV = logits_NV[chosen_R]
        self.held_RTD = torch.cat((self.held_RTD, top_ND[chosen_R][:, None]), 1)
        return best_R1

    def keep(self, keep_L: Tensor) -> None:
        self.decoder.drop(self.state, keep_L)
        self.logits_RV, self.held_RTD = self.logits_RV[keep_L], self.held_RTD[keep_L]
