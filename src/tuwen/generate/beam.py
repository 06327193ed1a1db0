"""Beam search: keeps the k most probable beginnings of a text and gives the best whole ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from tuwen.decode._text import Steps
from tuwen.generate._limits import Ranked
from tuwen.generate._prompt import ready
from tuwen.generate._search import Search
from tuwen.generate._shared import shared
from tuwen.generate._written import Cancelled, Emit, Written, fill_holes
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config(Ranked):
    """Settings of `Beam`; 1 beam with length_penalty 0 is greedy."""

    def build(self) -> Beam:
        self.check()
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
        return shared(self._write, decoder, latent, emit, cancelled)

    @torch.inference_mode()
    def _write(
        self, decoder: Steps, latent: Latent, emit: Emit | None, cancelled: Cancelled | None
    ) -> list[list[Written]]:
        made: list[list[Written]] = [[] for _ in range(len(latent))]
        if not made:
            return made
        writer = ready(decoder, self.config, latent)
        search = Search(self.config, writer, len(latent), latent.pooled.device)
        state = writer.start(latent, beams=self.config.beams)
        step, again = writer.step, None
        if getattr(writer, "rough", False):
            step, again = writer.rough_step, partial(writer.again, state)

        def leave() -> None:
            for row, texts in search.written():
                made[row] = texts
                for token in texts[0].tokens if emit is not None else ():
                    emit(row, token)  # type: ignore[misc]

        while len(search):
            if cancelled is not None and cancelled():
                search.give_up()
            else:
                search.advance(step(state, search.last_RK.flatten()), again=again)
            if search.done_R.any():
                leave()
                keep_L = fill_holes(search.done_R)
                writer.drop(state, keep_L)
                search.keep(keep_L)
            if len(search):
                writer.reorder(state, search.parent_N())
        return made
