"""Beam search: keeps the k most probable beginnings of a text and gives the best whole ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.errors import ConfigError
from tuwen.generate._written import Cancelled, Emit, Written, ban, check_lengths, fill_holes
from tuwen.types import Latent

_NOTHING = -1e9
"""Score of a place that holds no text."""


@dataclass(frozen=True, kw_only=True)
class Config:
    beams: int = 5
    """Beginnings K that are kept for each picture; 1 with length_penalty 0 is greedy. More than 10 rarely helps."""
    max_tokens: int = 128
    """Most tokens that are written, the end included; never more than the decoder's own max_tokens."""
    min_tokens: int = 0
    """Tokens before which a text may not end."""
    length_penalty: float = 1.0
    """Texts are ranked by logprob / length ** length_penalty: 0 prefers short ones, above 1 long ones."""
    no_repeat_ngram: int = 0
    """Size of the runs of tokens that no text may hold twice; 0: any may."""
    best: int = 1
    """Texts that are given back for each picture, at most beams."""

    def build(self) -> Beam:
        check_lengths("generate.beam", self.max_tokens, self.min_tokens)
        if self.beams < 1:
            raise ConfigError(f"generate.beam.beams is {self.beams}; it is at least 1, for example beams=5")
        if not 1 <= self.best <= self.beams:
            raise ConfigError(
                f"generate.beam.best is {self.best}; it is from 1 to beams, {self.beams}. Set best=1 or beams={max(self.best, 1)}."
            )
        if self.no_repeat_ngram < 0:
            raise ConfigError(
                f"generate.beam.no_repeat_ngram is {self.no_repeat_ngram}; it is 0 (any run may repeat) or more, for example no_repeat_ngram=3"
            )
        return Beam(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(beams=2, max_tokens=6)


class Beam:
    """Writes the `best` texts of each picture out of K beams.

    Source:
        Scores, ties and the end of the search are those of transformers' `generate(num_beams=K,
        early_stopping=False, do_sample=False)`, held to it by tests.
    Differs:
        pictures that are done leave the batch, and the beams of a picture share its memory.
    """

    def __init__(self, config: Config):
        self.config = config

    @torch.inference_mode()
    def __call__(
        self, decoder: Steps, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode.
            emit: called with (row, token) for the best text of a row, once that row is done.
            cancelled: asked before every step; True returns the best of what there is.
        Returns:
            One list a row, best first, of at most `best` texts. A row's texts do not depend on the rows beside it.
        """
        made: list[list[Written]] = [[] for _ in range(len(latent))]
        if not made:
            return made
        search = _Search(self.config, decoder, len(latent), latent.pooled.device)
        state = decoder.start(latent, beams=self.config.beams)

        def leave() -> None:
            for row, texts in search.written():
                made[row] = texts
                for token in texts[0].tokens if emit is not None else ():
                    emit(row, token)  # type: ignore[misc]

        while len(search):
            if cancelled is not None and cancelled():
                search.give_up()
            else:
                search.advance(decoder.step(state, search.last_RK.flatten()))
            if search.done_R.any():
                leave()
                keep_L = fill_holes(search.done_R)
                decoder.drop(state, keep_L)
                search.keep(keep_L)
            if len(search):
                decoder.reorder(state, search.parent_N())
        return made


class _Search:
    """R pictures that are not done: for each the K beginnings that go on, and the best K texts that do not."""

    def __init__(self, config: Config, decoder: Steps, pictures: int, device: torch.device):
        self.config, self.decoder = config, decoder
        self.steps, self.step = min(config.max_tokens, decoder.max_tokens), 0
        shape = (pictures, config.beams)
        self.row_R = torch.arange(pictures, device=device)
        self.done_R = torch.zeros(pictures, dtype=torch.bool, device=device)
        self.said_RKT = torch.full((*shape, self.steps), decoder.eos, device=device)
        self.last_RK = torch.full(shape, decoder.bos, device=device)
        self.total_RK = torch.zeros(shape, device=device)
        self.total_RK[:, 1:] = _NOTHING  # all beams begin alike: only the first one counts
        self.parent_RK = torch.zeros(shape, dtype=torch.int64, device=device)
        self.text_RKT = self.said_RKT.clone()
        self.score_RK = torch.full(shape, _NOTHING, device=device)
        self.logprob_RK = self.score_RK.clone()
        self.length_RK = torch.zeros(shape, dtype=torch.int64, device=device)

    def __len__(self) -> int:
        return len(self.row_R)

    def keep(self, keep_L: Tensor) -> None:
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[keep_L])

    def parent_N(self) -> Tensor:
        """For every row of the decoder the row that it goes on from."""
        first_R1 = torch.arange(len(self), device=self.row_R.device)[:, None] * self.config.beams
        return (first_R1 + self.parent_RK).flatten()

    def advance(self, logits_NV: Tensor) -> None:
        """Takes the logits of the next token of every beginning."""
        beams, place = self.config.beams, self.step
        total_RC, beam_RC, token_RC = self._candidates(logits_NV)
        self.step += 1
        ends_RC = token_RC == self.decoder.eos
        if self.step == self.steps:
            ends_RC = torch.ones_like(ends_RC)
        if ends_RC[:, :beams].any():  # an end below the best K candidates is lost, as in transformers
            text_RKT = _pick(self.said_RKT, beam_RC[:, :beams])
            text_RKT[:, :, place] = token_RC[:, :beams]
            self._finish(text_RKT, total_RC[:, :beams], ends_RC[:, :beams])
        first_RK = ends_RC.to(torch.uint8).argsort(dim=1, stable=True)[:, :beams]  # the best that do not end
        self.total_RK, self.parent_RK = total_RC.gather(1, first_RK), beam_RC.gather(1, first_RK)
        self.last_RK = token_RC.gather(1, first_RK)
        self.said_RKT = _pick(self.said_RKT, self.parent_RK)
        self.said_RKT[:, :, place] = self.last_RK
        # transformers' guess: no beginning gets better per token than it is now. An empty place holds _NOTHING.
        hope_R = self.total_RK[:, 0] / self.step**self.config.length_penalty
        self.done_R = (hope_R <= self.score_RK[:, -1]) | (self.step == self.steps)

    def give_up(self) -> None:
        """Takes the beginnings as they are for texts; all pictures are done."""
        self._finish(self.said_RKT, self.total_RK, torch.ones_like(self.parent_RK, dtype=torch.bool))
        self.done_R = torch.ones_like(self.done_R)

    def written(self) -> list[tuple[int, list[Written]]]:
        """(row, texts) of the pictures that are done."""
        best, eos = self.config.best, self.decoder.eos
        columns = (self.text_RKT, self.score_RK, self.logprob_RK, self.length_RK)
        texts = [column[self.done_R, :best].tolist() for column in columns]
        found = []
        for row, *pictures in zip(self.row_R[self.done_R].tolist(), *texts, strict=True):
            some: list[Written] = []
            for tokens, score, logprob, length in zip(*pictures, strict=True):
                if score > _NOTHING / 2 or not some:
                    ended = length > 0 and tokens[length - 1] == eos
                    some.append(Written(tokens[: length - ended], logprob, ended))
            found.append((row, some))
        return found

    def _candidates(self, logits_NV: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The C = 2 K most probable continuations of each picture, best first: total, beam and token, each (R, C)."""
        beams = self.config.beams
        whole_N = logits_NV.logsumexp(-1)
        ban(logits_NV, self.decoder, ending=self.step >= self.config.min_tokens)
        if self.config.no_repeat_ngram:
            _ban_repeats(logits_NV, self.said_RKT[:, :, : self.step].flatten(0, 1), self.config.no_repeat_ngram)
        width = min(2 * beams, logits_NV.shape[1])
        logit_NC, token_NC = logits_NV.topk(width)
        total_NC = logit_NC - whole_N[:, None] + self.total_RK.view(-1, 1)
        total_RC, index_RC = total_NC.view(len(self), -1).topk(2 * beams)
        return total_RC, index_RC // width, token_NC.view(len(self), -1).gather(1, index_RC)

    def _finish(self, text_RKT: Tensor, total_RK: Tensor, ends_RK: Tensor) -> None:
        """Merges the candidates that end here with the texts found earlier, and keeps the best K."""
        score_RK = (total_RK / max(self.step, 1) ** self.config.length_penalty).where(ends_RK, _NOTHING)
        length_RK = torch.full_like(self.length_RK, self.step).where(ends_RK, 0)
        self.score_RK, best_RK = torch.cat((self.score_RK, score_RK), 1).topk(self.config.beams)
        self.text_RKT = _pick(torch.cat((self.text_RKT, text_RKT), 1), best_RK)
        self.logprob_RK = torch.cat((self.logprob_RK, total_RK), 1).gather(1, best_RK)
        self.length_RK = torch.cat((self.length_RK, length_RK), 1).gather(1, best_RK)


def _pick(x_RKT: Tensor, index_RC: Tensor) -> Tensor:
    """(R, K, T) -> (R, C, T): for each picture the rows that `index_RC` names."""
    return x_RKT.gather(1, index_RC[:, :, None].expand(-1, -1, x_RKT.shape[2]))


def _ban_repeats(score_NV: Tensor, said_NT: Tensor, size: int) -> None:
    """Minus infinity, in place, for tokens that would write a run of `size` tokens a second time."""
    if said_NT.shape[1] < size:
        return
    runs_NWS = said_NT.unfold(1, size, 1)
    again_NW = (runs_NWS[:, :, :-1] == said_NT[:, None, said_NT.shape[1] - size + 1 :]).all(2)
    row_X, run_X = again_NW.nonzero(as_tuple=True)
    score_NV[row_X, runs_NWS[row_X, run_X, -1]] = float("-inf")
