"""Measures a model on data that it has not seen, beside what chance would give.

Example:
    tuwen evaluate model photos/ -o report.json
    tuwen evaluate --captions results.json --references refs.json
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuwen.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Request:
    model: str = field(default="", metadata={"positional": True})
    """Model directory; left out with --captions."""
    data: str = field(default="", metadata={"positional": True})
    """A folder, a table, a JSON of splits, or `scenes`; left out with --captions."""
    split: str = "test"
    """Part of the data: test, val, train, or a name of its own."""
    out: str = ""
    """JSON file for figures, intervals, chance and every caption."""
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


def run(request: Request) -> Iterator[Response]:
    """One response.

    Raises:
        TuwenError: model, data or files cannot be used.
    """
    from_files = bool(request.captions or request.references)
    figures, intervals, chance, captions = (_of_files if from_files else _of_model)(request)
    if request.out:
        from tuwen._files import write_atomic
        from tuwen.command._rows import to_json

        what = {"model": request.model, "data": request.data, "split": request.split, "beam": request.beam}
        report = {**what, "figures": figures, "intervals": intervals, "chance": chance, "captions": captions}
        Path(request.out).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(request.out, to_json(report) + "\n")
    yield Response(figures=figures, intervals=intervals, chance=chance, num=len(captions), out=request.out)


def _of_model(request: Request) -> tuple[Any, ...]:
    if not request.model or not request.data:
        raise ConfigError(
            "evaluate takes MODEL and DATA, or --captions FILE --references FILE: tuwen evaluate model photos/"
        )
    from tuwen.command._ask import open_model
    from tuwen.data._dataset import open_data
    from tuwen.evaluation import evaluate
    from tuwen.task.caption import Request as Caption
    from tuwen.task.caption import method_of

    method = method_of(Caption(image=None, beam=request.beam, max_tokens=request.max_tokens))
    model = open_model(request.model, request.device)
    recipe = model.recipe
    for setting in request.set:
        if not setting.startswith("data."):
            raise ConfigError(
                f"--set {setting} has no effect here; evaluate takes settings of the data, as in data.text_column=title"
            )
        recipe = recipe.with_setting(setting)
    data = open_data(request.data, recipe.data)
    rows = data.split(request.split)
    rows = rows[: request.rows] if request.rows else rows
    if not len(rows):
        raise DataError(
            f"{request.data} has no rows in its part {request.split!r}; it has {', '.join(data.splits)}. Name one "
            "with --split."
        )
    batches = (model.batch(list(rows[start : start + 64]), targets=True) for start in range(0, len(rows), 64))
    found = evaluate(model, batches, method=method, bootstrap=True)
    return found.figures, found.intervals, found.chance, found.captions


def _of_files(request: Request) -> tuple[Any, ...]:
    if not request.captions or not request.references:
        raise ConfigError(
            "--captions and --references go together: tuwen evaluate --captions results.json --references refs.json"
        )
    from tuwen._figures import caption_rates
    from tuwen.command._coco import join, read_references, read_results

    pairs = join(
        read_results(request.captions), read_references(request.references), request.captions, request.references
    )
    rates = caption_rates([text for _, text, _ in pairs], [group for _, _, group in pairs])
    captions = [{"key": key, "caption": text, "references": group} for key, text, group in pairs]
    other = [text for _, text, _ in pairs[1:] + pairs[:1]]
    chance = caption_rates(other, [group for _, _, group in pairs]).figures if len(pairs) > 1 else {}
    return rates.figures, rates.intervals(), chance, captions


def show(response: Response) -> str:
    """A table: figure, value, interval, chance."""
    lines = [f"{'figure':<26}{'value':>10}  {'95 % interval':<20}{'chance':>10}"]
    for name, value in response.figures.items():
        low_high = response.intervals.get(name)
        interval = f"{low_high[0]:.4g} to {low_high[1]:.4g}" if low_high else ""
        chance = f"{response.chance[name]:.4g}" if name in response.chance else ""
        lines.append(f"{name:<26}{value:>10.4g}  {interval:<20}{chance:>10}".rstrip())
    lines.append(f"{response.num} rows" + (f"; written to {response.out}" if response.out else ""))
    return "\n".join(lines)
