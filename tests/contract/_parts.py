"""What the contract tests share: every registered part of a kind in its tiny form, and in each of its options."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from tuwen import registry
from tuwen.errors import ConfigError, MissingExtraError
from tuwen.recipe import dump_part, load_part
from tuwen.types import Latent

Option = dict[str, Any]


def every(kind: str, *, starts: str = "", but: str = "\0") -> list[Any]:
    """One pytest parameter `(kind, name, option)` for each part, and for each other value of a bool or Literal field.

    Args:
        starts, but: what names begin with, and must not begin with: `text_`.
    """
    found = []
    for name in registry.names(kind):
        if name.startswith(starts) and not name.startswith(but):
            found.append(pytest.param((kind, name, {}), id=name))
            for field, value in _options(registry.get(kind, name).Config):
                found.append(pytest.param((kind, name, {field.name: value}), id=f"{name}-{field.name}={value}"))
    return found


def made_by(kind: str, base: type) -> list[str]:
    """Names of the parts whose Config is of this base: the ways of writing, or of following a flow."""
    return [name for name in registry.names(kind) if issubclass(registry.get(kind, name).Config, base)]


def _options(cls: Any) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """Fields with a few possible values, and each value that is not the default."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        values = (True, False) if kind is bool else typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
        yield from ((field, value) for value in values if value != field.default)


def make_config(param: tuple[str, str, Option]) -> Any:
    """The tiny Config with its option; skips where an extra is not installed."""
    kind, name, option = param
    cls = registry.get(kind, name).Config
    try:
        config = cls.tiny()
    except MissingExtraError as error:
        pytest.skip(str(error))
    for field, _ in _options(cls):
        assert getattr(config, field.name) == field.default, (
            f"tiny() leaves {field.name} as it is: options are tried here"
        )
    return dataclasses.replace(config, **option)


def settle(part: Any, values: list[Any]) -> Any:
    if hasattr(part, "fit"):
        part.fit(values)
    return part


def make(build: Callable[[], Any], values: list[Any], seed: int = 0) -> Any:
    """A part built and settled with this seed, in eval mode; skips options that exclude each other."""
    torch.manual_seed(seed)
    try:
        return settle(build(), values).eval()
    except ConfigError as error:
        pytest.skip(f"not an option here: {error}")


def again(part: Any, build: Callable[[], Any]) -> Any:
    """The part as a model directory gives it back: built, restored from JSON, weights loaded."""
    torch.manual_seed(99)
    other = build()
    if hasattr(part, "learned"):
        other.restore(json.loads(json.dumps(part.learned())))
    other.load_state_dict(part.state_dict())
    return other.eval()


def survives_json(config: Any, kind: str) -> bool:
    return load_part(kind, f"{kind}.x", json.loads(json.dumps(dump_part(config)))) == config


def floats(value: Any) -> list[Tensor]:
    """All floating tensors in a dataclass, dict, list or tuple."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    if dataclasses.is_dataclass(value):
        value = [getattr(value, f.name) for f in dataclasses.fields(value)]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for one in value for t in floats(one)] if isinstance(value, list | tuple) else []


def same(a: Any, b: Any, **tolerance: float) -> None:
    """Asserts that two results hold the same floating tensors."""
    left, right = floats(a), floats(b)
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


def alike(a: Any, b: Any) -> None:
    """Asserts that bfloat16 gave what float32 gave, within 4 % of the largest value of each tensor."""
    for one, other in zip(floats(a), floats(b), strict=True):
        assert (one.float() - other.float()).abs().max() <= 0.04 * one.abs().max() + 0.02


def without_gradient(part: nn.Module, result: Any) -> list[str]:
    """Trainable parameters that a random weighting of all outputs gives no gradient."""
    torch.manual_seed(5)
    outputs = [t for t in floats(result) if t.requires_grad]
    if outputs:
        sum((t.float() * torch.randn_like(t.float())).sum() for t in outputs).backward()  # type: ignore[union-attr]
    trainable = [(name, p) for name, p in part.named_parameters() if p.requires_grad]
    return [name for name, p in trainable if p.grad is None or not p.grad.isfinite().all()]


def flags(part: nn.Module) -> list[bool]:
    return [module.training for module in part.modules()]


def latent(
    rows: int, width: int = 12, pooled: int = 10, tokens: int = 7, *, seed: int = 1, masked: bool = False
) -> Latent:
    """Random values of a field; with `masked` the last token of every other row is not real."""
    random = torch.Generator().manual_seed(seed)
    mask = torch.ones(rows, tokens, dtype=torch.bool)
    mask[::2, -1] = False
    return Latent(
        torch.randn(rows, pooled, generator=random),
        torch.randn(rows, tokens, width, generator=random),
        mask if masked else None,
    )


def one_row(value: Latent, row: int) -> Latent:
    return value.rows(torch.tensor([row]))
