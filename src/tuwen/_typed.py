"""Settings as they are typed: the value that a text spells for a field of a dataclass."""

from __future__ import annotations

import dataclasses
import re
import types as python_types
import typing
from dataclasses import replace
from typing import Any, Literal

from tuwen.errors import ConfigError, did_you_mean


def no_field(where: str, name: str, cls: Any) -> str:
    """What is said of a field that a dataclass has not."""
    known = [f.name for f in dataclasses.fields(cls)]
    near = did_you_mean(name, known).replace(" Did", "; did").rstrip()
    return (
        f"{where} has no field {name!r}{near} Fields: {', '.join(known)}."
        if near
        else (f"{where} has no field {name!r}. Fields: {', '.join(known)}.")
    )


def set_field(config: Any, path: str, name: str, text: str) -> Any:
    """A copy of a dataclass with one field as it is typed.

    Args:
        path: of the setting, for messages: `train.lr`.
        name: of the field.
    Raises:
        ConfigError: there is no such field, or it cannot be that.
    """
    where = path.rpartition(".")[0]
    if name not in {f.name for f in dataclasses.fields(config)}:
        raise ConfigError(no_field(where, name, type(config)))
    kind = typing.get_type_hints(type(config))[name]
    return replace(config, **{name: parsed(kind, text, path)})


def parsed(kind: Any, text: str, path: str) -> Any:
    """The value that `text` spells for a field of type `kind`."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if text not in args:
            raise ConfigError(f"{path} is one of {', '.join(args)}, got {text!r}.{did_you_mean(text, args)}")
        return text
    if origin is tuple:
        inner = args[0] if args else str
        found = tuple(parsed(inner, piece.strip(), path) for piece in text.strip("()[]").split(",") if piece.strip())
        if args and args[-1] is not ... and len(found) != len(args):
            raise ConfigError(f"{path} is {len(args)} values with commas between, got {text!r}")
        return found
    if origin in (typing.Union, python_types.UnionType):
        if text.lower() in ("none", "null", "") and type(None) in args:
            return None
        return parsed(next(a for a in args if a is not type(None)), text, path)
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ConfigError(f"{path} is true or false, got {text!r}")
        return text.lower() in ("true", "1", "yes")
    if kind in (int, float):
        try:
            exact = kind is float or re.fullmatch(r"\s*[+-]?\d+\s*", text) or not float(text).is_integer()
            return kind(text) if exact else kind(float(text))  # 1e3 is a whole number too
        except ValueError:
            raise ConfigError(f"{path} is {'a whole number' if kind is int else 'a number'}, got {text!r}") from None
    return text
