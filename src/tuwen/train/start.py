"""A run that begins with what an earlier model learned: its recipe, its vocabularies and its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tuwen.decode.label import labels_of
from tuwen.directory import recipe_of, stored
from tuwen.errors import ConfigError
from tuwen.model import CrossModal, field_values
from tuwen.recipe import Recipe, dump_part, name_of
from tuwen.types import Sample

_PLACES = {"encode": "encoders", "space": "spaces", "fuse": "fusions", "decode": "decoders"}
"""Section of a recipe -> what a model calls it."""
_SETTING = "train.start_from="


def recipe_to_start_with(settings: Sequence[str]) -> Recipe | None:
    """The recipe of the directory that the settings name, without its steps and time limit; None where they name none."""
    named = [setting.removeprefix(_SETTING) for setting in settings if setting.startswith(_SETTING)]
    if not named or not named[-1]:
        return None
    recipe = recipe_of(named[-1])
    return replace(recipe, train=replace(recipe.train, steps=0, time_limit_s=0.0), reached="")


def first_model(
    recipe: Recipe, samples: Sequence[Sample], out: Path, warn: Callable[[str], object] = print
) -> CrossModal:
    """A model that has learned nothing yet, or what `train.start_from` has learned.

    Parts at the same place and of the same kind are taken over, with their vocabularies; the others begin anew, and so does
    what tells classes apart where the data has others.

    Args:
        warn: takes a text about such classes.
    Raises:
        ConfigError: the two have no part in common, or the weights or words of one do not fit; or it is the directory of
            the run.
        CheckpointError: there is no such model directory.
    """
    source = recipe.train.start_from
    if not source:
        return CrossModal.create(recipe, samples)
    if Path(source).resolve() == out.resolve():
        raise ConfigError(f"train.start_from is {source}, which the run writes; name another directory with -o.")
    before, learned, tensors = stored(source)
    taken = [place for place in _places(recipe) if _places(before).get(place) == _places(recipe)[place]]
    if not taken:
        raise ConfigError(
            f"{source} (recipe {before.name!r}) has no part in common with recipe {recipe.name!r}; leave -r out to take "
            "its recipe."
        )
    for place in [place for place in taken if "classes" in learned.get(place, {})]:
        if why := _other_classes(recipe, before, place, learned[place]["classes"], samples):
            taken.remove(place)
            warn(f"{source} {why}; {place} begins anew")
    _check_words(recipe, before, [place for place in taken if place in learned])
    model = CrossModal.create(recipe, samples, learned={place: learned[place] for place in taken if place in learned})
    prefixes = tuple(map(_prefix, taken))
    wanted = {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}
    own = model.state_dict()
    for name, tensor in wanted.items():
        if name not in own or own[name].shape != tensor.shape:
            here = tuple(own[name].shape) if name in own else "missing"
            place = next(place for place in taken if name.startswith(_prefix(place)))
            raise ConfigError(
                f"{source} does not fit the recipe: {name} is {tuple(tensor.shape)} there and {here} here. "
                f"{_advice(recipe, before, place)}"
            )
    model.load_state_dict(wanted, strict=False)
    return model


def _other_classes(
    recipe: Recipe, before: Recipe, place: str, classes: Sequence[str], samples: Sequence[Sample]
) -> str:
    """Why what tells these classes apart does not fit the data; empty where it does."""
    section, _, field = place.partition(".")
    here, there = (getattr(getattr(one, section)[field], "labels", None) for one in (recipe, before))
    if here != there:
        return f"has {place}.labels={there}, not {here}"
    found = {label for value in field_values(samples, field) for label in labels_of(value)}
    new = sorted(found - set(classes))
    named = ", ".join(new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
    return f"does not know all classes of the data ({named})" if new else ""


def _prefix(place: str) -> str:
    """What the weights of a part are named after."""
    section, _, name = place.partition(".")
    return f"{_PLACES[section]}.{name}."


def _advice(recipe: Recipe, before: Recipe, place: str) -> str:
    """How the part at a place gets the shape that it had before."""
    section, _, name = place.partition(".")
    here, there = (dump_part(getattr(one, section)[name]) for one in (recipe, before))
    settings = " ".join(f"--set {place}.{key}={_typed(value)}" for key, value in there.items() if here[key] != value)
    own = "Leave -r and settings of sizes out, to take its own."
    return f"Take its settings, {settings}, if you want this recipe. {own}" if settings else own


def _typed(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


_LEARNED = ("tokenizer", "vocabulary", "unit", "weighting", "shortest", "longest", "features", "min_texts", "source")
"""Settings that count when a part is fitted to its data, and not afterwards."""


def _check_words(recipe: Recipe, before: Recipe, places: Sequence[str]) -> None:
    """Raises ConfigError where what a part learned of its data is taken over, and the recipe asks for what would change it."""
    for place in places:
        section, _, name = place.partition(".")
        here, there = getattr(recipe, section)[name], getattr(before, section)[name]
        for setting in _LEARNED:
            asked, kept = getattr(here, setting, None), getattr(there, setting, None)
            if asked != kept and (setting != "source" or (asked and kept)):
                raise ConfigError(
                    f"{recipe.train.start_from} does not fit the recipe: {place}.{setting} is {kept} there and {asked} here, "
                    f"and its words are kept. Set {place}.{setting}={kept}, or leave -r out."
                )


def _places(recipe: Recipe) -> dict[str, tuple[str, str]]:
    """Place of each part (`decode.text`) -> which part it is."""
    return {
        f"{section}.{name}": name_of(config) for section in _PLACES for name, config in getattr(recipe, section).items()
    }
