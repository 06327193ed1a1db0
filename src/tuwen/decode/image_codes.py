"""A transformer that draws the codes of a picture one after the other, given a text or a class; a tokenizer makes pixels of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.decode._causal import Causal, State
from tuwen.decode._said import beside, left_out, said_tokens
from tuwen.encode._image import places
from tuwen.errors import ConfigError, ShapeError
from tuwen.layers import Packing
from tuwen.types import Decoded, Feed, Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 256
    """Width D of the layers; a multiple of heads."""
    layers: int = 4
    """Number of blocks, each with self-attention, cross-attention and an MLP."""
    heads: int = 8
    """Attention heads."""
    dropout: float = 0.0
    """Share of what each block adds that is dropped in training."""
    unsaid: float = 0.1
    """Share of the pictures that training draws without what is given, from 0 to below 1: guidance needs some."""

    def build(self, widths: Widths) -> ImageCodes:
        return ImageCodes(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=16, layers=2, heads=2)

    @staticmethod
    def example(batch: int) -> list[Latent]:
        random = torch.Generator().manual_seed(0)
        codes_PT = torch.randint(0, 8, (batch, 6), generator=random)
        pooled_PD = torch.zeros(1, 1)
        return [Latent(pooled_PD, codes=codes_PT[i : i + 1], num_codes=8, grid=(2, 3)) for i in range(batch)]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The codes that were drawn so far."""

    state: State
    guidance: float
    twice: bool
    """Whether the state has as many rows again, of what guidance leads away from."""


class ImageCodes(Causal):
    """Pooled (P, D) and, where there are some, tokens (P, M, D) -> the code of each cell of a grid, row by row.

    Stands on a derived field, `image@codes`: what it is to make are the codes that the model has for the pictures. The
    pooled vector is one more token to be looked at. `generate/raster` draws.

    Source:
        van den Oord et al. 2017, arXiv:1711.00937, section 3.3; of texts: Ramesh et al. 2021, arXiv:2102.12092; leaving
        out what is given: Gafni et al. 2022, arXiv:2203.13131, section 3.4.
    Raises:
        ConfigError: the width does not divide by heads, or the other field has no codes.
    """

    modality = "codes"
    ways = ("raster",)
    """Of `generate`, to a picture."""

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        if config.width % config.heads:
            raise ConfigError(f"decode.image_codes: width {config.width} is no multiple of heads {config.heads}.")
        self.config, self.memory_width = config, widths.tokens
        self.what = nn.Linear(widths.pooled, widths.tokens)
        self.unsaid = nn.Parameter(torch.randn(widths.tokens) * 0.02)

    def fit(self, values: Sequence[Latent]) -> None:
        """Takes the number of codes and their grid from some picture."""
        latent = values[0]
        if latent.codes is None:
            raise ConfigError(
                "decode.image_codes draws codes, and the pictures have none; set space.image=vector_quantized or "
                "finite_scalar"
            )
        self.settle(latent.num_codes, latent.grid or (1, latent.codes.shape[1]))

    def learned(self) -> dict[str, Any]:
        return {"size": self.size, "grid": list(self.grid)}

    def restore(self, learned: dict[str, Any]) -> None:
        self.settle(learned["size"], tuple(learned["grid"]))

    def settle(self, size: int, grid: tuple[int, ...]) -> None:
        """Makes the layers for so many codes on a grid; one more stands for the begin."""
        self.size, self.grid, self.bos = size, grid, size
        self.length = torch.Size(grid).numel()
        """Codes of a picture."""
        self.make_layers(size + 1, self.length, self.config, self.memory_width)
        rows, columns = grid[0], self.length // grid[0]
        with torch.no_grad():  # where a cell lies is known from the start
            self.position.weight.copy_(places(rows, columns, self.config.width) * 0.02)

    def embeddings(self) -> Tensor:
        return self.token.weight[: self.size]

    def prepare(self, values: Sequence[Latent]) -> tuple[Tensor, None]:
        """Latents of pictures -> (P, T) int64 codes."""
        codes = [latent.codes for latent in values if latent.codes is not None]
        return torch.cat(codes), None

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        """Teacher forcing: (P, T, K) logits of each code, given those before it; one row for each target."""
        codes_PT, device = target.data, target.data.device
        num, length = codes_PT.shape
        if length != self.length:
            raise ShapeError(f"decode.image_codes draws {self.length} codes, got {length}")
        said_P = left_out(num, self.config.unsaid if self.training else 0.0, device)
        memory_PMD, mask_PM = self._memory(latent.rows(target.owner_P), said_P)
        before_PT = F.pad(codes_PT[:, :-1], (1, 0), value=self.bos)
        packing = Packing(torch.full((num,), length, device=device))
        place_N = torch.arange(length, device=device).repeat(num)
        top_ND = self.read(before_PT.flatten(), place_N, memory_PMD, mask_PM, packing, packing)
        logits_NK = F.linear(top_ND, self.embeddings())
        return Decoded(logits_NK.view(num, length, -1), codes_PT, owner_P=target.owner_P)

    def _memory(self, latent: Latent, said_P: Tensor) -> tuple[Tensor, Tensor | None]:
        pooled_PD = self.what(latent.pooled.to(self.token.weight.dtype))
        return said_tokens(torch.where(said_P[:, None], pooled_PD, self.unsaid.to(pooled_PD))[:, None], latent, said_P)

    def start(self, latent: Latent, guidance: float = 1.0, away: Latent | None = None) -> Drawing:
        """Pictures that have no codes yet, one for each row of a latent.

        Args:
            guidance: 1: as learned; above 1: so much further away from what would be drawn if nothing were given; 0: that.
            away: what it leads away from in place of nothing.
        """
        num, device = len(latent), latent.pooled.device
        if away is None and guidance in (0.0, 1.0):
            said_P = torch.full((num,), guidance == 1.0, device=device)
            return Drawing(self.begun(*self._memory(latent, said_P)), guidance, twice=False)
        said_P = torch.arange(2 * num, device=device) < (num if away is None else 2 * num)
        both = beside(latent, latent if away is None else away)
        return Drawing(self.begun(*self._memory(both, said_P)), guidance, twice=True)

    def step(self, drawing: Drawing, code_P: Tensor) -> Tensor:
        """Takes the code of each picture, `bos` at first, and gives (P, K) float32 logits of the next."""
        top_PD = self.added(drawing.state, (code_P.repeat(2) if drawing.twice else code_P)[:, None])[:, 0]
        logits_PK = self.logits(top_PD).float()
        if not drawing.twice:
            return logits_PK
        with_PK, without_PK = logits_PK.chunk(2)
        return without_PK + drawing.guidance * (with_PK - without_PK)

    def noise(self, num: int, generator: torch.Generator) -> Tensor:
        """(P, T) what is random in each code, from 0 to below 1, the same for the same generator on every machine."""
        return torch.rand(num, self.length, generator=generator, device=generator.device)

    def turned_back(self, codes_PT: Tensor, space: Any) -> Latent:
        """The latent that codes stand for, which the decoder of pictures reads."""
        latent: Latent = space.latent_of(codes_PT, self.grid)
        return latent
