"""Minimum Bayes risk: of many probable texts the one that agrees best with all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.generate import beam, sampling
from tuwen.generate._drawn import Drawn
from tuwen.generate._limits import Limits
from tuwen.generate._prompt import begun
from tuwen.generate._written import Cancelled, Emit, Written
from tuwen.types import Latent

_Similarity = Literal["cider", "embedding"]

Embed = Callable[[Sequence[str]], Tensor]
"""Texts -> (N, D) vectors of length 1."""
Match = Callable[[Latent, Sequence[Sequence[str]]], list[list[float]]]
"""B rows, and the texts of each -> for each row the cosine of each of its texts with what the row was made of."""
Near = Callable[[Latent, int], list[dict[str, float]]]
"""B rows, and a number of neighbours -> for each row the texts of its neighbours and their shares, in sum 1."""


@dataclass(frozen=True, kw_only=True)
class Config(Drawn):
    """Settings of `Mbr`: of what is compared, and how."""

    samples: int = 16
    """Texts that are drawn for each picture, 1 or more."""
    temperature: float = 0.5
    """Of what is drawn, above 0: below 1 prefers what is probable, above 1 is bolder."""
    beams: int = 5
    """Texts of a beam search that are compared too, 0 or more."""
    voice: float = 0.3
    """Each text has a voice of its probability to this power, 0 or more; 1: as the model has it, 0: all the same."""
    match: float = 10.0
    """What the cosine of text and picture adds to the log of the voice, 0 or more; where a model beside the writers
    matches (measured with one that was trained by contrast)."""
    similarity: _Similarity = "cider"
    """What agrees: cider, the words (CIDEr-D, by how rare they are in what the model learned from); embedding, the
    meaning, by an encoder."""
    neighbours: str = ""
    """File of pictures whose texts have a voice too where the pictures are alike: vectors that `tuwen embed` made of the
    training part with the model that matches."""
    near: int = 30
    """How many of these pictures are heard, 1 or more."""
    heard: float = 4.0
    """Voice of all their texts together, 0 or more; what the model itself says has 1."""
    best: int = 1
    """Texts that are given back for each picture, those that agree best first."""

    def check(self) -> None:
        super().check()
        self.require(self.samples >= 1, "samples", "it is at least 1, for example samples=16")
        self.require(self.beams >= 0, "beams", "it is 0 (no beam search) or more, for example beam=5")
        self.require(self.voice >= 0, "voice", "it is 0 or more, for example voice=0.3")
        self.require(self.match >= 0, "match", "it is 0 (it does not count) or more, for example match=10")
        self.require(self.similarity in get_args(_Similarity), "similarity", "it is cider or embedding")
        self.require(self.near >= 1, "near", "it is at least 1, for example near=30")
        self.require(self.heard >= 0, "heard", "it is 0 (they do not count) or more, for example heard=4")

    @property
    def room(self) -> int:
        return self.samples + self.beams

    def build(self, embed: Embed | None = None, match: Match | None = None, near: Near | None = None) -> Mbr:
        """
        Args:
            embed: needed where similarity is "embedding".
            match: of a model that matches.
            near: needed where there are neighbours.
        """
        self.check()
        return Mbr(self, embed, match, near)

    @classmethod
    def tiny(cls) -> Config:
        return cls(samples=4, beams=2, max_tokens=6)


class Mbr:
    """Gives the texts with the largest expected similarity to what the model may say: to all that beam search and
    `sampling` found, each of which counts by its probability and by how well it fits the picture; and, where there are
    neighbours, to what people said of pictures that are alike.

    Source:
        Kumar and Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation", whose texts are those of
        a search and whose probabilities are scaled likewise (`voice`); with samples: Eikema and Aziz 2020,
        arXiv:2005.10283, section 5. Captions of similar pictures as voters: Devlin et al. 2015, arXiv:1505.04467.
    """

    def __init__(
        self, config: Config, embed: Embed | None = None, match: Match | None = None, near: Near | None = None
    ):
        self.config, self.embed, self.match, self.near = config, embed, match, near
        drawn = {f.name: getattr(config, f.name) for f in fields(Drawn)}
        searched = {f.name: getattr(config, f.name) for f in fields(Limits)}
        self.ways: list[Any] = [sampling.Config(**{**drawn, "best": config.samples}).build()]
        if config.beams:
            self.ways.append(beam.Config(**searched, beams=config.beams, best=config.beams).build())

    def __call__(
        self, decoder: Any, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode; it gives `texts`.
            emit: called with (row, token) for the best text of a row, once all rows are done.
            cancelled: asked before every step; True compares what there is.
        Returns:
            One list a row, best first, of at most `best` different texts.
        Raises:
            ConfigError: texts are to be compared by embedding, or neighbours heard, and `build` was given none.
        """
        if self.config.similarity == "embedding" and self.embed is None:
            raise ConfigError(
                "generate.mbr.similarity is 'embedding' and no encoder of texts was given; set similarity='cider'"
            )
        if self.config.neighbours and self.near is None:
            raise ConfigError("generate.mbr.neighbours is set and nothing that finds them was given; set neighbours=''")
        found = self._found(decoder, latent, cancelled)
        given = list(getattr(begun(decoder, self.config.prompt), "given", ()))
        different = [_different(decoder, given, row) for row in found]
        others = [dict[str, float]() for _ in found]
        if self.near is not None and self.config.heard:
            others = self.near(latent, self.config.near)
        meaning, made = self._meaning([*different, *others]), []
        matches: Sequence[Sequence[float]] = [[0.0] * len(texts) for texts in different]
        if self.match is not None and self.config.match:
            matches = self.match(latent, [list(texts) for texts in different])
        for row, texts in enumerate(different):
            worth = self._worth(decoder, texts, matches[row], meaning, others[row])
            ranked = sorted(zip(worth, texts.values(), strict=True), key=lambda one: -one[0])
            made.append([one for _, one in ranked[: self.config.best]])
            for token in made[row][0].tokens if emit is not None else ():
                emit(row, token)  # type: ignore[misc]
        return made

    def _found(self, decoder: Any, latent: Latent, cancelled: Cancelled | None) -> list[list[Written]]:
        """What is compared, of each row; once cancelled no other way begins."""
        stopped = False

        def stop() -> bool:
            nonlocal stopped
            stopped = stopped or (cancelled is not None and cancelled())
            return stopped

        found: list[list[Written]] = [[] for _ in range(len(latent))]
        for way in self.ways:
            if not stopped:
                for row, texts in zip(found, way(decoder, latent, cancelled=stop), strict=True):
                    row.extend(texts)
        return found

    def _meaning(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Text -> (D,) its vector, where meaning is compared."""
        texts = list(dict.fromkeys(text for row in rows for text in row))
        return {} if self.embed is None or not texts else dict(zip(texts, self.embed(texts).float(), strict=True))

    def _worth(
        self,
        decoder: Any,
        texts: Mapping[str, Written],
        matches: Sequence[float],
        meaning: Mapping[str, Tensor],
        near: Mapping[str, float],
    ) -> list[float]:
        """Expected similarity of each text with all of them, and with those of neighbours."""
        from tuwen.metric._consensus import Consensus

        logprob_C = torch.tensor([one.logprob for one in texts.values()], dtype=torch.float64)
        voice_C = (self.config.voice * logprob_C + self.config.match * torch.tensor(matches)).softmax(0)
        others = {text: self.config.heard * share for text, share in near.items()}
        if self.embed is None:
            consensus = getattr(decoder, "consensus", None) or Consensus()
            ended = [one.finished for one in texts.values()]
            agreed: list[float] = consensus.agreed(list(texts), voice_C.tolist(), ended, others)
            return agreed
        vector_CD = torch.stack([meaning[text] for text in texts])
        heard_VD = torch.stack([meaning[text] for text in (*texts, *others)])
        voice_V = torch.tensor([*voice_C.tolist(), *others.values()]).to(heard_VD)
        alike_C: list[float] = (vector_CD @ (heard_VD.T @ voice_V)).tolist()
        return alike_C


def _different(decoder: Any, given: Sequence[int], row: Sequence[Written]) -> dict[str, Written]:
    """Whole text, the given beginning too -> the most probable way in which it was written."""
    found: dict[str, Written] = {}
    for text, one in zip(decoder.texts([[*given, *one.tokens] for one in row]), row, strict=True):
        if text not in found or found[text].logprob < one.logprob:
            found[text] = one
    return found
