"""Measures a model on data that it has not seen, beside what chance would give.

Example:
    tuwen evaluate model photos/ -o report.json --html report.html
    tuwen evaluate model photos/ --split val --calibrate
    tuwen evaluate model photos/ --against other-model
    tuwen evaluate drawer digits/ --features classifier --html report.html
    tuwen evaluate --captions results.json --references refs.json --metrics meteor
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from tuwen._files import check_file, write_atomic
from tuwen.errors import ConfigError

if TYPE_CHECKING:
    from tuwen.command._measure import Measured
    from tuwen.judge._rates import Beside

_OWN = ("out", "html", "rows", "device")
"""Options that a report does not repeat: it has rows of its own."""


@dataclass(frozen=True, kw_only=True)
class Request:
    model: str = field(default="", metadata={"positional": True})
    """Model directory, or several with commas between: of captions (with --method mbr also some that match), or all that match; left
    out with --captions."""
    data: str = field(default="", metadata={"positional": True})
    """A folder, a table, a JSON of splits, or `scenes`; left out with --captions."""
    split: str = "test"
    """Part of the data: test, val, train, or a name of its own."""
    out: str = ""
    """JSON file for figures, intervals, chance and what is made of every row."""
    html: str = ""
    """HTML page with figures, curves, the best, worst and some other rows, and a map; one file that stands alone."""
    method: str = "beam"
    """How captions are written, as `tuwen caption` takes it; mbr (what many probable ones agree on) often has the
    best CIDEr."""
    beam: int = 5
    """Sentences that are followed at once; 1: greedy."""
    max_tokens: int = 128
    """Most tokens of a caption."""
    precision: str = "float32"
    """What a transformer computes in while it writes captions: float32, bfloat16, or auto."""
    best: int = 1
    """Captions written of each picture, 1 to beam; from 2 on it is also said how alike they are (mbleu). The first
    counts."""
    neighbours: str = ""
    """File of pictures whose captions have a voice too, with --method mbr; see `tuwen caption`."""
    using: tuple[str, ...] = ()
    """An option NAME=VALUE of `tuwen caption` or `tuwen draw` that captions are written or pictures drawn with, as in
    length_penalty=0.5 or guidance=12; give several."""
    gallery: int = 0
    """Pictures that are looked through at once in retrieval; 0: all. 1000: the 1K protocol, over all whole folds."""
    metrics: str = ""
    """More metrics of captions, with commas between: meteor and spice (they need Java and the extra captions-java),
    clipscore (needs --clip)."""
    clip: str = ""
    """Model that clipscore asks how well captions fit: a model directory that matches, or a CLIP of transformers (a
    folder, or a name of the hub). With --features also whether drawn pictures fit their texts (r_precision)."""
    features: str = ""
    """Network in whose features drawn pictures are compared with real ones (fid, kid, precision and recall, memorised): a
    model directory that reads pictures, a vision model of transformers (a folder, or a name of the hub), or the Inception
    network of published fids (the file pt_inception-2015-12-05-6726825d.pth that pytorch-fid uses). A classifier also
    names what was drawn (classifier_accuracy), a model that matches gives r_precision. None of them should be the model
    itself, or what it was trained with."""
    draws: int = 0
    """Rows that a picture is drawn for, the first ones; 0: all."""
    calibrate: bool = False
    """Fits how sure captions may be taken to be on these rows, and keeps it in the model directory, for
    `tuwen caption --min-confidence`. Takes --split val."""
    against: str = ""
    """Another system on the same rows: a model directory, a report of -o, or results as with --captions. Gives the
    differences with 95 % intervals, by paired bootstrap."""
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
    pictures: str = ""
    """Folder of their pictures, for clipscore."""


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
    notes: tuple[str, ...] = ()
    """What a reader of the figures has to know: rows that count otherwise than usual, metrics that failed."""
    beside: Beside | None = None
    """Name, figures, differences and their intervals of the other system, with --against."""
    calibration: str = ""
    """File that the confidence was written to, with --calibrate."""


def run(request: Request) -> Iterator[Response]:
    """One response.

    Raises:
        TuwenError: model, data or files cannot be used.
    """
    if request.out.lower().endswith((".html", ".htm")):
        raise ConfigError(f"-o {request.out} would be JSON; a page is written with --html {request.out}")
    inputs = (request.captions, request.references, request.against, request.data, request.neighbours)
    for path, more in ((request.out, ""), (request.html, request.out)):
        if path:
            check_file(path, filter(None, (*inputs, more)))
    from tuwen.command._measure import measure_files, measure_model

    measured = (measure_files if request.captions or request.references else measure_model)(request)
    found = measured.look.found
    if request.out:
        _write(request.out, _as_json(request, measured))
    if request.html:
        from tuwen.report.evaluation import evaluation_page

        title = f"Evaluation of {request.model or request.captions}"
        _write(request.html, evaluation_page(measured.look, title=title, beside=measured.beside))
    yield Response(
        figures=found.figures, intervals=found.intervals, chance=found.chance, num=found.num_rows, out=request.out,
        html=request.html, notes=tuple(found.notes), beside=measured.beside, calibration=measured.calibration,
    )  # fmt: skip


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)


def _as_json(request: Request, measured: Measured) -> str:
    from tuwen.command._rows import to_json

    found = measured.look.found
    always = () if request.captions else ("model", "data", "split", "method", "beam")
    asked = {f.name: (getattr(request, f.name), f.default) for f in fields(request) if f.name not in _OWN}
    what = {name: value for name, (value, default) in asked.items() if name in always or value != default}
    about = {"figures": found.figures, "intervals": found.intervals, "chance": found.chance}
    there = {"tables": found.tables, "notes": found.notes, "beside": measured.beside and asdict(measured.beside)}
    more = {name: value for name, value in there.items() if value}
    return to_json({**what, **about, **more, "rows": found.rows}) + "\n"


def show(response: Response) -> str:
    """A table: figure, value, interval, chance; below it the other system, and what has to be known."""
    from tuwen.report._html import number

    lines = [f"{'figure':<26}{'value':>10}  {'95 % interval':<20}{'chance':>10}"]
    for name, value in response.figures.items():
        chance = f"{response.chance[name]:.4g}" if name in response.chance else ""
        lines.append(
            f"{name:<26}{number(value):>10}  {_between(response.intervals.get(name)):<20}{chance:>10}".rstrip()
        )
    if (other := response.beside) is not None:
        lines += ["", f"{'less ' + other.name:<25} {'difference':>10}  {'95 % interval':<20}"]
        for name, value in other.differences.items():
            low, high = other.intervals[name]
            sure = "" if low <= 0 <= high else "sure"
            lines.append(f"{name:<26}{value:>+10.4g}  {_between((low, high)):<20}{sure:>10}".rstrip())
    lines += [f"note: {note}" for note in response.notes]
    written = " and ".join(filter(None, (response.out, response.html, response.calibration)))
    lines.append(f"{response.num} rows" + (f"; written to {written}" if written else ""))
    return "\n".join(lines)


def _between(low_high: tuple[float, float] | None) -> str:
    return f"{low_high[0]:.4g} to {low_high[1]:.4g}" if low_high else ""
