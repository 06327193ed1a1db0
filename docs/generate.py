"""Writes docs/verbs/: a page for each verb of the command line, from its docstring, its Request and its Response.

python docs/generate.py           writes the pages and removes those of verbs that are gone
python docs/generate.py --check   writes nothing; exit status 1 if a page is not what would be written
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, Literal

from tuwen import cli, registry
from tuwen.command._ask import task_parameters
from tuwen.command._verb import _doc, _placeholder, asked_pictures, field_docs, parameters
from tuwen.types import Picture

FOLDER = Path(__file__).parent / "verbs"


def pages() -> dict[str, str]:
    """File name -> content of every page."""
    kinds = cli.verbs()
    made = {f"{verb}.md": page(verb, registry.get(kind, verb), kind) for verb, kind in kinds.items()}
    return {"README.md": contents(kinds), **made}


def contents(kinds: dict[str, str]) -> str:
    """All verbs with what each does."""
    lines = ["# Verbs", "", "Written by `make docs`, from the same source as `tuwen VERB --help`."]
    for kind, title in (("task", "Ask a model"), ("command", "Make and look after models")):
        lines += ["", f"## {title}", ""]
        lines += [f"- [{verb}]({verb}.md): {registry.summary(kind, verb)}" for verb, of in kinds.items() if of == kind]
    return "\n".join(lines) + "\n"


def page(verb: str, module: ModuleType, kind: str) -> str:
    """One verb: what it does, examples, arguments, options, and the fields of its answer."""
    wanted = task_parameters(module) if kind == "task" else parameters(module.Request)
    given = sorted(wanted, key=lambda parameter: parameter.kind)
    text, example = _doc(module)
    arguments = [p for p in given if p.kind is not p.KEYWORD_ONLY]
    options = [p for p in [*given, *parameters(cli.Common)] if p.kind is p.KEYWORD_ONLY]
    usage = " ".join(["tuwen", verb, *filter(None, map(_placeholder, given)), "[OPTIONS]"])
    parts = [f"# tuwen {verb}", text, f"    {usage}"]
    if example:
        lines = "\n".join(line.strip() for line in example.splitlines()[1:])
        parts.append(f"```sh\n{lines}\n```")
    if arguments:
        parts.append(_table(("argument", "meaning"), [(f"`{_placeholder(p)}`", _help(p)) for p in arguments]))
    rows = [(f"`{_option(p)}`", _help(p), _default(p)) for p in options]
    parts.append("## Options\n\n" + _table(("option", "meaning", "default"), rows))
    asked = bool(kind == "task" and asked_pictures(module.Request))
    made = bool(kind == "task" and _pictures(module.Response))
    parts.append("## Answer\n\n" + _told(asked, made) + "\n\n" + _table(("field", "meaning"), _answer(module.Response)))
    return "\n\n".join(parts) + "\n"


def _told(asked: bool, made: bool) -> str:
    """What stands above the fields of an answer."""
    told = "With `--json`, an object with:"
    if asked:
        told = (
            "With `--json`, an object a picture, with `image`, its path (or `error`, with `--on-error skip`), and the fields below; "
            "with `-o` a table or folder one object sums up instead: `out`, `written`, `skipped`, `abstained`, `failed`, `seconds`."
        )
    pictures = "Pictures are PNG files in base64 in it, and left out where `-o` names a file for them."
    return f"{told}\n\n{pictures}" if made else told


def _pictures(cls: type) -> list[str]:
    """Fields of an answer that hold pictures."""
    return [name for name, hint in _hints(cls).items() if Picture in (hint, *typing.get_args(hint))]


def _hints(cls: type) -> dict[str, Any]:
    """Field -> its type; nothing of a class that names what only a checker imports."""
    try:
        return typing.get_type_hints(cls)
    except NameError:
        return {}


def _answer(cls: type, before: str = "") -> list[tuple[str, str]]:
    """(field, meaning) of an answer, and of what its fields hold."""
    hints, rows = _hints(cls), list[tuple[str, str]]()
    for name, meaning in field_docs(cls).items():
        rows.append((f"`{before}{name}`", meaning))
        inside = [one for one in typing.get_args(hints.get(name)) if dataclasses.is_dataclass(one)]
        rows += [row for one in inside for row in _answer(one, f"{before}{name}[].")]
    return rows


def _option(parameter: inspect.Parameter) -> str:
    names = " / ".join([" ".join(_extra(parameter).name), *_extra(parameter).negative])
    kind = _kind(typing.get_args(parameter.annotation)[0])
    return f"{names} {kind}".rstrip()


def _kind(hint: Any) -> str:
    """What is typed after an option: nothing for a switch, the choices, or INT, STR, ..."""
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    inside = [one for one in typing.get_args(hint) if one not in (NoneType, ...)]
    if inside:
        return _kind(inside[0]) + ("..." if typing.get_origin(hint) is tuple else "")
    return "" if hint is bool else hint.__name__.upper()


def _default(parameter: inspect.Parameter) -> str:
    return f"`{parameter.default}`" if _extra(parameter).show_default else ""


def _help(parameter: inspect.Parameter) -> str:
    return str(_extra(parameter).help)


def _extra(parameter: inspect.Parameter) -> Any:
    """What `_verb.parameters` has written down of it for the help."""
    return typing.get_args(parameter.annotation)[1]


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def drift(folder: Path = FOLDER) -> list[str]:
    """Names of pages that are not what would be written: changed, missing, or of a verb that is gone."""
    wanted = pages()
    there = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(folder: Path = FOLDER) -> None:
    """Writes every page, and removes those of verbs that are gone."""
    wanted = pages()
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, "utf-8")


def main() -> int:
    if "--check" not in sys.argv[1:]:
        write()
        return 0
    changed = drift()
    if changed:
        print(f"docs/verbs is not up to date: {', '.join(changed)}. Run `make docs`.", file=sys.stderr)
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main())
