"""What decoders share whose pictures come of noise along a flow: a network says at every moment which way to go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tuwen.decode._said import left_out, said_tokens
from tuwen.decode._unet import UNet
from tuwen.errors import ConfigError
from tuwen.types import Decoded, Feed, Latent, Widths


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Base of the Configs of flows: the network, and the path that it is asked along."""

    widths: tuple[int, ...] = (64, 128)
    """Channels of each grid, multiples of heads; each grid is half as fine as the one before."""
    blocks: int = 1
    """Residual blocks of each grid, on the way down and on the way up; 0 with one grid: a diffusion transformer."""
    layers: int = 6
    """Transformer layers on the coarsest grid, whose cells look at each other and at the words."""
    look: int = 0
    """Side of the finest grid whose cells do so after each residual block too."""
    heads: int = 4
    """Attention heads."""
    unsaid: float = 0.1
    """Share of the pictures that training draws without what is given, from 0 to below 1: guidance needs some."""
    path: Literal["straight", "cosine"] = "straight"
    """How noise becomes a picture, and what the network says. straight: in a line, and it says the velocity (objective flow);
    cosine: along a quarter of a circle, which keeps the variance, and it says the noise (objective diffusion)."""
    times: Literal["logit_normal", "uniform"] = "logit_normal"
    """How training draws the moments: more often in the middle of the way, where it is hardest, or all alike."""
    early: float = 0.8
    """How much earlier than the middle logit_normal has its peak, in logits: what is where is decided among much noise."""


class Flow(nn.Module):
    """Pooled (P, D) and, where there are some, tokens (P, T, D) -> the velocity of what is drawn; `generate/` follows it.

    At moment t, from 0 to 1, what is drawn is t * end + (1 - t) * noise, and its velocity is end - noise. On the cosine path
    it is sin(pi t / 2) * end + cos(pi t / 2) * noise, and the velocity comes of the noise that the network says is in it. In
    evaluation mode moments and noise are always the same, so that losses can be compared. Where the target names the seeds of
    its noise, that noise and this end are learned to belong together.

    A subclass has `end(data)`, where the flow ends for what `prepare` gives, `data(x)`, which is the way back, and calls
    `make_network` once it knows the shape of what is drawn.

    Source:
        Liu et al. 2022, arXiv:2209.03003 (rectified flow); Lipman et al. 2022, arXiv:2210.02747; logit-normal moments: Esser
        et al. 2024, arXiv:2403.03206, earlier ones for pixels: Li and He 2025, arXiv:2511.13720, at both ends where noise and
        picture belong together: Lee et al. 2024, arXiv:2405.20320; leaving out what is given: Ho and Salimans 2022,
        arXiv:2207.12598; noise in place of velocity: Ho et al. 2020, arXiv:2006.11239; the cosine path: Nichol and Dhariwal
        2021, arXiv:2102.09672, eq. 17, without its offset; along it without chance: Song et al. 2020, arXiv:2010.02502 (DDIM).
    Raises:
        ConfigError: side, widths or heads do not divide; blocks is 0 with several widths.
    """

    pixelwise = False
    """Its predictions are velocities, or noise."""
    ways = ("multistep", "euler", "heun")
    """Of `generate`, to a picture; the first is taken where none is asked for."""
    most: float
    """What is drawn is from minus this to this."""
    stored: type[np.generic]
    """Kind of number of what `data` gives."""

    config: Any
    channels: int
    side: int

    def make_network(self, where: str, channels: int, side: int, patch: int, widths: Widths) -> None:
        """Makes the layers, for what has so many channels and cells a side.

        Args:
            where: name of the part, in messages.
            patch: side of the block of cells that is one cell of the finest grid.
            widths: of what is given.
        """
        config = self.config
        scale = patch * 2 ** (len(config.widths) - 1)
        if not config.widths or side % scale:
            raise ConfigError(
                f"{where}: side is {side}; patch {patch} and {len(config.widths)} widths make a multiple of {scale}. "
                f"Set a side of {max(1, round(side / scale)) * scale}, or other widths."
            )
        if config.blocks < 0 or (not config.blocks and len(config.widths) > 1):
            raise ConfigError(
                f"{where}: blocks is {config.blocks} and there are {len(config.widths)} widths; blocks is 1 or more, or 0 "
                "with one width, as in widths=128 blocks=0."
            )
        if any(width % config.heads for width in config.widths):
            raise ConfigError(f"{where}: widths {config.widths} are no multiples of heads, {config.heads}.")
        self.channels, self.side = channels, side
        grids = [side // patch // 2**level for level in range(len(config.widths))]
        condition = 2 * max(config.widths)
        self.when = nn.Sequential(nn.Linear(_WAVES, condition), nn.SiLU(), nn.Linear(condition, condition))
        self.what = nn.Linear(widths.pooled, condition)
        self.unsaid = nn.Parameter(torch.zeros(widths.pooled))
        self.blank = nn.Parameter(torch.randn(1, 1, widths.tokens) * 0.02)
        self.network = UNet(
            channels, side, config.widths, blocks=config.blocks, layers=config.layers, patch=patch,
            looks=[grid <= config.look for grid in grids], heads=config.heads, condition=condition, tokens=widths.tokens,
        )  # fmt: skip

    def end(self, data: Tensor) -> Tensor:
        """(P, C, side, side) where the flow ends for what `prepare` gives."""
        raise NotImplementedError

    def data(self, x_PCHW: Tensor) -> np.ndarray:
        """What `prepare` would have given for what was drawn."""
        raise NotImplementedError

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        """What the network says and what it should say, both (P, C, side, side); one for each target."""
        end = self.end(target.data)
        latent, num = latent.rows(target.owner_P), len(target)
        generator = None if self.training else torch.Generator(end.device).manual_seed(0)
        if target.seed_P is None:
            noise = torch.randn(end.shape, generator=generator, device=end.device)
        else:
            noise = self.noise_of(target.seed_P.tolist()).to(end.device)
        t_P = self._moments(num, generator, end.device, ends=target.seed_P is not None)
        said_P = left_out(num, self.config.unsaid if self.training else 0.0, end.device)
        of_end, of_noise = self.shares(t_P[:, None, None, None])
        found = self._asked(of_end * end + of_noise * noise, t_P, latent, said_P)
        wanted = end - noise if self.says == "velocity" else noise
        return Decoded(found.float(), wanted, owner_P=target.owner_P, says=self.says)

    @property
    def says(self) -> Literal["velocity", "noise"]:
        """What the network is asked for."""
        return "velocity" if self.config.path == "straight" else "noise"

    def shares(self, t: Any) -> tuple[Any, Any]:
        """How much of the end, and how much of the noise, there is at moment t, a number or a tensor."""
        if self.config.path == "straight":
            return t, 1 - t
        angle = torch.as_tensor(t * (math.pi / 2))
        return angle.sin(), angle.cos()

    def _moments(self, num: int, generator: torch.Generator | None, device: torch.device, *, ends: bool) -> Tensor:
        """(P,) spread evenly over their distribution, so that any few of a batch are early and late ones.

        Args:
            ends: more often at both ends, where it is hard to say which picture belongs to a noise, or which noise to a picture.
        """
        even_P = torch.rand(1, generator=generator, device=device) + torch.arange(num, device=device) * _GOLDEN
        even_P = (even_P % 1).clamp(1e-4, 1 - 1e-4)
        if ends:
            return (even_P * math.pi / 2).sin().square()
        if self.config.times == "uniform":
            return even_P
        return (torch.special.ndtri(even_P) - self.config.early).sigmoid()

    def _asked(self, x_PCHW: Tensor, t_P: Tensor, latent: Latent, said_P: Tensor) -> Tensor:
        pooled_PD = torch.where(said_P[:, None], latent.pooled, self.unsaid.to(latent.pooled))
        given_PD = self.when(_waves(t_P)) + self.what(pooled_PD)
        tokens_PTD, mask_PT = said_tokens(self.blank.expand(len(x_PCHW), -1, -1), latent, said_P)
        return self.network(x_PCHW, given_PD, tokens_PTD, mask_PT)

    def noise(self, num: int, generator: torch.Generator) -> Tensor:
        """(P, C, side, side) where every picture begins, the same for the same generator on every machine."""
        return torch.randn(num, self.channels, self.side, self.side, generator=generator, device=generator.device)

    def noise_of(self, seeds: Sequence[int]) -> Tensor:
        """(P, C, side, side) on the CPU: where the picture of each seed begins, drawn alone."""
        return torch.cat([self.noise(1, torch.Generator().manual_seed(seed)) for seed in seeds])

    def velocity(self, x_PCHW: Tensor, t: float, latent: Latent, guidance: float = 1.0) -> Tensor:
        """(P, C, side, side) which way what is drawn goes at moment t.

        Args:
            guidance: 1: as learned; above 1: so much further away from what would be drawn if nothing were given; 0: that.
        """
        num = len(x_PCHW)
        t_P = x_PCHW.new_full((num,), t)
        if guidance in (0.0, 1.0):
            said_P = torch.full((num,), guidance == 1.0, device=x_PCHW.device)
            return self._followed(self._asked(x_PCHW, t_P, latent, said_P).float(), x_PCHW, t)
        both = latent.rows(torch.arange(num, device=x_PCHW.device).repeat(2))
        said_P = torch.arange(2 * num, device=x_PCHW.device) < num
        with_P, without_P = self._asked(x_PCHW.repeat(2, 1, 1, 1), t_P.repeat(2), both, said_P).float().chunk(2)
        return self._followed(without_P + guidance * (with_P - without_P), x_PCHW, t)

    def _followed(self, said_PCHW: Tensor, x_PCHW: Tensor, t: float) -> Tensor:
        """The velocity that goes with what the network says at moment t."""
        if self.says == "velocity":
            return said_PCHW
        of_end, of_noise = self.shares(t)
        end_PCHW = ((x_PCHW - of_noise * said_PCHW) / of_end.clamp(min=_LEAST)).clamp(-self.most, self.most)
        return (of_noise * end_PCHW - of_end * said_PCHW) * (math.pi / 2)


_GOLDEN = 0.6180339887
"""A step around a circle of length 1 whose multiples are spread evenly, however many there are."""
_LEAST = 0.05
"""Share of the end that is taken to be in a picture where there is less: what is left of it without its noise is mostly the
network's error, and is divided by this."""
_WAVES = 64
"""Numbers that a moment is told by."""


def _waves(t_P: Tensor) -> Tensor:
    """(P,) -> (P, D) sines and cosines of a moment."""
    wave_D = torch.exp(torch.linspace(0, math.log(1000), _WAVES // 2, device=t_P.device))
    angle_PD = t_P[:, None] * wave_D
    return torch.cat([angle_PD.sin(), angle_PD.cos()], 1)
