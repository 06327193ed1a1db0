"""Noise becomes the latent of a picture along a flow, given a text or a class; an autoencoder, learned first, makes pixels of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tuwen.decode._flow import Flow, FlowConfig
from tuwen.errors import ConfigError
from tuwen.types import Decoded, Feed, Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config(FlowConfig):
    """Settings of `ImageLatentFlow`."""

    def build(self, widths: Widths) -> ImageLatentFlow:
        return ImageLatentFlow(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(widths=(8, 16), layers=1, look=4, heads=2)

    @staticmethod
    def example(batch: int) -> list[Latent]:
        tokens_PTD = torch.randn(batch, 16, 3, generator=torch.Generator().manual_seed(0))
        return [Latent(some.mean(1), some, grid=(4, 4)) for some in tokens_PTD.split(1)]


class ImageLatentFlow(Flow):
    """A flow of the tokens that pictures have in their space, each channel as far spread as the noise.

    Stands on a derived field, `image@latent`: what it is to draw are the latents that the model has for the pictures. They
    are a grid of few channels, so that a picture of 128 pixels costs what `image_flow` takes for one of 64. How large the
    numbers of each channel are is found in the first batch that it learns from.

    Source:
        Rombach et al. 2022, arXiv:2112.10752.
    Raises:
        ConfigError: the other field has no square grid of tokens; widths or heads do not divide.
    """

    modality = "latent"
    most, stored = 4.0, np.float16

    def __init__(self, config: Config, widths: Widths):
        super().__init__()
        self.config, self.given = config, widths

    def fit(self, values: Sequence[Latent]) -> None:
        """Takes the grid and the channels from some picture."""
        latent = values[0]
        if latent.tokens is None or latent.grid is None or len(latent.grid) != 2 or latent.grid[0] != latent.grid[1]:
            raise ConfigError(
                "decode.image_latent_flow draws latents that are a square grid of tokens, and those of the pictures are not; set "
                "space.image=gaussian_tokens, and an encode.image that gives a grid, such as image_cnn"
            )
        self.settle(latent.tokens.shape[2], latent.grid[0])

    def learned(self) -> dict[str, Any]:
        return {"channels": self.channels, "side": self.side}

    def restore(self, learned: dict[str, Any]) -> None:
        self.settle(learned["channels"], learned["side"])

    def settle(self, channels: int, side: int) -> None:
        """Makes the layers for a grid of so many cells a side."""
        self.make_network("decode.image_latent_flow", channels, side, 1, self.given)
        self.register_buffer("mean_C11", torch.zeros(channels, 1, 1))
        self.register_buffer("deviation_C11", torch.ones(channels, 1, 1))
        self.register_buffer("begun", torch.zeros(()))
        self.mean_C11: Tensor
        self.deviation_C11: Tensor
        self.begun: Tensor

    def prepare(self, values: Sequence[Latent]) -> tuple[Tensor, None]:
        """Latents of pictures -> (P, C, side, side) float32."""
        tokens = [latent.tokens.float() for latent in values if latent.tokens is not None]
        return torch.cat(tokens).transpose(1, 2).unflatten(2, (self.side, self.side)), None

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        if self.training and not self.begun and len(target):
            deviation, mean = torch.std_mean(target.data.float(), (0, 2, 3), correction=0)
            self.mean_C11.copy_(mean[:, None, None])
            self.deviation_C11.copy_(deviation[:, None, None].clamp(min=1e-3))
            self.begun.fill_(1.0)
        return super().forward(latent, target)

    def end(self, data_PCHW: Tensor) -> Tensor:
        """Latents, each channel as far spread as the noise."""
        return (data_PCHW.float() - self.mean_C11) / self.deviation_C11

    def data(self, x_PCHW: Tensor) -> np.ndarray:
        """Latents as large as they are in their space."""
        found: np.ndarray = self._large(x_PCHW).half().cpu().numpy()
        return found

    def _large(self, x_PCHW: Tensor) -> Tensor:
        return x_PCHW.float() * self.deviation_C11 + self.mean_C11

    def turned_back(self, x_PCHW: Tensor, space: Any) -> Latent:
        """The latent that was drawn, which the decoder of pictures reads."""
        tokens_PTD = self._large(x_PCHW).flatten(2).transpose(1, 2)
        return Latent(tokens_PTD.mean(1), tokens_PTD, grid=(self.side, self.side))
