"""What `tuwen evaluate` measures: a model on data, or captions in a file against references in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuwen.command._beside import captions_of
from tuwen.command._extra import Extra
from tuwen.errors import ConfigError

if TYPE_CHECKING:
    from tuwen.command.evaluate import Request
    from tuwen.data._dataset import Dataset
    from tuwen.evaluation import Evaluation
    from tuwen.judge._rates import Beside
    from tuwen.report._look import Look


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
    _check_calibrate(request)
    from tuwen.command._ask import open_model
    from tuwen.command._read import part_of, read_all
    from tuwen.report._look import Look
    from tuwen.task.caption import Request as Caption
    from tuwen.task.caption import method_of

    method = method_of(Caption(image=None, beam=request.beam, max_tokens=request.max_tokens, best=request.best))
    extra = Extra.open(request.metrics, request.clip, request.device)
    model = open_model(request.model, request.device)
    _check_captions(request, model)
    whole = read_all("evaluate", model.recipe, request.data, settings=request.set)
    rows = part_of(whole, request.data, split=request.split, rows=request.rows)
    known = [] if request.split in ("", "train") else _texts(whole.split("train"))
    found = _evaluated(request, model, rows, method, known)
    pictures = {sample.key: sample.fields.get("image") for sample in rows}
    extra.add(found, pictures)
    calibration = _calibrated(request, model, found, method) if request.calibrate else ""
    other = None
    if request.against.lower().endswith(".json") or Path(request.against).is_file():
        other = _beside(request.against, found, captions_of(request.against, found, extra, pictures))
    elif request.against:
        theirs = _evaluated(request, open_model(request.against, request.device), rows, method, known)
        extra.add(theirs, pictures, chance=False)
        other = _beside(request.against, found, theirs)
    about = {"model": request.model, "recipe": model.recipe.name, "data": request.data, "part": request.split}
    look = Look(found=found, samples=rows, model=model, about=about, log=Path(request.model) / "log.jsonl")
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
    if request.calibrate:
        raise ConfigError(
            "--calibrate fits the confidence of a model: tuwen evaluate MODEL DATA --split val --calibrate"
        )
    from tuwen.command._coco import find_pictures, join, notes_of, read_references, read_results
    from tuwen.evaluation import Evaluation
    from tuwen.judge.captions import caption_rates
    from tuwen.report._look import Look

    results, references = read_results(request.captions), read_references(request.references)
    files = (request.captions, request.references)
    pairs = join(results, references, *files)
    extra = Extra.open(request.metrics, request.clip, request.device)
    if extra.looks and not request.pictures:
        raise ConfigError("--metrics clipscore looks at the pictures; name their folder: --pictures FOLDER")
    pictures = find_pictures(request.pictures, request.references, [key for key, _, _ in pairs]) if extra.looks else {}
    rates = caption_rates([text for _, text, _ in pairs], [group for _, _, group in pairs])
    rows = [{"key": key, "caption": text, "references": group} for key, text, group in pairs]
    other = [text for _, text, _ in pairs[1:] + pairs[:1]]
    chance = caption_rates(other, [group for _, _, group in pairs]).figures if len(pairs) > 1 else {}
    found = Evaluation(
        figures=rates.figures, intervals=rates.intervals(), chance=chance, rows=rows, num_rows=len(rows), rates=[rates],
        notes=notes_of(results, references, *files),
    )  # fmt: skip
    extra.add(found, pictures)
    other = None
    if request.against:
        other = _beside(request.against, found, captions_of(request.against, found, extra, pictures))
    look = Look(found=found, about={"captions": request.captions, "references": request.references})
    return Measured(look=look, beside=other)


def _beside(name: str, found: Evaluation, theirs: Evaluation) -> Beside:
    """The two compared; what has to be known of the other is noted too."""
    from tuwen.judge._rates import beside

    found.notes.extend(f"{name}: {note}" for note in theirs.notes)
    return beside(name, found.rates, theirs.rates)


def _evaluated(request: Request, model: Any, rows: Dataset, method: Any, known: Sequence[str]) -> Evaluation:
    from tuwen.evaluation import evaluate

    batches = (model.batch(list(rows[start : start + 64]), targets=True) for start in range(0, len(rows), 64))
    return evaluate(
        model, batches, method=method, bootstrap=True, known=known, gallery=request.gallery, unsure=request.calibrate
    )


def _texts(rows: Dataset) -> list[str]:
    """All captions of the rows."""
    from tuwen.model import field_values

    return [text for text in field_values(rows, "text") if isinstance(text, str)]


def _check_calibrate(request: Request) -> None:
    from tuwen.command._ask import model_paths

    if request.calibrate and len(model_paths(request.model)) > 1:
        raise ConfigError(
            f"--calibrate keeps the confidence in a model directory, and {request.model} names several; calibrate one of them"
        )
    if request.calibrate and request.split in ("train", "test"):
        why = "the model has learned" if request.split == "train" else "figures are reported of"
        raise ConfigError(
            f"--calibrate would fit on the rows of the part {request.split!r}, which {why}; take the validation part: "
            "--split val"
        )


def _check_captions(request: Request, model: Any) -> None:
    """Refuses what is of captions only where the model writes none, before minutes are spent."""
    from tuwen.judge.captions import able

    for name, value in (("metrics", request.metrics), ("calibrate", request.calibrate)):
        if value and not able(model):
            model.require("caption", verb=f"caption, which --{name} is about")


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
