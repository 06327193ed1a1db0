"""Everything on a small world that it draws itself: learns it, judges what was learned, and shows it on a page.

Example:
    tuwen demo
    tuwen demo -o demo --time-limit 10m
    tuwen demo --print
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuwen.command._progress import seconds_of
from tuwen.command._steps import Record, Step, run_all

if TYPE_CHECKING:
    from tuwen.report._look import Look

STEPS, LIMIT = 1_000, "325s"
"""Length of the training: what two cores do within the limit. A fixed number, and the seed, give the same figures again."""
REPORT = "report.html"
_FAST = ("--steps", "8", "--set", "train.batch=16", "--set", "train.evaluations=1")
_TEXTS = (
    "a large outlined pink diamond on the left",
    "a large outlined pink star on the left",
    "a small filled black diamond on the right",
)
"""What `match` is asked of the first picture; the first is true of it."""


@dataclass(frozen=True, kw_only=True)
class Request:
    out: str = "demo"
    """Folder for everything that is made; what an earlier run of the same command left there is not made again."""
    recipe: str = "unified"
    """What to build; what a recipe cannot do is left out."""
    time_limit: str = ""
    """Time to train: 90s, 5m, 1h; empty: a fixed number of steps, which two cores do in less than 6 minutes, and no longer."""
    fast: bool = False
    """A few pictures and steps: shows in seconds that everything runs, and learns nothing."""
    print: bool = False
    """Only prints the commands that the demo runs."""


@dataclass(frozen=True, kw_only=True)
class Response:
    commands: tuple[str, ...]
    """Command lines that make everything but the page."""
    report: str = ""
    """The page to look at; empty where the commands are only printed."""
    figures: dict[str, float] = field(default_factory=dict)
    """Name -> value, on pictures that were kept from training."""
    chance: dict[str, float] = field(default_factory=dict)
    """Name -> what a model reaches that does not look."""
    took_s: float = 0.0
    """Seconds, without what was there already."""


def steps(request: Request) -> list[Step]:
    """The commands of a demo, in order; without those that a model of the recipe is not for.

    Raises:
        UnknownNameError: there is no such recipe; the nearest name is suggested.
    """
    scenes, model = f"{request.out}/scenes", f"{request.out}/model"
    length = _length(request)
    first, *more = (f"{scenes}/images/test-{i:05d}.png" for i in range(3))
    size = ("--num", "96") if request.fast else ()
    texts = [part for text in _TEXTS for part in ("--text", text)]
    made = {
        "draws pictures, with sentences about them": ("data", "scenes", "-o", scenes, *size),
        "learns from them": ("train", scenes, "-o", model, "-r", request.recipe, *length, "--seed", "0"),
        "judges it on others": ("evaluate", model, scenes, "-o", f"{request.out}/evaluation.json"),
        "asks what some of these show": ("caption", model, first, *more),
        "asks how well texts fit the first": ("match", model, first, *texts),
        "lets it draw": ("draw", model, "a large filled red circle in the centre", "-o", f"{request.out}/drawn.png"),
        "lets it make a picture again": ("reconstruct", model, more[0], "-o", f"{request.out}/again.png"),
    }
    whole, able = {"data": "scenes/metadata.jsonl"}, _able(request.recipe)
    return [
        Step(about=about, tokens=tokens, whole=whole.get(tokens[0], ""))
        for about, tokens in made.items()
        if able.get(tokens[0], True)
    ]


def _length(request: Request) -> tuple[str, ...]:
    """How long the training goes on, as it is typed."""
    if request.fast:
        return _FAST
    usual = ("--steps", str(STEPS), "--time-limit", LIMIT)
    return ("--time-limit", request.time_limit) if request.time_limit else usual


def _able(recipe: str) -> dict[str, bool]:
    """Task -> whether a recipe has the route that it needs."""
    from tuwen import registry
    from tuwen.types import Facts, base_of

    routes = registry.get_recipe(recipe)(Facts(num_train=8_000, picture_side=64)).routes.values()
    needs = {"caption": ("image", "text"), "match": ("text", None), "draw": ("text", "image")}
    needs["reconstruct"] = ("image", "image")
    return {
        task: any(given in route.given and (route.make and base_of(route.make)) == make for route in routes)
        for task, (given, make) in needs.items()
    }


def run(request: Request) -> Iterator[Response]:
    """One response, at the end.

    Raises:
        TuwenError: the folder holds something else, or a command fails.
        KeyboardInterrupt: Ctrl-C; the same command goes on.
    """
    seconds_of(request.time_limit)
    wanted = steps(request)
    commands = tuple(map(str, wanted))
    if request.print:
        yield Response(commands=commands)
        return
    began, record = time.monotonic(), Record(Path(request.out))
    # the key of a step does not depend on how the folder is spelled
    keys = [str(step) for step in steps(dataclasses.replace(request, out="demo"))]
    report = Path(request.out) / REPORT
    with redirect_stdout(sys.stderr):  # stdout has the answer of the demo alone
        try:
            run_all(wanted, keys, record, report)
            look = _look(request)
            if not report.is_file():
                _write_report(report, look, commands)
        except KeyboardInterrupt as stop:
            again = shlex.join(("tuwen", "demo", "-o", request.out, *_options(request)))
            raise KeyboardInterrupt(f"stopped; go on with the same command: {again}") from stop
    yield Response(
        commands=commands, report=str(report), figures=look.found.figures, chance=look.found.chance,
        took_s=round(time.monotonic() - began, 1),
    )  # fmt: skip


def _options(request: Request) -> list[str]:
    """The options of a request that are not the usual ones."""
    found = ["--fast"] if request.fast else []
    for name, value in (("--recipe", request.recipe), ("--time-limit", request.time_limit)):
        if value != getattr(Request, name[2:].replace("-", "_")):
            found += [name, value]
    return found


# -- the page -------------------------------------------------------------------------------------------------------


def _look(request: Request) -> Look:
    """What the command `evaluate` wrote, with the rows and the model."""
    from tuwen.command._ask import open_model
    from tuwen.command._read import read_rows
    from tuwen.evaluation import Evaluation
    from tuwen.report._look import Look

    out = Path(request.out)
    raw: dict[str, Any] = json.loads((out / "evaluation.json").read_text("utf-8"))
    model = open_model(str(out / "model"), "auto")
    rows = read_rows("demo", model.recipe, str(out / "scenes"), split="test", settings=(), rows=0)
    found = Evaluation(
        figures=raw["figures"], intervals=raw["intervals"], chance=raw["chance"], rows=raw["rows"],
        tables=raw.get("tables", {}), num_rows=len(rows),
    )  # fmt: skip
    about = {"recipe": model.recipe.name, "can": ", ".join(model.can())}
    return Look(found=found, samples=rows, model=model, about=about, log=out / "model" / "log.jsonl")


def _write_report(report: Path, look: Look, commands: Sequence[str]) -> None:
    from tuwen._files import write_atomic
    from tuwen.report.demo import demo_page

    print("\nwrites the page", flush=True)
    write_atomic(report, demo_page(look, commands=commands))


def show(response: Response) -> str:
    """The commands where these are asked for; else the headline figures, the page, and what to type next."""
    if not response.report:
        return "\n".join(response.commands)
    from tuwen.report.demo import HEADLINES, next_lines

    lines = ["", f"Done in {response.took_s / 60:.1f} minutes. On pictures that were kept from it:"]
    for name, meaning in HEADLINES.items():
        if name in response.figures:
            chance = f"{response.chance[name]:.3f}" if name in response.chance else "-"
            lines.append(f"    {response.figures[name]:.3f} (chance {chance})  {meaning}")
    recipe = response.commands[1].split(" -r ")[1].split()[0]
    lines += ["", f"Open {response.report} in a browser. Then, with a folder of pictures and texts of your own:"]
    lines += [f"    {line}" for line in next_lines(recipe).splitlines()]
    return "\n".join(lines)
