"""Texts that only ever grow, for the ways of writing that take nothing back."""

from __future__ import annotations

import torch
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.generate._written import Emit, Written, fill_holes


class Lines:
    """K texts of each of R pictures, a token longer with every `take`; a picture whose texts all ended leaves.

    Args:
        steps: most tokens of a text; all pictures leave then.
        emit: called at once with each token of a picture's only text; with those of the best where there are several.
    """

    def __init__(
        self,
        decoder: Steps,
        pictures: int,
        device: torch.device,
        *,
        steps: int,
        each: int = 1,
        emit: Emit | None = None,
    ):
        self.eos, self.steps, self.step, self.emit = decoder.eos, steps, 0, emit
        self.made: list[list[Written]] = [[] for _ in range(pictures)]
        shape = (pictures, each)
        self.row_R = torch.arange(pictures, device=device)
        self.said_RKT = torch.full((*shape, steps), decoder.eos, device=device)
        self.last_RK = torch.full(shape, decoder.bos, device=device)
        self.total_RK = torch.zeros(shape, device=device)
        self.length_RK = torch.zeros(shape, dtype=torch.int64, device=device)
        self.open_RK = torch.ones(shape, dtype=torch.bool, device=device)

    def __len__(self) -> int:
        return len(self.row_R)

    @property
    def said(self) -> Tensor:
        """(R, K, T) tokens so far."""
        return self.said_RKT[:, :, : self.step]

    def take(self, token_RK: Tensor, logprob_RK: Tensor) -> Tensor | None:
        """Adds a token to every text that goes on.

        Returns:
            Numbers of the pictures that stay, for the decoder to keep; None where all do.
        """
        self.total_RK += logprob_RK.where(self.open_RK, 0.0)
        self.last_RK = token_RK.where(self.open_RK, self.eos)
        self.open_RK &= token_RK != self.eos
        self.said_RKT[:, :, self.step] = self.last_RK
        self.length_RK += self.open_RK
        self.step += 1
        if self.emit is not None and token_RK.shape[1] == 1:
            for row, token in zip(self.row_R.tolist(), self.last_RK[:, 0].tolist(), strict=True):
                if token != self.eos:
                    self.emit(row, token)
        done_R = ~self.open_RK.any(1) if self.step < self.steps else torch.ones_like(self.open_RK[:, 0])
        return self._leave(done_R) if done_R.any() else None

    def written(self) -> list[list[Written]]:
        """The texts of every picture, best first; those that did not end are as long as they are."""
        self._leave(torch.ones_like(self.open_RK[:, 0]))
        return self.made

    def _leave(self, done_R: Tensor) -> Tensor:
        columns = (self.row_R, self.said_RKT, self.length_RK, self.total_RK, self.open_RK)
        for row, *texts in zip(*(column[done_R].tolist() for column in columns), strict=True):
            found = [
                Written(said[:length], total, not going) for said, length, total, going in zip(*texts, strict=True)
            ]
            self.made[row] = sorted(found, key=lambda one: -one.score())
            if self.emit is not None and len(found) > 1:
                for token in self.made[row][0].tokens:
                    self.emit(row, token)
        keep_L = fill_holes(done_R)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[keep_L])
        return keep_L
