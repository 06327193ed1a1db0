"""Small networks that say how real a picture is, and how well it goes with what it was drawn from; or how real each patch is."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Critic(nn.Module):
    """Pictures (P, C, H, W) from -1 to 1 and vectors (P, W) of what is given -> (P,) scores: above 0 for a real one that fits.

    Convolutions halve the picture; a linear layer takes all places together, so that it knows where a thing lies. Beside
    them stands how far the picture is from that of the nearest text in the batch, channel by channel: so it is seen when
    one picture is drawn of a text again and again. The score says how real that is, and how well it goes with what is given.

    Source:
        after Radford et al. 2015, arXiv:1511.06434 (the convolutions); the product with what is given: Miyato and Koyama
        2018, arXiv:1802.05637; pictures beside others of the batch: Salimans et al. 2016, arXiv:1606.03498, section 3.2;
        spectral norm: Miyato et al. 2018, arXiv:1802.05957.
    """

    def __init__(self, shape: torch.Size, given: int, *, widths: tuple[int, ...], features: int, spectral: bool):
        super().__init__()
        norm = _norm(spectral)
        channels, height, width = shape[0], *(side // 2 ** len(widths) for side in shape[1:])
        self.layers = _halving(channels, widths, spectral)
        last = widths[-1] if widths else channels
        self.whole = nn.Sequential(norm(nn.Linear((height * width + 1) * last, features)), nn.LeakyReLU(0.2))
        self.real = norm(nn.Linear(features, 1))
        self.fits = norm(nn.Linear(given, features, bias=False))

    def look(self, pixels_PCHW: Tensor, given_PW: Tensor) -> Tensor:
        """(P, F) what is seen in some pictures that are all real or all drawn, each with its own text."""
        x_PCHW = self.layers(pixels_PCHW)
        between_PP = torch.cdist(given_PW.float(), given_PW.float()).fill_diagonal_(torch.inf)
        apart_PC = (x_PCHW - x_PCHW[between_PP.argmin(1)]).abs().mean((2, 3))
        return self.whole(torch.cat([x_PCHW.flatten(1), apart_PC], 1))

    def score(self, seen_PF: Tensor, given_PW: Tensor) -> Tensor:
        """(P,) float32."""
        given_PF = self.fits(F.layer_norm(given_PW.float(), given_PW.shape[1:]))
        return (self.real(seen_PF)[:, 0] + (seen_PF * given_PF).sum(1) / seen_PF.shape[1] ** 0.5).float()

    def forward(self, pixels_PCHW: Tensor, given_PW: Tensor) -> Tensor:
        return self.score(self.look(pixels_PCHW, given_PW), given_PW)


class PatchCritic(nn.Module):
    """Pictures (P, C, H, W) from -1 to 1 -> (P, N) scores, one a patch: above 0 for a real one.

    The same convolutions, and the score of each cell that they leave: after n of them a patch is 3 * 2^n - 2 pixels wide (10,
    22, 46), and beyond that it sees nothing. So it says how sharp a picture is, and not what it shows. It asks nothing of
    what a picture was drawn from.

    Source:
        Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", arXiv:1611.07004, section
        3.2.2; of what comes back from codes: Esser et al. 2021, arXiv:2012.09841, section 3.1.
    """

    def __init__(self, channels: int, *, widths: tuple[int, ...], spectral: bool):
        super().__init__()
        self.layers = _halving(channels, widths, spectral)
        self.real = _norm(spectral)(nn.Conv2d(widths[-1] if widths else channels, 1, 1))

    def look(self, pixels_PCHW: Tensor, given_PW: Tensor) -> Tensor:
        """(P, F, h, w) what is seen in each patch."""
        return self.layers(pixels_PCHW)

    def score(self, seen_PFHW: Tensor, given_PW: Tensor) -> Tensor:
        """(P, N) float32."""
        return self.real(seen_PFHW).flatten(1).float()

    def forward(self, pixels_PCHW: Tensor, given_PW: Tensor) -> Tensor:
        return self.score(self.look(pixels_PCHW, given_PW), given_PW)


def _halving(channels: int, widths: tuple[int, ...], spectral: bool) -> nn.Sequential:
    """Convolutions of which each halves the picture."""
    layers: list[nn.Module] = []
    for before, after in zip((channels, *widths), widths, strict=False):
        layers += [_norm(spectral)(nn.Conv2d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def _norm(spectral: bool) -> Callable[[nn.Module], nn.Module]:
    """What a layer is wrapped in."""
    return spectral_norm if spectral else nn.Identity()
