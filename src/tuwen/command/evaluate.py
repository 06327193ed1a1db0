"""Measures a model on data that it has not seen, beside what chance would give.

Example:
    tuwen evaluate model photos/ -o report.json --html report.html
    tuwen evaluate --captions results.json --references refs.json
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuwen.errors import ConfigError

if TYPE_CHECKING:
    from tuwen.evaluation import Evaluation
    from tuwen.report._look import Look


@dataclass(frozen=True, kw_only=True)
class Request:
    model: str = field(default="", metadata={"positional": True})
    """Model directory; left out with --captions."""
    data: str = field(default="", metadata={"positional": True})
    """A folder, a table, a JSON of splits, or `scenes`; left out with --captions."""
    split: str = "test"
    """Part of the data: test, val, train, or a name of its own."""
    out: str = ""
    """JSON file for figures, intervals, chance and what is made of every row."""
    html: str = ""
    """HTML page with figures, curves, the best, worst and some other rows, and a map; one file that stands alone."""
    beam: int = 5
    """Sentences that are followed at once; 1: greedy."""
    max_tokens: int = 128
    """Most tokens of a caption."""
    rows: int = 0
    """The first rows only; 0: all."""
    set: tuple[str, ...] = ()
    """A setting PATH=VALUE of how the data is read, as in data.text_column=title; give several."""
    device: str = "auto"
    """cpu, cuda, mps, or auto: the first that is there of cuda, mps, cpu."""
    captions: str = ""
    """Results of any system to score instead: [{"image_id": ..., "caption": ...}, ...]."""
    references: str = ""
    """Their references: the JSON of COCO, or {"id": ["...", "..."], ...}."""


@dataclass(frozen=True, kw_only=True)
class Response:
    figures: dict[str, float]
    """Name -> value."""
    intervals: dict[str, tuple[float, float]]
    """Name -> 95 % interval, by bootstrap over the rows."""
    chance: dict[str, float]
    """Name -> what a model reaches that does not look."""
    num: int
    """Rows that were looked at."""
    out: str
    """File that the report was written to."""
    html: str = ""
    """File that the page was written to."""


def run(request: Request) -> Iterator[Response]:
    """One response.

    Raises:
        TuwenError: model, data or files cannot be used.
    """
    if request.out.lower().endswith((".html", ".htm")):
        raise ConfigError(f"-o {request.out} would be JSON; a page is written with --html {request.out}")
    from_files = bool(request.captions or request.references)
    look = (_of_files if from_files else _of_model)(request)
    found = look.found
    if request.out:
        _write(request.out, _as_json(request, found))
    if request.html:
        from tuwen.report.evaluation import evaluation_page

        _write(request.html, evaluation_page(look, title=f"Evaluation of {request.model or request.captions}"))
    yield Response(
        figures=found.figures, intervals=found.intervals, chance=found.chance, num=found.num_rows, out=request.out,
        html=request.html,
    )  # fmt: skip


def _write(path: str, text: str) -> None:
    from tuwen._files import write_atomic

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)


def _as_json(request: Request, found: Evaluation) -> str:
    from tuwen.command._rows import to_json

    what = {"model": request.model, "data": request.data, "split": request.split, "beam": request.beam}
    about = {"figures": found.figures, "intervals": found.intervals, "chance": found.chance}
    tables = {"tables": found.tables} if found.tables else {}
    return to_json({**what, **about, **tables, "rows": found.rows}) + "\n"


def _of_model(request: Request) -> Look:
    if not request.model or not request.data:
        raise ConfigError(
            "evaluate takes MODEL and DATA, or --captions FILE --references FILE: tuwen evaluate model photos/"
        )
    from tuwen.command._ask import open_model
    from tuwen.command._read import read_rows
    from tuwen.evaluation import evaluate
    from tuwen.report._look import Look
    from tuwen.task.caption import Request as Caption
    from tuwen.task.caption import method_of

    method = method_of(Caption(image=None, beam=request.beam, max_tokens=request.max_tokens))
    model = open_model(request.model, request.device)
    rows = read_rows(
        "evaluate", model.recipe, request.data, split=request.split, settings=request.set, rows=request.rows
    )
    batches = (model.batch(list(rows[start : start + 64]), targets=True) for start in range(0, len(rows), 64))
    found = evaluate(model, batches, method=method, bootstrap=True)
    about = {"model": request.model, "recipe": model.recipe.name, "data": request.data, "part": request.split}
    return Look(found=found, samples=rows, model=model, about=about, log=Path(request.model) / "log.jsonl")


def _of_files(request: Request) -> Look:
    if not request.captions or not request.references:
        raise ConfigError(
            "--captions and --references go together: tuwen evaluate --captions results.json --references refs.json"
        )
    from tuwen.command._coco import join, read_references, read_results
    from tuwen.evaluation import Evaluation
    from tuwen.judge.captions import caption_rates
    from tuwen.report._look import Look

    pairs = join(
        read_results(request.captions), read_references(request.references), request.captions, request.references
    )
    rates = caption_rates([text for _, text, _ in pairs], [group for _, _, group in pairs])
    rows = [{"key": key, "caption": text, "references": group} for key, text, group in pairs]
    other = [text for _, text, _ in pairs[1:] + pairs[:1]]
    chance = caption_rates(other, [group for _, _, group in pairs]).figures if len(pairs) > 1 else {}
    found = Evaluation(figures=rates.figures, intervals=rates.intervals(), chance=chance, rows=rows, num_rows=len(rows))
    return Look(found=found, about={"captions": request.captions, "references": request.references})


def show(response: Response) -> str:
    """A table: figure, value, interval, chance."""
    lines = [f"{'figure':<26}{'value':>10}  {'95 % interval':<20}{'chance':>10}"]
    for name, value in response.figures.items():
        low_high = response.intervals.get(name)
        interval = f"{low_high[0]:.4g} to {low_high[1]:.4g}" if low_high else ""
        chance = f"{response.chance[name]:.4g}" if name in response.chance else ""
        lines.append(f"{name:<26}{value:>10.4g}  {interval:<20}{chance:>10}".rstrip())
    written = " and ".join(filter(None, (response.out, response.html)))
    lines.append(f"{response.num} rows" + (f"; written to {written}" if written else ""))
    return "\n".join(lines)
