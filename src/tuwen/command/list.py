"""Names of the parts, tasks, recipes and readers that there are, with a line about each.

Example:
    tuwen list
    tuwen list recipe
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tuwen import registry

_KINDS = ("recipe", *registry.KINDS)


@dataclass(frozen=True, kw_only=True)
class Request:
    kind: str = field(default="", metadata={"positional": True})
    """recipe, data, encode, space, fuse, decode, generate, objective, metric, judge, task or command;
    all if left out, `kind` for these words."""


@dataclass(frozen=True, kw_only=True)
class Response:
    kind: str
    """What it is: a recipe, an encoder (encode), ..."""
    name: str
    """What to type."""
    about: str
    """First line of its docstring."""


def run(request: Request) -> Iterator[Response]:
    """One response a name, without importing any.

    Raises:
        UnknownNameError: there is no such kind.
    """
    if request.kind == "kind":
        yield from (Response(kind="kind", name=kind, about=f"{len(registry.names(kind))} of them") for kind in _KINDS)
        return
    for kind in [request.kind] if request.kind else _KINDS:
        for name in registry.names(kind):
            yield Response(kind=kind, name=name, about=registry.summary(kind, name))


def show(response: Response) -> str:
    """A line."""
    return f"{response.kind:<10} {response.name:<22} {response.about}".rstrip()
