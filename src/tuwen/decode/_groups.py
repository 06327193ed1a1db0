"""Captions that share a picture, side by side, for decoders that go step by step."""

from __future__ import annotations

import torch
from torch import Tensor


class Groups:
    """Which captions belong to which picture, so that all captions of a picture read one memory."""

    def __init__(self, owner_P: Tensor, num_pictures: int):
        count_B = torch.bincount(owner_P, minlength=num_pictures)
        self.most = int(count_B.max()) if len(owner_P) else 0
        self.even = len(owner_P) == num_pictures * self.most
        self.num_pictures = num_pictures
        if not self.even:
            first_B = count_B.cumsum(0) - count_B
            self.slot_P = owner_P * self.most + torch.arange(len(owner_P), device=owner_P.device) - first_B[owner_P]

    def gather(self, x_PTD: Tensor) -> Tensor:
        """(P, T, D) -> (B, most * T, D); places of captions that are not there are zeros."""
        length, width = x_PTD.shape[1:]
        if not self.even:
            padded = x_PTD.new_zeros(self.num_pictures * self.most, length, width)
            x_PTD = padded.index_copy(0, self.slot_P, x_PTD)
        return x_PTD.reshape(self.num_pictures, self.most * length, width)

    def scatter(self, x_BTD: Tensor, length: int) -> Tensor:
        """The way back: (B, most * T, D) -> (P, T, D)."""
        x_PTD = x_BTD.reshape(self.num_pictures * self.most, length, -1)
        return x_PTD if self.even else x_PTD[self.slot_P]
