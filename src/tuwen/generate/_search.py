"""The search that beam search is made of: the k most probable beginnings of a text, and the best whole ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.generate._limits import Ranked
from tuwen.generate._logits import NEVER, Rules
from tuwen.generate._written import Written

_NOTHING = -1e9
"""Score of a place that holds no text."""
_COLUMNS = 192
"""Width to which the logits of a text are folded to find the largest."""
_SPARE = 5
"""Candidates that are asked again beside those that are needed, as rounding may have kept one of them below. Of 5 beams these are
15, up to which torch finds the largest of 960 in half of the time."""

Again = Callable[[Tensor, Tensor], Tensor]
"""Beams and tokens, each (R, C), -> their logits, (R, C), more exactly than all of them were computed."""


class Search:
    """R pictures that are not done: for each the K beginnings that go on, and the best K texts that do not."""

    def __init__(self, config: Ranked, decoder: Steps, pictures: int, device: torch.device):
        self.config, self.decoder, self.rules = config, decoder, Rules(config, decoder, device)
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

    def advance(self, logits_NV: Tensor, less_RV: Tensor | None = None, again: Again | None = None) -> None:
        """Takes the logits of the next token of every beginning.

        Args:
            less_RV: what is taken from the log-probability of each token when it is chosen, and not remembered.
            again: asked for the logits of the best, where those given are rounded.
        """
        beams, place = self.config.beams, self.step
        total_RC, beam_RC, token_RC = self._candidates(logits_NV, less_RV, again)
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
        hope_R = self.total_RK.amax(1) / self.step**self.config.length_penalty
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

    def _candidates(
        self, logits_NV: Tensor, less_RV: Tensor | None, again: Again | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The C = 2 K best continuations of each picture, best first: total, beam and token, each (R, C)."""
        logprob_NV = logits_NV.log_softmax(-1, dtype=torch.float32)
        self.rules(logprob_NV, self.said_RKT[:, :, : self.step])
        if less_RV is not None:
            logprob_NV -= less_RV.repeat_interleave(self.config.beams, 0)
        count, every = 2 * self.config.beams, self.config.beams * logits_NV.shape[1]
        asked = min(count + _SPARE, every) if again else count
        total_RC, beam_RC, token_RC = highest(logprob_NV, self.total_RK, asked)
        if again:
            place_RC = beam_RC * logits_NV.shape[1] + token_RC
            gain_RC = again(beam_RC, token_RC) - logits_NV.view(len(self), -1).gather(1, place_RC)
            total_RC, best_RC = self._gained(total_RC, beam_RC, gain_RC).topk(count)
            beam_RC, token_RC = beam_RC.gather(1, best_RC), token_RC.gather(1, best_RC)
        if less_RV is not None:
            total_RC = total_RC + less_RV.gather(1, token_RC)
        return total_RC, beam_RC, token_RC

    def _gained(self, total_RC: Tensor, beam_RC: Tensor, gain_RC: Tensor) -> Tensor:
        """(R, C) totals after the logits of the candidates are so much higher, and with them the sum that each beam divides by."""
        probability_RC = (total_RC - self.total_RK.gather(1, beam_RC)).exp()
        more_RK = torch.zeros_like(self.total_RK).scatter_add_(1, beam_RC, probability_RC * gain_RC.expm1())
        return total_RC + gain_RC - more_RK.log1p().gather(1, beam_RC)

    def _finish(self, text_RKT: Tensor, total_RK: Tensor, ends_RK: Tensor) -> None:
        """Merges the candidates that end here with the texts found earlier, and keeps the best K."""
        score_RK = (total_RK / max(self.step, 1) ** self.config.length_penalty).where(ends_RK, _NOTHING)
        length_RK = torch.full_like(self.length_RK, self.step).where(ends_RK, 0)
        self.score_RK, best_RK = torch.cat((self.score_RK, score_RK), 1).topk(self.config.beams)
        self.text_RKT = _pick(torch.cat((self.text_RKT, text_RKT), 1), best_RK)
        self.logprob_RK = torch.cat((self.logprob_RK, total_RK), 1).gather(1, best_RK)
        self.length_RK = torch.cat((self.length_RK, length_RK), 1).gather(1, best_RK)


def highest(logits_NV: Tensor, shift_RK: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The largest sums of logit and shift of each picture, best first: sum, beam and token, each (R, count).

    Long rows are folded first: the largest values stand in the columns with the largest maxima. That takes a quarter of
    the time of looking for them among all.
    """
    (pictures, beams), vocabulary = shift_RK.shape, logits_NV.shape[1]
    height, over = divmod(vocabulary, _COLUMNS)
    if height < 2:
        sum_RC, place_RC = (logits_NV.view(pictures, beams, -1) + shift_RK[:, :, None]).flatten(1).topk(count)
        return sum_RC, place_RC // vocabulary, place_RC % vocabulary
    most_NX = logits_NV[:, : vocabulary - over].unflatten(1, (height, _COLUMNS)).amax(1)
    most_NX[:, :over] = most_NX[:, :over].maximum(logits_NV[:, vocabulary - over :])
    place_RC = (most_NX.view(pictures, beams, -1) + shift_RK[:, :, None]).flatten(1).topk(count)[1]
    beam_RC = place_RC // _COLUMNS
    token_RCY = (place_RC % _COLUMNS)[:, :, None] + _COLUMNS * torch.arange(height + 1, device=place_RC.device)
    place_RCY = beam_RC[:, :, None] * vocabulary + token_RCY.clamp(max=vocabulary - 1)
    logit_RCY = logits_NV.view(pictures, -1).gather(1, place_RCY.flatten(1)).view_as(place_RCY)
    sum_RCY = (logit_RCY + shift_RK.gather(1, beam_RC)[:, :, None]).masked_fill(token_RCY >= vocabulary, NEVER)
    sum_RC, place_RC = sum_RCY.flatten(1).topk(count)
    return sum_RC, beam_RC.gather(1, place_RC // (height + 1)), token_RCY.flatten(1).gather(1, place_RC)


def _pick(x_RKT: Tensor, index_RC: Tensor) -> Tensor:
    """(R, K, T) -> (R, C, T): for each picture the rows that `index_RC` names."""
    return x_RKT.gather(1, index_RC[:, :, None].expand(-1, -1, x_RKT.shape[2]))
