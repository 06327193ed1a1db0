"""What every way of writing begins with: a decoder in the precision that is asked for, that has said the prompt."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tuwen.errors import ConfigError
from tuwen.generate._limits import Limits
from tuwen.generate._logits import never
from tuwen.generate._words import spelled
from tuwen.machine import choose_precision
from tuwen.types import Latent


def ready(decoder: Any, config: Limits, latent: Latent) -> Any:
    """The decoder that a way of writing asks; raises as `begun`."""
    precision = choose_precision(config.precision, latent.pooled.device)
    if precision is torch.bfloat16 and hasattr(decoder, "rounded"):
        decoder = decoder.rounded()
    return begun(decoder, config.prompt)


def begun(decoder: Any, prompt: str) -> Any:
    """A decoder that has said the prompt, so that what it writes goes on from there; itself where there is none.

    Raises:
        ConfigError: the prompt has a word that the decoder does not know, or as many tokens as it can write.
    """
    if not prompt.strip():
        return decoder
    given = spelled(decoder, prompt, "prompt")
    if len(given) >= decoder.max_tokens:
        raise ConfigError(
            f"prompt has {len(given)} tokens and this model writes texts of at most {decoder.max_tokens}; shorten the prompt"
        )
    return Begun(decoder, given)


class Begun:
    """A decoder of which every text begins with the tokens `given`: the last of them stands for the begin."""

    def __init__(self, decoder: Any, given: list[int]):
        self.decoder, self.given = decoder, given
        self.bos, self.never = given[-1], never(decoder)
        self.max_tokens = decoder.max_tokens - len(given)
        self.heard: list[Tensor] = []
        """`top` after each token but the last, where the decoder has it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.decoder, name)

    def start(self, latent: Latent, beams: int = 1) -> Any:
        state = self.decoder.start(latent, beams)
        for token in (self.decoder.bos, *self.given[:-1]):
            self.decoder.step(state, torch.full((len(latent) * beams,), token, device=latent.pooled.device))
            if hasattr(self.decoder, "top"):
                self.heard.append(self.decoder.top(state))
        return state
