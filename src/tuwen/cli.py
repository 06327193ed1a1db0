"""The command line: one verb a file of task/ and command/; the fields of its Request are its arguments.

Exit 0: done; 1: a bug of ours; 2: a mistake of the user, one line on stderr; 130: interrupted.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tuwen import registry
from tuwen.command._verb import UsageError, parameters, parse
from tuwen.errors import TuwenError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every verb."""

    json: bool = False
    """One JSON object a line on stdout."""
    debug: bool = False
    """Shows the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit status; prints, and never raises."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files that are not UTF-8
    try:
        run([token for token in tokens if token != "--debug"])
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt as stop:
        return _say(str(stop) or "interrupted", 130)
    except BrokenPipeError:  # `tuwen ... | head`: nobody listens any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (TuwenError, OSError) as error:
        if "--debug" in tokens:
            traceback.print_exc()
        return _say(str(error), 2)
    except Exception as error:
        if "--debug" in tokens:
            traceback.print_exc()
        return _say(f"a bug in tuwen: {type(error).__name__}: {error}; the same command with --debug shows where", 1)


def _say(text: str, status: int) -> int:
    print(" ".join(text.split()), file=sys.stderr)
    return status


def verbs() -> dict[str, str]:
    """Verb -> its kind, task or command; sorted."""
    return dict(sorted((name, kind) for kind in ("task", "command") for name in registry.names(kind)))


def run(tokens: list[str]) -> None:
    """Runs a command line and prints what it gives; whatever goes wrong is raised."""
    if not tokens or tokens[0] in ("--help", "-h", "help"):
        return _overview()
    if tokens[0] == "--version":
        from tuwen import __version__

        return print(__version__)
    verb, known = tokens[0], verbs()
    if verb not in known:
        what = "option" if verb.startswith("-") else "verb"
        raise UsageError(
            f"no {what} is called {verb!r}.{did_you_mean(verb, known)} Verbs: {', '.join(known)}. `tuwen --help` "
            "says what each does."
        )
    if known[verb] == "task":
        _ask(verb, tokens[1:])
    else:
        _command(verb, tokens[1:])


def _ask(verb: str, tokens: list[str]) -> None:
    from tuwen.command._ask import ask, task_parameters

    task = registry.get("task", verb)
    values = parse(verb, task, [*task_parameters(task), *parameters(Common)], tokens)
    if values is not None:
        ask(verb, values, json=values["json"])


def _command(verb: str, tokens: list[str]) -> None:
    command = registry.get("command", verb)
    values = parse(verb, command, [*parameters(command.Request), *parameters(Common)], tokens)
    if values is None:
        return
    request = command.Request(**{f.name: values[f.name] for f in dataclasses.fields(command.Request)})
    with _watched(command, values["json"]) as extra:
        for response in command.run(request, **extra):
            if values["json"]:
                from tuwen.command._rows import to_json

                print(to_json(dataclasses.asdict(response)), flush=True)
            elif text := command.show(response):
                print(text, flush=True)


def _watched(command: ModuleType, json: bool) -> Any:
    """Context that gives `{"report": callback}` for a command that reports while it runs, else `{}`."""
    if "report" not in inspect.signature(command.run).parameters:
        return nullcontext({})
    from tuwen.command._progress import json_lines, on_terminal

    return json_lines() if json else on_terminal()


def _overview() -> None:
    """Every verb with the first line of its docstring; imports none of them."""
    known = verbs()
    width = max(map(len, known)) + 2
    print("tuwen learns from your own pictures and words, and captions and matches with what it learned.\n")
    print("Usage: tuwen VERB ...\n")
    for kind, title in (("task", "Ask a model"), ("command", "Make and look after models")):
        print(f"{title}:")
        for name in (name for name in known if known[name] == kind):
            print(f"    {name:<{width}}{registry.summary(kind, name)}")
        print()
    print(
        "Start:\n    tuwen demo\n    tuwen train photos/ -o model --time-limit 20m\n    tuwen caption model photo.jpg\n"
    )
    print("`tuwen VERB --help` shows options and an example. Every verb takes --json and --debug.")
