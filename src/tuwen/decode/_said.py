"""What is given, and left out now and then: what decoders share that guidance leads away from saying nothing.

Source:
    Ho and Salimans 2022, arXiv:2207.12598.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuwen.types import Latent


def left_out(num: int, share: float, device: torch.device) -> Tensor:
    """(P,) bool, True where what is given is said: not in a random share of the rows."""
    if not share:
        return torch.ones(num, dtype=torch.bool, device=device)
    return torch.rand(num, device=device) >= share


def said_tokens(first_P1D: Tensor, latent: Latent, said_P: Tensor) -> tuple[Tensor, Tensor | None]:
    """A token that is always seen and those of a latent, seen where it is said: (P, 1 + T, D) and their mask."""
    if latent.tokens is None:
        return first_P1D, None
    mask_PT = latent.mask
    if mask_PT is None:
        mask_PT = latent.tokens.new_ones(latent.tokens.shape[:2], dtype=torch.bool)
    mask_PT = nn.functional.pad(mask_PT & said_P[:, None], (1, 0), value=True)
    return torch.cat([first_P1D.to(latent.tokens), latent.tokens], 1), mask_PT


def beside(first: Latent, second: Latent) -> Latent:
    """The rows of two latents as one; the shorter has tokens that are not real."""
    pooled_PD = torch.cat([first.pooled, second.pooled])
    if first.tokens is None or second.tokens is None:
        return Latent(pooled_PD)
    length, parts = max(first.tokens.shape[1], second.tokens.shape[1]), []
    for latent in (first, second):
        assert latent.tokens is not None
        mask_PT = latent.mask
        if mask_PT is None:
            mask_PT = latent.tokens.new_ones(latent.tokens.shape[:2], dtype=torch.bool)
        more = length - latent.tokens.shape[1]
        parts.append((nn.functional.pad(latent.tokens, (0, 0, 0, more)), nn.functional.pad(mask_PT, (0, more))))
    tokens_PTD, mask_PT = (torch.cat(both) for both in zip(*parts, strict=True))
    return Latent(pooled_PD, tokens_PTD, mask_PT)
