"""A learned query reads the tokens of all fields that are present."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tuwen.errors import ConfigError, ShapeError
from tuwen.fuse._rows import Rows, check_fields, field_widths
from tuwen.layers import AttentionPool
from tuwen.types import Latent, Widths


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 256
    """Width D of the fused tokens; a multiple of heads."""
    heads: int = 4
    """Heads of the learned query."""

    def build(self, widths: Mapping[str, Widths]) -> Attention:
        return Attention(self, widths)

    @classmethod
    def tiny(cls) -> Config:
        return cls(width=16, heads=2)


class Attention(nn.Module):
    """Latents of some fields -> one Latent of B rows: all their tokens side by side, and what the query read of them.

    Each field goes through its own linear layer and norm; one alone, of the same width, stays as it is. Of several values of a field a row contributes the first.
    The mask is False for the tokens of fields that a row lacks; a row with nothing is zeros.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762; a learned query: Lee et al. 2019, arXiv:1810.00825.
    """

    def __init__(self, config: Config, widths: Mapping[str, Widths]):
        super().__init__()
        if config.width % config.heads:
            raise ConfigError(
                f"fuse.attention: width {config.width} is no multiple of heads {config.heads}. "
                f"Set width={config.width // config.heads * config.heads or config.heads}."
            )
        self.config = config
        self.widths = Widths(config.width, config.width)
        fields = field_widths(widths, "fuse.attention")
        alone = [w.tokens for w in fields.values()] == [config.width]
        self.linear = nn.ModuleDict(
            {
                name: nn.Identity()
                if alone
                else nn.Sequential(nn.Linear(w.tokens, config.width), nn.LayerNorm(config.width))
                for name, w in fields.items()
            }
        )
        self.pool = AttentionPool(config.width, config.heads)

    def forward(self, latents: Mapping[str, Latent], rows: int) -> Latent:
        """Field -> its latent with tokens (P, T, W); gives pooled (B, D), tokens (B, sum of T, D) and their mask.

        Raises:
            ShapeError: none of the fields is there, one that it was not built for, or one without tokens.
        """
        check_fields(latents, self.linear, "fuse.attention")
        spread = [self._spread(name, latent, rows) for name, latent in latents.items()]
        tokens_BTD = torch.cat([tokens for tokens, _ in spread], 1)
        mask_BT = torch.cat([mask for _, mask in spread], 1)
        some_B1 = mask_BT.any(1, keepdim=True)
        # a row with nothing reads zeros, not nothing: a softmax over no token has no value
        read_BD = self.pool(tokens_BTD, mask_BT | ~some_B1)
        return Latent(torch.where(some_B1, read_BD, 0.0), tokens_BTD, mask_BT)

    def _spread(self, name: str, latent: Latent, rows: int) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, D) of one field and their mask (B, T)."""
        if latent.tokens is None:
            raise ShapeError(f"fuse.attention reads tokens; {name} gave none. `mean` fuses pooled vectors.")
        place, tokens_PTD = Rows(latent, rows), self.linear[name](latent.tokens)
        mask_PT = latent.mask
        if mask_PT is None:
            mask_PT = tokens_PTD.new_ones(tokens_PTD.shape[:2], dtype=torch.bool)
        mask_BT = place.spread(mask_PT)
        return torch.where(mask_BT[:, :, None], place.spread(tokens_PTD), 0.0), mask_BT
