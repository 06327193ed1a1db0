"""What `tuwen evaluate` measures: a model on data, or captions in a file against references in another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from tuwen.command._beside import captions_of, read_captions
from tuwen.command._extra import Extra
from tuwen.errors import ConfigError

if TYPE_CHECKING:
    from tuwen.command.evaluate import Request
    from tuwen.data._config import Data
    from tuwen.data._dataset import Dataset
    from tuwen.evaluation import Evaluation
    from tuwen.judge._eyes import Eyes
    from tuwen.judge._rates import Beside
    from tuwen.report._look import Look
    from tuwen.types import Sample

_WRITTEN = ("method", "beam", "max_tokens", "precision", "best", "neighbours")
"""Options that captions are written with, as `tuwen caption` has them."""
_ASKED = ("image", "rerank", "attention", "min_confidence")
"""Those of `tuwen caption` that are asked of one caption, not of all."""
_DRAWN = (
    "without", "method", "guidance", "guidance_from", "guidance_until", "steps", "precision", "temperature", "top_k", "top_p"
)  # fmt: skip
"""Options of `tuwen draw` that pictures of an evaluation can be drawn with."""
_OF_MODELS = (
    "model", "data", "split", "rows", "set", "method", "beam", "max_tokens", "precision", "best", "neighbours", "using", "gallery", "calibrate",
    "features", "draws",
)  # fmt: skip
"""Options without effect on captions in files."""
_ABOUT = {
    "caption": ("metrics", "calibrate", "method", "beam", "max_tokens", "precision", "best", "neighbours"),
    "match": ("gallery",),
    "draw": ("features", "draws"),
}
"""Task -> options without effect on a model that was not trained for it."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was found."""

    look: Look
    beside: Beside | None = None
    """The comparison with another system, where one was named."""
    calibration: str = ""
    """File that a confidence was written to."""


def measure_model(request: Request) -> Measured:
    """A model on one part of a data set.

    Raises:
        TuwenError: model, data or options cannot be used.
    """
    if not request.model or not request.data:
        raise ConfigError(
            "evaluate takes MODEL and DATA, or --captions FILE --references FILE: tuwen evaluate model photos/"
        )
    if request.pictures:
        raise ConfigError(
            f"--pictures {request.pictures} has no effect on a model, whose pictures are those of DATA; leave it out."
        )
    _check_calibrate(request)
    from tuwen.command._ask import open_model
    from tuwen.command._read import located, part_of, read_all
    from tuwen.report._look import Look
    from tuwen.task.caption import Request as Caption
    from tuwen.task.caption import method_of

    way = {name: getattr(request, name) for name in _WRITTEN}
    method = method_of(Caption(image=None, **way))
    _check_eyes(request)
    extra = Extra.open(request.metrics, request.clip, request.device, draws=bool(request.features))
    model = open_model(request.model, request.device, several="any")
    method, drawing = _ways(request, way, model.can()) if request.using else (method, {})
    _check_able(request, model)
    of_file, other_model = _is_file(request.against), None
    if of_file and "caption" not in model.can():
        raise ConfigError(
            f"--against {request.against} would compare captions, and {request.model} writes none; name the other model "
            "itself: --against MODEL"
        )
    if of_file:
        read_captions(request.against)  # what cannot be read is said before minutes are spent
    elif request.against:
        other_model = open_model(request.against, request.device, several="any")
    _check_guides(request, [one for one in (model, other_model) if one is not None])
    whole = read_all("evaluate", model.recipe, request.data, settings=request.set)
    rows = part_of(whole, request.data, split=request.split, rows=request.rows)
    _check_enough(request, rows)
    learned = [] if request.split in ("", "train") else list(whole.split("train"))
    known = _texts(learned)
    eyes = _eyes(request, extra, learned, rows.options)
    found, rows = _evaluated(request, model, rows, (method, drawing), known, eyes)
    shown = located(rows, rows.options)
    pictures = {sample.key: sample.fields.get("image") for sample in shown}
    extra.add(found, pictures)
    calibration = _calibrated(request, model, found, method) if request.calibrate else ""
    other = None
    if of_file:
        other = _beside(request.against, found, captions_of(request.against, found, extra, pictures))
    elif other_model is not None:
        theirs, _ = _evaluated(request, other_model, rows, (method, drawing), known, eyes)
        extra.add(theirs, pictures, chance=False)
        other = _beside(request.against, found, theirs)
    about = {"model": request.model, "recipe": model.recipe.name, "data": request.data, "part": request.split}
    about |= {"features": request.features}
    log = Path(request.model) / "log.jsonl"
    again = located(learned, rows.options)
    look = Look(found=found, samples=shown, learned=again, model=model, about=about, log=log)
    return Measured(look=look, beside=other, calibration=calibration)


def measure_files(request: Request) -> Measured:
    """Captions of any system.

    Raises:
        TuwenError: the files do not fit each other, or an option is of models only.
    """
    if not request.captions or not request.references:
        raise ConfigError(
            "--captions and --references go together: tuwen evaluate --captions results.json --references refs.json"
        )
    if odd := _asked(request, _OF_MODELS):
        raise ConfigError(f"{odd[0]} has no effect with --captions, which are scored without a model; leave it out.")
    from tuwen.command._coco import find_pictures, join, notes_of, read_references, read_results
    from tuwen.evaluation import Evaluation
    from tuwen.judge.captions import caption_rates, variety_rates
    from tuwen.report._look import Look

    results, references = read_results(request.captions), read_references(request.references)
    files = (request.captions, request.references)
    pairs = join(results, references, *files)
    extra = Extra.open(request.metrics, request.clip, request.device)
    if extra.looks and not request.pictures:
        raise ConfigError("--metrics clipscore looks at the pictures; name their folder: --pictures FOLDER")
    if request.pictures and not extra.looks:
        raise ConfigError(
            f"--pictures {request.pictures} has no effect without a metric that looks at pictures; add --metrics clipscore"
        )
    pictures = find_pictures(request.pictures, request.references, [key for key, _, _ in pairs]) if extra.looks else {}
    rates = caption_rates([text for _, text, _ in pairs], [group for _, _, group in pairs])
    rows = [{"key": key, "caption": text, "references": group} for key, text, group in pairs]
    turned = [text for _, text, _ in pairs[1:] + pairs[:1]]
    chance = caption_rates(turned, [group for _, _, group in pairs]).figures if len(pairs) > 1 else {}
    variety = {
        name: value for one in variety_rates([text for _, text, _ in pairs]) for name, value in one.figures.items()
    }
    found = Evaluation(
        figures={**rates.figures, **variety}, intervals=rates.intervals(), chance=chance, rows=rows, num_rows=len(rows),
        rates=[rates],
        notes=notes_of(results, references, *files),
    )  # fmt: skip
    extra.add(found, pictures)
    other = None
    if request.against:
        other = _beside(request.against, found, captions_of(request.against, found, extra, pictures))
    look = Look(found=found, about={"captions": request.captions, "references": request.references})
    return Measured(look=look, beside=other)


def _is_file(against: str) -> bool:
    """Whether --against names a file of captions, not a model."""
    return against.lower().endswith(".json") or os.path.isfile(against)


def _beside(name: str, found: Evaluation, theirs: Evaluation) -> Beside:
    """The two compared; what has to be known of the other is noted too."""
    from tuwen.judge._rates import beside, of_other_rows

    found.notes.extend(f"{name}: {note}" for note in theirs.notes)
    if other := of_other_rows(found.rates, theirs.rates):
        found.notes.append(f"{name}: not compared, since they are of other rows: {', '.join(other)}")
    return beside(name, found.rates, theirs.rates)


def _ways(request: Request, way: Mapping[str, Any], can: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """With --using: the Config that captions are written with, and the options that pictures are drawn with.

    Args:
        way: options of `tuwen caption` that have a name here.
        can: what the model can; an option of both verbs is that of captions where it writes some.
    Raises:
        ConfigError: an option that neither verb has, or a value it cannot take.
    """
    from tuwen._typed import parsed
    from tuwen.errors import did_you_mean
    from tuwen.task import caption, draw

    writing = (
        [f.name for f in fields(caption.Request) if f.name not in (*_WRITTEN, *_ASKED)] if "caption" in can else []
    )
    tasks: dict[str, Any] = {**dict.fromkeys(_DRAWN if "draw" in can else (), draw), **dict.fromkeys(writing, caption)}
    options: dict[Any, dict[str, Any]] = {caption: dict(way), draw: {}}
    for one in request.using:
        name, found, text = one.partition("=")
        name = name.strip().replace("-", "_")
        if name in _WRITTEN and name not in tasks:
            raise ConfigError(
                f"--using {one}: that is an option of its own here, --{name.replace('_', '-')} {text.strip()}"
            )
        if name not in tasks or not found:
            raise ConfigError(
                f"--using {one}: it is NAME=VALUE, an option of `tuwen caption` or `tuwen draw` that this model has."
                f"{did_you_mean(name, list(tasks))} Options: {', '.join(tasks)}."
            )
        options[tasks[name]][name] = parsed(get_type_hints(tasks[name].Request)[name], text.strip(), f"--using {name}")
    draw.Request(text="a text", **options[draw])  # refuses what cannot be
    return caption.method_of(caption.Request(image=None, **options[caption])), options[draw]


def _evaluated(
    request: Request,
    model: Any,
    rows: Dataset,
    ways: tuple[Any, dict[str, Any]],
    known: Sequence[str],
    eyes: Eyes | None,
) -> tuple[Evaluation, Dataset]:
    """What a model is worth on the rows that can be read, and these rows. Errors: as `batches`."""
    from tuwen.command._read import batches, left_out
    from tuwen.evaluation import evaluate

    broken: dict[str, str] = {}
    read = (batch for _, batch in batches(model, rows, broken, targets=True))
    found = evaluate(
        model, read, method=ways[0], drawing=ways[1], bootstrap=True, known=known, gallery=request.gallery,
        unsure=request.calibrate, eyes=eyes, draws=request.draws,
    )  # fmt: skip
    if broken:
        found.notes.append(left_out(broken, len(rows)))
        rows = rows.take(i for i, row in enumerate(rows) if row.key not in broken)
    found.notes.extend(_lacking(model, rows))
    return found, rows


def _lacking(model: Any, rows: Dataset) -> Iterable[str]:
    """What is said of fields that some rows do not have, or none."""
    from tuwen.model import field_values

    for name in sorted({name for name in (*model.recipe.encode, *model.recipe.decode) if "@" not in name}):
        empty = sum(all(isinstance(one, str) and not one.strip() for one in field_values([row], name)) for row in rows)
        if empty == len(rows):
            yield f"none of {empty} rows has a field {name}; figures that need one are not there"
        elif empty:
            yield f"{empty} of {len(rows)} rows have no {name}; figures that need one are of the others"


def _eyes(request: Request, extra: Extra, learned: Sequence[Sample], options: Data) -> Eyes | None:
    """The networks of --features and --clip, where drawn pictures are to be compared with real ones."""
    if not request.features:
        return None
    from tuwen.judge._eyes import Eyes, matcher_of, open_eye
    from tuwen.machine import choose_device

    eye = open_eye(request.features, choose_device(request.device))
    return Eyes(eye, matcher=extra.embedder or matcher_of(eye), known=learned, options=options)


def _texts(rows: Iterable[Sample]) -> list[str]:
    """All captions of the rows."""
    from tuwen.model import field_values

    return [text for text in field_values(rows, "text") if isinstance(text, str)]


def _check_calibrate(request: Request) -> None:
    from tuwen.command._ask import model_paths

    if request.calibrate and len(model_paths(request.model)) > 1:
        raise ConfigError(
            f"--calibrate keeps the confidence in a model directory, and {request.model} names several; calibrate one of them"
        )
    whys = {"": "of which the model has learned some", "train": "which the model has learned"}
    whys["test"] = "which figures are reported of"
    if request.calibrate and request.split in whys:
        part = f"the rows of the part {request.split!r}" if request.split else "all rows"
        raise ConfigError(
            f"--calibrate would fit on {part}, {whys[request.split]}; take the validation part: --split val"
        )


def _asked(request: Request, names: Sequence[str]) -> list[str]:
    """Those of the options that are not as they are by default, as they are typed."""
    usual = type(request)()
    typed = {"model": "MODEL", "data": "DATA"}
    changed = [name for name in names if getattr(request, name) != getattr(usual, name)]
    return [typed.get(name, f"--{name.replace('_', '-')}") for name in changed]


def _check_able(request: Request, model: Any) -> None:
    """Refuses options about what the model was not trained for, before minutes are spent."""
    for task, names in _ABOUT.items():
        for option in _asked(request, names):
            model.require(task, verb=f"{task}, which {option} is about")


def _check_enough(request: Request, rows: Dataset) -> None:
    """Refuses, before minutes are spent, what takes more rows than there are."""
    from tuwen.confidence import enough
    from tuwen.metric.recall import Config
    from tuwen.model import field_values

    if request.gallery:
        Config(gallery=request.gallery).build().check(len(field_values(rows, "image")))
    if request.calibrate:
        enough(sum(any(text.strip() for text in _texts([row])) for row in rows))


def _check_eyes(request: Request) -> None:
    """Refuses a model as the judge of its own pictures: it would find what it has put there."""
    if request.draws < 0:
        raise ConfigError(f"--draws is {request.draws}; give a number of rows, as in --draws 200, or 0 for all")
    for name, source in (("features", request.features), ("clip", request.clip)):
        judged = [Path(path).resolve() for path in (request.model, request.against) if path]
        if request.features and source and Path(source).resolve() in judged:
            raise ConfigError(
                f"--{name} {source} is a model that is judged, which would find in its pictures what it puts there; name one "
                "that had no part in its training"
            )


def _check_guides(request: Request, models: Sequence[Any]) -> None:
    """Refuses as a judge of pictures what a model was trained to please: an objective's own source."""
    guides = {
        Path(source).resolve()
        for model in models
        for part in model.recipe.objective.values()
        if (source := getattr(part, "source", ""))
    }
    for name, source in (("features", request.features), ("clip", request.clip)):
        if request.features and source and Path(source).resolve() in guides:
            raise ConfigError(
                f"--{name} {source} took part in the training of a model that is judged, which learned to please it; name one "
                "that had no part in it"
            )


def _calibrated(request: Request, model: Any, found: Evaluation, method: Any) -> str:
    """Fits the confidence, writes it into the model directory and says where."""
    from tuwen.directory import CALIBRATION, save_confidence
    from tuwen.judge._sure import calibrate

    model.confidence = calibrate(model, found, method)
    save_confidence(request.model, model.confidence)
    found.notes.append(
        "figures of confidence are of captions whose confidence was fitted on the other half of these rows"
    )
    return str(Path(request.model) / CALIBRATION)
