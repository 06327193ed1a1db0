"""Vision models of `transformers`: loaded from a folder or the hub, stored as JSON, rebuilt without either."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tuwen.encode._image import Fit
from tuwen.errors import ConfigError, MissingExtraError

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
"""What a model without preprocessor_config.json is fed with."""


def load_vision(source: str) -> tuple[nn.Module, dict[str, Any]]:
    """A vision model and its preprocessing, as `preprocessing` gives it.

    Args:
        source: a folder made by `save_pretrained`, or a name of the Hugging Face hub.
    Raises:
        ConfigError: there is no such model, it reads no pictures, its weights do not fit, or torchvision is broken.
        MissingExtraError: transformers is not installed.
    """
    check_source(source)
    with _said_clearly(source):
        auto = _transformers()
        config = auto.AutoConfig.from_pretrained(source)
        config = getattr(config, "vision_config", config)  # CLIP and its kin: the picture half
        with _without_bars(auto):
            model, info = auto.AutoModel.from_pretrained(
                source, config=config, dtype=torch.float32, output_loading_info=True
            )
        raw = _preprocessor(auto, source)
    if getattr(model, "main_input_name", "") != "pixel_values":
        raise ConfigError(
            f"encode.image: {source!r} is a {config.model_type} model, which reads no pictures; "
            "take a vision model, as in encode.image.source=facebook/dinov2-small."
        )
    missing = [name for name in info["missing_keys"] if "pooler" not in name]
    if missing:
        raise ConfigError(
            f"encode.image: the weights in {source!r} lack {len(missing)} tensors of a {config.model_type} model, "
            f"such as {missing[0]}; give a complete model, as `model.save_pretrained(folder)` writes it."
        )
    return model, preprocessing(raw, config)


def load_pair(source: str, where: str) -> tuple[Any, Any, dict[str, Any]]:
    """A model of pictures and texts in one space (CLIP, SigLIP, ...), its tokenizer and its preprocessing.

    Args:
        source: a folder made by `save_pretrained`, or a name of the Hugging Face hub.
        where: who asks, for messages.
    Raises:
        ConfigError: there is no such model, or it does not compare pictures with texts.
        MissingExtraError: transformers is not installed.
    """
    check_source(source, where)
    with _said_clearly(source, where):
        auto = _transformers(where)
        with _without_bars(auto):
            model = auto.AutoModel.from_pretrained(source, dtype=torch.float32)
        if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
            raise ConfigError(
                f"{where}: {source!r} is a {model.config.model_type} model, which does not compare pictures with texts; "
                "take one that does, such as openai/clip-vit-base-patch32."
            )
        vision = getattr(model.config, "vision_config", model.config)
        return (
            model.eval(),
            auto.AutoTokenizer.from_pretrained(source),
            preprocessing(_preprocessor(auto, source), vision),
        )


def rebuild(config: dict[str, Any]) -> nn.Module:
    """The model of a stored `model.config.to_dict()`, with random weights; reads nothing outside."""
    config = dict(config)
    auto = _transformers()
    with _said_clearly(str(config.get("model_type"))):
        return auto.AutoModel.from_config(auto.AutoConfig.for_model(**config), dtype=torch.float32)


def stored_config(model: Any) -> dict[str, Any]:
    """The model's configuration as JSON, without the path that it came from."""
    found = json.loads(model.config.to_json_string(use_diff=False))
    return {name: value for name, value in found.items() if name not in ("_name_or_path", "transformers_version")}


def preprocessing(raw: dict[str, Any], config: Any) -> dict[str, Any]:
    """What a preprocessor_config.json says, in our words: resize to `resize` pixels by `fit`, keep the middle `side`.

    Example:
        >>> raw = {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224, "image_mean": [0] * 3,
        ...        "image_std": [1] * 3}
        >>> preprocessing(raw, None)
        {'side': 224, 'resize': 256, 'fit': 'crop', 'mean': [0, 0, 0], 'std': [1, 1, 1]}
    """
    size, crop = raw.get("size", getattr(config, "image_size", 224)), raw.get("crop_size")
    fit: Fit = "crop" if isinstance(size, dict) and "shortest_edge" in size else "squash"
    resize = side = _pixels(size)
    if raw.get("do_center_crop") and crop:
        fit, side = "crop", _pixels(crop)
    elif "crop_pct" in raw and side < 384:
        fit, resize = "crop", round(side / raw["crop_pct"])
    elif "crop_pct" in raw:
        fit = "squash"  # large ConvNeXt models see the whole picture
    mean, std = (raw.get(name) or IMAGENET[name] for name in ("image_mean", "image_std"))
    if raw.get("do_normalize") is False:
        mean, std = [0.0] * 3, [1.0] * 3
    return {"side": side, "resize": max(resize, side), "fit": fit, "mean": mean, "std": std}


def _pixels(size: Any) -> int:
    if isinstance(size, dict):
        size = next(size[name] for name in ("shortest_edge", "height", "longest_edge") if name in size)
    return int(size[0] if isinstance(size, list | tuple) else size)


def check_source(source: str, where: str = "encode.image") -> None:
    """Raises ConfigError where the source is empty, or looks like a folder and is none that holds a model.

    Args:
        where: who asks, for messages.
    """
    if not source:
        raise ConfigError(
            "encode.image_pretrained does not say which model; give a folder or a name of the Hugging Face hub, "
            "as in encode.image.source=facebook/dinov2-small."
        )
    folder = Path(source)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ConfigError(
            f"{where}: {source!r} is a folder without config.json; `model.save_pretrained(folder)` of transformers writes one."
        )
    looks_like_a_path = source.startswith(("/", ".", "~")) or "\\" in source or source.count("/") > 1
    if looks_like_a_path and not folder.exists():
        raise ConfigError(f"{where}: there is no folder {source!r}; give a folder with config.json and the weights.")


def _transformers(where: str = "encode.image_pretrained") -> Any:
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtraError(where, "pretrained")
    with _said_clearly("transformers"):
        return importlib.import_module("transformers")


def _preprocessor(auto: Any, source: str) -> dict[str, Any]:
    """preprocessor_config.json, or the image part of processor_config.json, or nothing."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        found = auto.utils.cached_file(
            source, name, _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False
        )
        if found:
            raw = json.loads(Path(found).read_text("utf-8"))
            return raw.get("image_processor", raw)
    return {}


@contextlib.contextmanager
def _said_clearly(source: str, where: str = "encode.image") -> Iterator[None]:
    """What goes wrong becomes one line with a remedy."""
    try:
        yield
    except (ConfigError, MissingExtraError):
        raise
    except Exception as error:
        broken = broken_companion()
        if broken:
            raise ConfigError(
                f"transformers cannot be used because {broken[0]} does not fit the installed torch ({broken[1]}). tuwen needs "
                "neither torchvision nor torchaudio: pip uninstall torchvision torchaudio, or install the builds that match torch."
            ) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"{where}: {source!r} cannot be loaded from here or from the Hugging Face hub: {reason} "
            "Give a folder with config.json and the weights, or a name of the hub while you are online."
        ) from error


@contextlib.contextmanager
def _without_bars(auto: Any) -> Iterator[None]:
    """transformers without its progress bars, which would stand between ours."""
    bars = auto.utils.logging.is_progress_bar_enabled()
    auto.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            auto.utils.logging.enable_progress_bar()


def broken_companion() -> tuple[str, str] | None:
    """The name of an installed torchvision or torchaudio that cannot be imported, and why; None if there is none."""
    for name in ("torchvision", "torchaudio"):
        if importlib.util.find_spec(name) is None:
            continue
        try:
            importlib.import_module(name)
        except Exception as error:
            return name, (str(error).strip() or type(error).__name__).splitlines()[0]
    return None
