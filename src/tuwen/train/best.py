"""The weights of the best evaluations, whose mean may be better than any of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from tuwen._files import atomic
from tuwen._tensors import read_tensors, write_tensors


class Best:
    """Weights of the `num` best evaluations, each a file `best-STEP.safetensors` in `state/` of a model directory.

    A file stays as long as one of the two newest states names it, so that a run goes on from either.

    Source:
        Wortsman et al. 2022, arXiv:2203.05482 (mean of weights, taken only if it judges better); of one run: Izmailov
        et al. 2018, arXiv:1803.05407.
    """

    def __init__(self, out: Path, num: int):
        self.folder, self.num = out / "state", num
        self.kept: list[tuple[float, int]] = []
        """(score, step), best first."""
        self._saved: list[int] = []

    @property
    def steps(self) -> list[int]:
        """Steps of the evaluations that are kept, in order."""
        return sorted(step for _, step in self.kept)

    def offer(self, score: float, step: int, weights: Mapping[str, Tensor]) -> None:
        """Keeps the weights if the score is among the best; of equal ones the earlier stays."""
        kept = sorted([*self.kept, (score, step)], key=lambda one: (-one[0], one[1]))[: self.num]
        if (score, step) not in kept:
            return
        with atomic(self._path(step)) as temporary:
            write_tensors(temporary, weights)
        self.kept = kept

    def mean(self) -> dict[str, Tensor]:
        """The mean of the weights that are kept, in float32.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        total: dict[str, Tensor] = {}
        for step in self.steps:
            for name, tensor in read_tensors(self._path(step))[0].items():
                total[name] = total[name] + tensor.double() if name in total else tensor.double()
        return {name: (tensor / len(self.kept)).to(torch.float32) for name, tensor in total.items()}

    def saved(self) -> None:
        """A state was saved: weights that neither it nor the one before it names are removed."""
        needed = {*self.steps, *self._saved}
        for path in self.folder.glob("best-*.safetensors"):
            if int(path.stem.removeprefix("best-")) not in needed:
                with suppress(OSError):
                    path.unlink()
        self._saved = self.steps

    def restore(self, kept: list[tuple[float, int]]) -> None:
        """What `kept` was when the state was saved that a run goes on from."""
        self.kept = [(score, step) for score, step in kept]
        self._saved = self.steps

    def _path(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}.safetensors"
