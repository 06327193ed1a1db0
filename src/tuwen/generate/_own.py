"""What a decoder writes by itself in training, and how probable it finds each token of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tuwen.errors import ConfigError
from tuwen.generate._limits import Limits
from tuwen.generate._lines import Lines
from tuwen.generate._logits import NEVER, Rules, never
from tuwen.generate._written import Written
from tuwen.text_part import pad
from tuwen.types import Decoded, Feed, Latent


def own_texts(decoder: Any, latent: Latent, samples: int) -> Decoded:
    """Texts of the decoder's own, with the logits of their tokens; gradients flow to decoder and latent.

    Nothing is dropped, whatever the training flag: what draws the texts and what judges them is one distribution.

    Args:
        latent: R rows.
        samples: texts drawn for each row, with the random numbers of torch; 0: one, of the most probable tokens, and no
            gradient.
    Returns:
        P = R * max(samples, 1) texts, those of a row side by side; logits of tokens that are never written are minus
        infinity.
    Raises:
        ConfigError: the decoder writes no text.
    """
    if not hasattr(decoder, "step"):
        raise ConfigError(
            f"a route with how='sample' draws texts, and its decoder makes {decoder.modality}; give it one of text"
        )
    device, each = latent.pooled.device, max(samples, 1)
    with _still(decoder):
        texts = [one for row in _written(decoder, latent, samples) for one in row]
        data, mask = pad([[decoder.bos, *one.tokens, *[decoder.eos][: one.finished]] for one in texts])
        place_P = torch.arange(len(latent)).repeat_interleave(each)
        with torch.set_grad_enabled(torch.is_grad_enabled() and samples > 0):
            made = decoder(latent, Feed(data, place_P, mask).to(device))
    never_X = torch.tensor(never(decoder), dtype=torch.int64, device=device)
    return replace(
        made,
        prediction=made.prediction.index_fill(1, never_X, NEVER),
        owner_P=place_P.to(device) if latent.owner_P is None else latent.owner_P[place_P.to(device)],
        texts=decoder.texts([one.tokens for one in texts]),
        finished=torch.tensor([one.finished for one in texts], device=device),
    )


@torch.no_grad()
def _written(decoder: Any, latent: Latent, samples: int) -> list[list[Written]]:
    each, device = max(samples, 1), latent.pooled.device
    rules = Rules(Limits(), decoder, device)
    lines = Lines(decoder, len(latent), device, steps=decoder.max_tokens, each=each)
    state = decoder.start(latent, beams=each)
    while len(lines):
        logits_NV = rules(decoder.step(state, lines.last_RK.flatten()), lines.said)
        chance_NV = logits_NV.softmax(-1)
        token_N1 = _draw(chance_NV) if samples else chance_NV.argmax(-1, keepdim=True)
        logprob_N1 = chance_NV.gather(1, token_N1).log()
        keep_L = lines.take(token_N1.view(-1, each), logprob_N1.view(-1, each))
        if keep_L is not None:
            decoder.drop(state, keep_L)
    return lines.written()


def _draw(chance_NV: Tensor) -> Tensor:
    """(N, 1) tokens, each as often as it is probable. On a CPU 25 times as fast as `torch.multinomial`."""
    below_NV = chance_NV.cumsum(-1)
    place_N1 = torch.rand_like(below_NV[:, :1]) * below_NV[:, -1:]
    return torch.searchsorted(below_NV, place_N1, right=True).clamp_(max=chance_NV.shape[1] - 1)


@contextmanager
def _still(part: nn.Module) -> Iterator[None]:
    """Nothing in a part is dropped; recurrent cells keep their flag, since cuDNN gives no gradient without it."""
    flags = [(module, module.training) for module in part.modules() if not isinstance(module, nn.RNNBase)]
    for module, _ in flags:
        module.training = False
    try:
        yield
    finally:
        for module, training in flags:
            module.training = training
