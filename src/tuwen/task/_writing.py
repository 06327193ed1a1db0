"""From the options of a caption to the way of writing that they ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tuwen import registry
from tuwen.errors import ConfigError, did_you_mean
from tuwen.task import match
from tuwen.task._neighbours import neighbours_of

if TYPE_CHECKING:
    from tuwen.model import CrossModal
    from tuwen.task.caption import Request

RENAMED = {"beam": "beams", "no_repeat": "no_repeat_ngram"}
"""Option -> what a Config of `tuwen.generate` calls it; the others have the same name."""
_OTHER = ("image", "method", "rerank", "attention", "min_confidence")
"""Fields of a Request that are no setting of a way of writing."""


def check(request: Request) -> None:
    """Raises ConfigError for a way of writing that is not there, options that it has not, and values it cannot take."""
    known = _settings(request.method)
    for field in dataclasses.fields(request):
        value, name = getattr(request, field.name), RENAMED.get(field.name, field.name)
        if field.name not in _OTHER and name not in known and value != field.default:
            able = [way for way in _ways() if name in _settings(way)]
            raise ConfigError(
                f"{field.name} is {value!r}, which has no effect with method={request.method}. Leave it out, or set "
                f"method to {' or '.join(able)}."
            )
    method_of(request).check()


def method_of(request: Request) -> Any:
    """The Config of the way of writing that a request asks for; with rerank it gives back all that it has.

    Raises:
        ConfigError: there is nothing to rerank.
    """
    greedy = request.method == "beam" and request.beam == 1
    config_of = registry.get("generate", "greedy" if greedy else request.method).Config
    known = {f.name for f in dataclasses.fields(config_of)}
    named = {RENAMED.get(f.name, f.name): getattr(request, f.name) for f in dataclasses.fields(request)}
    config = config_of(**{name: value for name, value in named.items() if name in known and value is not None})
    if not request.rerank:
        return config
    several = max(getattr(config, "beams", 0) + getattr(config, "samples", 0), getattr(config, "best", 0))
    if several < 2:
        raise ConfigError(
            "rerank chooses among several captions and only one is written; set beam=5, or method=sampling and samples=16"
        )
    return dataclasses.replace(config, best=several)


def check_stream(request: Request) -> None:
    """Raises ConfigError where a caption cannot be shown while it is written: it is certain, or chosen, at its end."""
    if not type(method_of(request))().streams:
        ways = [name for name in _ways() if registry.get("generate", name).Config().streams]
        raise ConfigError(
            f"--stream shows words as they are written, and method={request.method} is sure of them only when the caption "
            f"is done. Add --beam 1, or --method {', '.join(ways[:-1])} or {ways[-1]}; or leave --stream out."
        )
    most = {"best": 1, "samples": 1, "rerank": False, "min_confidence": 0}
    held = [name for name, value in most.items() if (getattr(request, name) or 0) > value]
    if held:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in held)
        raise ConfigError(
            f"--stream shows a caption while it is written, and what {options} {'give' if held[1:] else 'gives'} is known "
            f"only at its end. Leave out {options}, or --stream."
        )


def check_matchers(model: CrossModal, config: Any, *, rerank: bool = False) -> None:
    """Raises ConfigError where models that only match are named, and nothing asks them."""
    from tuwen.generate import mbr

    if model.matcher is model or rerank or isinstance(config, mbr.Config):
        return
    names = list(getattr(model.matcher, "names", ())) or ["one of the models"]
    raise ConfigError(
        f"{' and '.join(names)} only {'match' if names[1:] else 'matches'} pictures with texts, which changes nothing as "
        "captions are written here. Add --method mbr, or to `caption` --rerank; or leave out what only matches."
    )


def build(model: CrossModal, config: Any) -> Any:
    """The way of writing of a Config, ready to be called on latents of the model.

    Raises:
        ConfigError: more tokens are asked for than the model ever writes.
    """
    from tuwen.generate import mbr

    most = getattr(model.decoders["text"], "max_tokens", None) if "text" in model.decoders else None
    if most is not None and config.min_tokens > most:
        raise ConfigError(
            f"min_tokens is {config.min_tokens}, and this model writes at most {most}; set min_tokens={most}"
        )
    if not isinstance(config, mbr.Config):
        return config.build()
    matcher = model.matcher
    embed = partial(matcher.encode, field="text") if config.similarity == "embedding" else None
    near = neighbours_of(matcher, config.neighbours) if config.neighbours else None
    return config.build(embed=embed, match=None if matcher is model else partial(_matches, matcher), near=near)


def _matches(matcher: CrossModal, latent: Any, texts: Sequence[Sequence[str]]) -> list[list[float]]:
    """For each of B rows the cosine of each of its texts with the picture; -1 for empty ones.

    Args:
        latent: of several models that write, with what the matcher reads of the pictures.
    """
    import torch

    every = list(dict.fromkeys(text for some in texts for text in some if text.strip()))
    if not every:
        return [[-1.0] * len(some) for some in texts]
    place = {text: i for i, text in enumerate(every)}
    with torch.inference_mode():
        picture_BD = torch.nn.functional.normalize(latent.matched.pooled.float(), dim=-1)
        cosine_BT = (picture_BD @ matcher.encode(every, field="text").T).tolist()
    return [
        [cosine_T[place[text]] if text in place else -1.0 for text in some]
        for cosine_T, some in zip(cosine_BT, texts, strict=True)
    ]


def match_of(model: CrossModal, images: Sequence[Any], texts: Sequence[Sequence[str]]) -> list[list[float]]:
    """For each picture the cosine with each of its texts; -1 for empty ones."""
    said = [tuple(text for text in some if text.strip()) for some in texts]
    asked = [match.Request(image=image, text=some) for image, some in zip(images, said, strict=True) if some]
    answers = iter(match.cosines(model.matcher, asked))
    cosines = [dict(zip(some, next(answers), strict=True)) if some else {} for some in said]
    return [[cosine.get(text, -1.0) for text in some] for cosine, some in zip(cosines, texts, strict=True)]


def _ways() -> list[str]:
    """Ways of writing text."""
    from tuwen.generate._limits import Limits

    return [name for name in registry.names("generate") if issubclass(registry.get("generate", name).Config, Limits)]


def _settings(way: str) -> set[str]:
    """Names of the settings of a way of writing.

    Raises:
        ConfigError: there is none of this name that makes text.
    """
    if way in registry.names("generate"):
        names = {field.name for field in dataclasses.fields(registry.get("generate", way).Config)}
        if "max_tokens" in names:
            return names
    ways = _ways()
    raise ConfigError(f"method is {way!r}.{did_you_mean(str(way), ways)} It can be {', '.join(ways)}.")
