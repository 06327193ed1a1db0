"""How sure a model may be taken to be of its captions: what is known of a caption, and the confidence that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuwen.errors import CannotError, ConfigError
from tuwen.task._writing import RENAMED

if TYPE_CHECKING:
    import numpy as np

    from tuwen.generate._written import Written
    from tuwen.model import CrossModal
    from tuwen.task.caption import Request
    from tuwen.types import Latent


def written_as(model: CrossModal, method: Any) -> dict[str, Any]:
    """What of a way of writing is not as usual, as JSON: for comparison with what a confidence was fitted for.

    Args:
        method: Config of `tuwen.generate`. How many captions it gives back does not count, unless as many are drawn, nor
            does a largest length that the model never reaches.
    """
    import json

    from tuwen.recipe import dump_part

    chosen, usual = dump_part(method), dump_part(type(method)())
    own: dict[str, Any] = {name: value for name, value in chosen.items() if name == "use" or value != usual[name]}
    best = own.pop("best", 1)
    if chosen.get("samples") == 0 and best > 1:  # as many are drawn: the first is the best of them
        own["samples"] = best
    if own.get("max_tokens", 0) >= model.decoders["text"].max_tokens:
        own.pop("max_tokens", None)
    plain: dict[str, Any] = json.loads(json.dumps(own))
    return plain


def calibrated(model: CrossModal, method: Any, *, rerank: bool = False) -> bool:
    """Whether the model's confidence was fitted for captions that are written like this."""
    return model.confidence is not None and not rerank and model.confidence.written == written_as(model, method)


def require(model: CrossModal, method: Any, request: Request) -> None:
    """Raises CannotError, or ConfigError for another way of writing, where min_confidence cannot be held."""
    if len(getattr(model, "models", ())) > 1:
        raise CannotError("several models together have no confidence; leave min_confidence out, or ask one of them")
    if model.confidence is None:
        raise CannotError(
            "this model's confidence is not calibrated, so min_confidence cannot be held; `tuwen evaluate MODEL DATA "
            "--split val --calibrate` fits it on rows that the model has not learned."
        )
    if not calibrated(model, method, rerank=request.rerank):
        own, options_of = dict(model.confidence.written), {own: option for option, own in RENAMED.items()}
        way = f"method={own.pop('use', '')}"
        options = ", ".join(f"{options_of.get(name, name)}={value}" for name, value in own.items())
        raise ConfigError(
            f"min_confidence is {request.min_confidence:g}, and the model's confidence was fitted for {way} with "
            f"{options or 'its usual options'}, not for what was asked. Write captions that way, or calibrate for this one: "
            "tuwen evaluate MODEL DATA --split val --calibrate, and what was asked as --method, --beam, or --using NAME=VALUE"
        )


def known_of(model: CrossModal, latent: Latent, written: Sequence[Written]) -> dict[str, np.ndarray]:
    """What is known of captions without references.

    Args:
        latent: what the decoder reads, a row a caption.
        written: the captions.
    Returns:
        logprob: mean log-probability of the tokens, in nats; tokens: how many, the end included; gain: how much of the
        log-probability, a token, goes when the picture is taken away (a latent of zeros); match: cosine of picture and
        caption, in a model that matches.
    """
    import numpy as np

    decoder: Any = model.decoders["text"]
    logprob_N = np.array([one.score() for one in written])
    known = {
        "logprob": logprob_N,
        "tokens": np.array([float(len(one.tokens) + one.finished) for one in written]),
        "gain": logprob_N - _without_picture(decoder, latent, written),
    }
    if _has_match(model):
        from torch.nn.functional import normalize

        text_ND = model.encode(decoder.texts([one.tokens for one in written]), field="text")
        known["match"] = (normalize(latent.pooled.float(), dim=-1) * text_ND).sum(1).cpu().double().numpy()
    return known


def _has_match(model: CrossModal) -> bool:
    """Whether the latent of a picture that captions are written from lies in one space with texts."""
    from tuwen.task import caption, match

    route = caption.route_of(model)
    return match.able(model) and route is not None and not route.fuse


def _without_picture(decoder: Any, latent: Latent, written: Sequence[Written]) -> np.ndarray:
    """(N,) mean log-probability of the same tokens where the latent holds nothing."""
    from dataclasses import replace

    import torch

    from tuwen.text_part import pad
    from tuwen.types import Feed

    device = latent.pooled.device
    lines = [[decoder.bos, *one.tokens, *[decoder.eos] * one.finished] for one in written]
    data_NT, mask_NT = pad(lines)
    tokens = None if latent.tokens is None else torch.zeros_like(latent.tokens)
    empty = replace(latent, pooled=torch.zeros_like(latent.pooled), tokens=tokens, owner_P=None)
    with torch.no_grad():
        decoded = decoder(empty, Feed(data_NT.to(device), torch.arange(len(lines), device=device), mask_NT.to(device)))
    logprob_M = -torch.nn.functional.cross_entropy(decoded.prediction.float(), decoded.target, reduction="none")
    owner_M = decoded.mask.nonzero()[:, 0]
    sum_N = torch.zeros(len(lines), device=device).index_add(0, owner_M, logprob_M)
    found_N: np.ndarray = (sum_N.cpu() / (mask_NT.sum(1) - 1).clamp(min=1)).double().numpy()
    return found_N


def confidences(model: CrossModal, latent: Latent, written: Sequence[Written]) -> list[float]:
    """The calibrated probability of each caption that it is acceptable."""
    assert model.confidence is not None
    return [round(one, 4) for one in model.confidence(known_of(model, latent, written)).tolist()]
