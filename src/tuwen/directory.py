"""A model directory: weights, recipe, what the parts learned from the data, and a card. No pickled code anywhere.

weights.safetensors   every tensor of the model
recipe.json           rebuilds the model; carries a format version
data.json             what the parts learned in `fit`: tokenizers, label lists
card.md               what it was trained on, and its figures
figures.json          the same figures for programs, where there are any
calibration.json      how sure its captions may be taken to be, where that was fitted
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tuwen._files import atomic, cannot_write, write_atomic
from tuwen._tensors import read_tensors, write_tensors
from tuwen.card import card as make_card
from tuwen.confidence import Confidence
from tuwen.errors import CheckpointError, did_you_mean
from tuwen.model import CrossModal
from tuwen.recipe import Recipe

WEIGHTS, RECIPE, DATA, CARD, FIGURES = "weights.safetensors", "recipe.json", "data.json", "card.md", "figures.json"
CALIBRATION = "calibration.json"
_NEEDED = (RECIPE, DATA, WEIGHTS)


def save(
    model: CrossModal, path: str | Path, *, card: str | None = None, figures: Mapping[str, Any] | None = None
) -> None:
    """Writes a model directory, each file whole or not at all; other files in it stay, but not another model's confidence.

    Args:
        path: a folder; made where it is missing.
        card: markdown; made of the model and its figures if None.
        figures: name -> number, of the last evaluation.
    Raises:
        CheckpointError: the folder cannot be written; the files that were there are intact.
    """
    path = Path(path)
    if path.is_file():
        raise CheckpointError(f"{path} is a file; a model directory is a folder. Name another with -o.")
    with cannot_write(path):
        path.mkdir(parents=True, exist_ok=True)
    learned = json.dumps(model.learned(), ensure_ascii=False)
    save_confidence(path, model.confidence)
    with atomic(path / WEIGHTS) as temporary:
        write_tensors(temporary, model.state_dict(), {"data": _digest(learned)})
    write_atomic(path / DATA, learned)
    write_atomic(path / RECIPE, json.dumps(model.recipe.to_dict(), indent=2, ensure_ascii=False) + "\n")
    write_atomic(path / CARD, make_card(model, figures=figures) if card is None else card)
    if figures is None:  # those of an earlier model there are not its own
        with cannot_write(path):
            (path / FIGURES).unlink(missing_ok=True)
    else:
        write_atomic(path / FIGURES, json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


def save_confidence(path: str | Path, confidence: Confidence | None) -> None:
    """Writes calibration.json alone; removes it if None."""
    file = Path(path) / CALIBRATION
    with cannot_write(file.parent):
        if confidence is None:
            file.unlink(missing_ok=True)
            return
    write_atomic(file, json.dumps(confidence.to_dict(), indent=2, ensure_ascii=False) + "\n")


def load(path: str | Path, device: str | torch.device = "cpu") -> CrossModal:
    """The model of a directory, on a device, in eval mode.

    Args:
        path: a folder that `save` or `tuwen train` wrote.
        device: cpu, cuda, cuda:1, mps.
    Raises:
        CheckpointError: there is no such folder, it is no model directory, or a file is missing or damaged.
        ConfigError: the recipe comes from a newer version, or was changed to one that cannot be.
    """
    path = Path(path)
    recipe, learned, tensors = stored(path)
    try:
        model = CrossModal.restored(recipe, learned)
    except KeyError as error:
        raise CheckpointError(f"{path / DATA} does not fit {RECIPE}: it lacks {error}. {_together(path)}") from error
    _take(model, tensors, path)
    if (path / CALIBRATION).is_file():
        model.confidence = Confidence.from_dict(_json(path / CALIBRATION), str(path / CALIBRATION))
    return model.to(device).eval()


def recipe_of(path: str | Path) -> Recipe:
    """The recipe of a model directory; raises as `load`."""
    path = Path(path)
    _check(path)
    return Recipe.from_dict(_json(path / RECIPE))


def stored(path: str | Path) -> tuple[Recipe, dict[str, Any], dict[str, Tensor]]:
    """What a model directory holds, before a model is made of it: recipe, what the parts learned, weights.

    Raises:
        CheckpointError, ConfigError: as `load`.
    """
    path = Path(path)
    recipe, learned = recipe_of(path), _json(path / DATA)
    tensors, about = read_tensors(path / WEIGHTS)
    if about.get("data", "") != _digest((path / DATA).read_text("utf-8")):
        raise CheckpointError(
            f"{path}: {DATA} and {WEIGHTS} are of two different savings (was one copied alone, or a saving interrupted?). "
            f"Copy both from one place, or continue the training: tuwen train DATA -o {path} --resume"
        )
    return recipe, learned, tensors


def _take(model: CrossModal, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Loads the weights, all of them, or says which do not fit the recipe."""
    own = model.state_dict()
    wrong = [f"{name} is missing" for name in own.keys() - tensors.keys()]
    wrong += [f"{name} is in no part of the recipe" for name in tensors.keys() - own.keys()]
    for name in own.keys() & tensors.keys():
        if own[name].shape != tensors[name].shape:
            wrong.append(f"{name} is {tuple(tensors[name].shape)}, the recipe makes it {tuple(own[name].shape)}")
    if wrong:
        wrong.sort()
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"{path / WEIGHTS} does not fit {RECIPE}: {'; '.join(wrong[:3])}{more}. {_together(path)}"
        )
    model.load_state_dict(dict(tensors), strict=True)


def _check(path: Path) -> None:
    """Raises CheckpointError, with what to do, where a path is no model directory."""
    if not path.exists():
        parent = path.absolute().parent
        near = did_you_mean(path.name, (p.name for p in parent.iterdir() if p.is_dir())) if parent.is_dir() else ""
        raise CheckpointError(f"there is no model directory {path}.{near} `tuwen train DATA -o {path}` makes one.")
    if path.is_file():
        at = f" Did you mean {path.parent}?" if (path.parent / RECIPE).is_file() else ""
        raise CheckpointError(f"{path} is a file; a model is a folder with {', '.join(_NEEDED)}.{at}")
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    if not missing:
        return
    if (path / "state").is_dir():
        raise CheckpointError(
            f"{path} holds an unfinished training that has saved no model yet ({', '.join(missing)} missing). "
            f"Continue it: tuwen train DATA -o {path} --resume"
        )
    names = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    holds = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    what = "is no model directory" if len(missing) == len(_NEEDED) else "is an incomplete model directory"
    raise CheckpointError(
        f"{path} {what}: it lacks {', '.join(missing)}; it holds {holds or 'nothing'}. "
        f"`tuwen train DATA -o {path}` makes one."
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:  # bad JSON, or bad UTF-8
        raise CheckpointError(f"{path} is damaged: {error}. Copy it anew, or train again.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} is damaged: it holds {type(found).__name__}, not an object. Copy it anew.")
    return found


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()


def _together(path: Path) -> str:
    return f"The files of {path} belong together; copy the folder as a whole, or train again."
