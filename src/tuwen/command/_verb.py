"""From a dataclass to the options of a verb: cyclopts reads the fields, the string under each is its help."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Annotated, Any

from tuwen.errors import TuwenError
from tuwen.types import Picture

_P = inspect.Parameter
_SHORT = {"out": "-o", "recipe": "-r", "num": "-n"}
"""Field -> the second name of its option, the same in every verb."""


class UsageError(TuwenError):
    """What was typed cannot be understood."""


def field_docs(cls: type) -> dict[str, str]:
    """The string under each field of a dataclass and of those it inherits from, read from the source; a paragraph is one line."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = typing.cast(ast.ClassDef, ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]).body
        for entry, below in pairwise(body):
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and is_text:
                text = inspect.cleandoc(str(below.value.value))  # type: ignore[attr-defined]
                docs[entry.target.id] = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    return docs


def picture_fields(cls: type) -> list[str]:
    """Names of the fields that hold a `Picture`."""
    hints = typing.get_type_hints(cls)
    return [f.name for f in dataclasses.fields(cls) if hints[f.name] is Picture]


def asked_pictures(cls: type) -> list[str]:
    """Those of them that are what a verb is asked about: typed without the name of an option."""
    given = {f.name for f in dataclasses.fields(cls) if not _has_default(f) or f.metadata.get("positional")}
    return [name for name in picture_fields(cls) if name in given]


def parameters(cls: type, *, pictures: bool = False) -> list[inspect.Parameter]:
    """What a function that takes the fields of `cls` would have as parameters.

    Args:
        cls: a dataclass; a field without default is positional, as is one with `metadata={"positional": True}`,
            which may be left out; the others are options.
        pictures: the last positional field, if it holds a picture, takes several files and folders; one that may be
            left out takes none, too.
    """
    docs, hints, images = field_docs(cls), typing.get_type_hints(cls), picture_fields(cls)
    required = [f.name for f in dataclasses.fields(cls) if not _has_default(f)]
    made = []
    for f in dataclasses.fields(cls):
        hint = str if f.name in images else hints[f.name]
        positional = f.name in required or f.metadata.get("positional", False)
        if f.name in required:
            several = pictures and f.name in images and f.name == required[-1]
            kind: Any = _P.VAR_POSITIONAL if several else _P.POSITIONAL_ONLY
            more = {f.name: f"{docs.get(f.name, '')} Several, and folders of them, may be given."} if several else {}
            made.append(_P(f.name, kind, annotation=_annotated(hint, f, {**docs, **more}, required=True)))
        else:
            default = f.default
            if f.default_factory is not dataclasses.MISSING:
                default = f.default_factory()
            kind = _P.POSITIONAL_ONLY if positional else _P.KEYWORD_ONLY
            if pictures and positional and f.name in images:
                text = f"{docs.get(f.name, '')} Several, and folders of them, may be given."
                made.append(_P(f.name, _P.VAR_POSITIONAL, annotation=_annotated(hint, f, {**docs, f.name: text})))
                continue
            made.append(_P(f.name, kind, default=default, annotation=_annotated(hint, f, docs, default=default)))
    return made


def _has_default(f: dataclasses.Field[Any]) -> bool:
    return f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING


def _annotated(
    hint: Any, f: dataclasses.Field[Any], docs: Mapping[str, str], *, default: Any = None, required: bool = False
) -> Any:
    from cyclopts import Parameter

    long = "--" + f.name.replace("_", "-")
    names = (
        None if required or f.metadata.get("positional") else (long, _SHORT[f.name]) if f.name in _SHORT else (long,)
    )
    negative = (f"--no-{long[2:]}",) if default is True else ()
    shown = default not in (None, (), "", False)
    text = docs.get(f.name, "")
    return Annotated[hint, Parameter(name=names, help=text, negative=negative, required=required, show_default=shown)]


def parse(
    verb: str, module: ModuleType, wanted: Sequence[inspect.Parameter], tokens: Sequence[str]
) -> dict[str, Any] | None:
    """Reads the tokens after a verb.

    Returns:
        Parameter name -> value, defaults filled in; None where help was asked for and has been printed.
    Raises:
        UsageError: an option that does not exist, a value of the wrong kind, something missing.
    """
    from cyclopts import App, CycloptsError

    wanted = sorted(wanted, key=lambda p: p.kind)

    def function(*args: Any, **kwargs: Any) -> None: ...

    function.__signature__ = inspect.Signature(list(wanted))  # type: ignore[attr-defined]
    text, example = _doc(module)
    usage = f"Usage: tuwen {verb} {' '.join(map(_placeholder, wanted))}".rstrip() + " [OPTIONS]"
    app = App(
        name=f"tuwen {verb}",
        help=text,
        help_epilogue=example,
        usage=usage,
        help_flags=(),
        version_flags=(),
        help_format="plaintext",
    )
    app.default(function)
    if {"--help", "-h"} & set(tokens):
        app.help_print()
        return None
    try:
        _, bound, _ = app.parse_args(list(tokens), exit_on_error=False, print_error=False, verbose=False)
    except CycloptsError as error:
        error.verbose = False
        raise UsageError(
            f"{_sentence(error)} {usage.removeprefix('Usage: ')}; `tuwen {verb} --help` shows the options."
        ) from error
    bound.apply_defaults()
    return dict(bound.arguments)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (
        text.replace("Parameter ", "").replace("requires an argument", "is missing") if "requires an" in text else text
    )


def _placeholder(parameter: inspect.Parameter) -> str:
    if parameter.kind is _P.KEYWORD_ONLY:
        return ""
    name = parameter.name.upper() + ("..." if parameter.kind is _P.VAR_POSITIONAL else "")
    optional = parameter.kind is _P.POSITIONAL_ONLY and parameter.default is not _P.empty
    return f"[{name}]" if optional else name


def _doc(module: ModuleType) -> tuple[str, str]:
    """The docstring of a verb's file without its example, and the example."""
    text, *rest = re.split(r"^Example:", inspect.cleandoc(module.__doc__ or ""), maxsplit=1, flags=re.MULTILINE)
    lines = "".join(rest)
    lines = "\n".join(f"    {line.strip()}" for line in lines.splitlines() if line.strip())
    return text.strip(), "Example:\n" + lines if lines else ""
