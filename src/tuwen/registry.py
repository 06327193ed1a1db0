"""Names -> modules. A file in a part folder *is* the registration; nothing is imported until it is asked for."""

import ast
import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tuwen.errors import ConfigError, UnknownNameError

KINDS = ("data", "encode", "space", "fuse", "decode", "generate", "objective", "metric", "judge", "task", "command")
"""Folders that hold one part a file; also the entry-point groups `tuwen.<kind>` of plugins."""


@cache
def _plugins(kind: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"tuwen.{kind}")}


def _folder(kind: str) -> list[str]:
    return list(importlib.import_module(f"tuwen.{kind}").__path__)


def names(kind: str) -> list[str]:
    """Sorted public names of one kind: the files of its folder and the installed plugins.

    Raises:
        UnknownNameError: there is no such kind.
        ConfigError: a plugin uses the name of a built-in part (never resolved silently).
    """
    if kind == "recipe":
        return sorted(_recipes())
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, [*KINDS, "recipe"])
    built_in = {module.name for module in pkgutil.iter_modules(_folder(kind)) if not module.name.startswith("_")}
    if clash := built_in & _plugins(kind).keys():
        raise ConfigError(f"plugins redefine the built-in {kind} {sorted(clash)}; rename them in the plugin")
    return sorted(built_in | _plugins(kind).keys())


def get(kind: str, name: str) -> ModuleType:
    """The module behind `name`; for a part, its `Config` dataclass has a `build()` that makes the part.

    Raises:
        UnknownNameError: with the nearest names.
    """
    if name not in (known := names(kind)):
        raise UnknownNameError(kind, name, known)
    plugin = _plugins(kind).get(name)
    module: ModuleType = plugin.load() if plugin else importlib.import_module(f"tuwen.{kind}.{name}")
    return module


def summary(kind: str, name: str) -> str:
    """First line of the docstring of a part or recipe, read without importing it."""
    if kind == "recipe":
        return _recipes().get(name, ("", ""))[1]
    if plugin := _plugins(kind).get(name):
        return f"plugin: {plugin.value}"
    for folder in _folder(kind):
        path = Path(folder) / f"{name}.py"
        if path.is_file():
            return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]
    return ""


def _recipes() -> dict[str, tuple[str, str]]:
    """Recipe name -> (module that holds its function, first line of the docstring), read without importing."""
    plugins = _recipe_plugins()
    found = {name: (point.value.split(":")[0], f"plugin: {point.value}") for name, point in plugins.items()}
    for folder in _folder("recipes"):
        for path in sorted(Path(folder).glob("[!_]*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    line = (ast.get_docstring(node) or "").split("\n")[0]
                    if (name := node.name.replace("_", "-")) in plugins:
                        raise ConfigError(f"plugins redefine the built-in recipe ['{name}']; rename them in the plugin")
                    found[name] = (f"tuwen.recipes.{path.stem}", line)
    return found


def _recipe_plugins() -> dict[str, Any]:
    return {name.replace("_", "-"): point for name, point in _plugins("recipe").items()}


def get_recipe(name: str) -> Callable[[Any], Any]:
    """The recipe function `(facts) -> Recipe` called `name` (`-` and `_` are the same).

    Raises:
        UnknownNameError: with the nearest names.
    """
    name = name.replace("_", "-")
    if name not in (known := _recipes()):
        raise UnknownNameError("recipe", name, sorted(known))
    if plugin := _recipe_plugins().get(name):
        return plugin.load()
    return getattr(importlib.import_module(known[name][0]), name.replace("-", "_"))
