"""Models that have pictures and texts in one space, asked how well the two fit: one of tuwen's own, or one of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.types import Feed

_AT_ONCE = 32
"""Pictures, or texts, that a model of transformers sees at once."""


def open_embedder(
    source: str, device: str | torch.device = "cpu", *, where: str = "metric.clipscore"
) -> Own | Pretrained:
    """The model behind a name.

    Args:
        source: a model directory of tuwen that matches; a folder made by `save_pretrained`, or a name of the Hugging Face
            hub, of CLIP and its kin.
        where: what asks for it, for messages.
    Raises:
        CannotError: a model of tuwen that was not trained to match.
        ConfigError, CheckpointError, MissingExtraError: there is no such model, or it cannot be loaded.
    """
    from tuwen.directory import RECIPE, load
    from tuwen.encode._hub import load_pair

    if (Path(source) / RECIPE).is_file():
        model = load(source, device)
        model.require("match", verb="say how well texts fit pictures")
        return Own(model)
    model, tokenizer, preprocessing = load_pair(source, where)
    return Pretrained(model.to(device), tokenizer, preprocessing)


class Own:
    """A model of tuwen."""

    def __init__(self, model: Any):
        self.model = model

    def images(self, values: Sequence[Any]) -> np.ndarray:
        """(N, D) of length 1."""
        found: np.ndarray = self.model.encode(list(values), field="image").cpu().numpy()
        return found

    def texts(self, values: Sequence[str]) -> np.ndarray:
        """(N, D) of length 1."""
        found: np.ndarray = self.model.encode(list(values), field="text").cpu().numpy()
        return found

    def drawn(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, D) of pictures of 0 to 1, any size, as `images` has them; gradients flow to the pixels."""
        data = prepared(self.model.encoders["image"], pixels_PCHW)
        found: Tensor = self.model.latent("image", Feed(data, torch.arange(len(data), device=data.device))).pooled
        return found


class Pretrained:
    """A model of transformers; texts are asked about as "A photo depicts ...", as CLIPScore has it."""

    prefix = "A photo depicts "

    def __init__(self, model: Any, tokenizer: Any, preprocessing: dict[str, Any]):
        self.model, self.tokenizer, self.preprocessing = model, tokenizer, preprocessing
        text = getattr(model.config, "text_config", model.config)
        self.longest = min(getattr(text, "max_position_embeddings", 77), tokenizer.model_max_length)
        # a model that is given no mask was trained on texts that are all filled up to one length
        self.padding = True if "attention_mask" in tokenizer.model_input_names else "max_length"

    @torch.inference_mode()
    def images(self, values: Sequence[Any]) -> np.ndarray:
        """(N, D)."""
        from tuwen.encode._image import normalised, squares

        how, found = self.preprocessing, []
        off = (how["resize"] - how["side"]) // 2
        for start in range(0, len(values), _AT_ONCE):
            data = squares(values[start : start + _AT_ONCE], how["resize"], how["fit"])
            data = data[:, :, off : off + how["side"], off : off + how["side"]].contiguous().to(self.model.device)
            found.append(_pooled(self.model.get_image_features(normalised(data, how["mean"], how["std"]))))
        return np.concatenate(found)

    @torch.inference_mode()
    def texts(self, values: Sequence[str]) -> np.ndarray:
        """(N, D)."""
        order = sorted(range(len(values)), key=lambda i: len(values[i]))  # texts of one length: little padding
        found = []
        for start in range(0, len(values), _AT_ONCE):
            texts = [self.prefix + values[i] for i in order[start : start + _AT_ONCE]]
            tokens = self.tokenizer(
                texts, padding=self.padding, truncation=True, max_length=self.longest, return_tensors="pt"
            )
            found.append(_pooled(self.model.get_text_features(**tokens.to(self.model.device))))
        sorted_ND = np.concatenate(found)
        vector_ND = np.empty_like(sorted_ND)
        vector_ND[order] = sorted_ND
        return vector_ND

    def drawn(self, pixels_PCHW: Tensor) -> Tensor:
        """(P, D) of pictures of 0 to 1, any size, as `images` has them; gradients flow to the pixels."""
        from tuwen.encode._image import normalised

        how = self.preprocessing
        data = _squares(pixels_PCHW, how["resize"], how["side"], 3)
        return _vector(self.model.get_image_features(normalised(data, how["mean"], how["std"])))


def prepared(encoder: Any, pixels_PCHW: Tensor) -> Tensor:
    """(P, C, H, W) of 0 to 1 -> (P, C, side, side) of 0 to 255: what `prepare` of an encoder does to files, with gradients.

    Args:
        encoder: of pictures; a frozen one that is pretrained is told to let gradients through.
    """
    encoder.frozen = False
    side = encoder.side if hasattr(encoder, "side") else encoder.config.size
    return _squares(pixels_PCHW, getattr(encoder, "resize", side), side, getattr(encoder.config, "channels", 3))


def _squares(pixels_PCHW: Tensor, resize: int, side: int, channels: int) -> Tensor:
    """(P, C, H, W) of 0 to 1 -> (P, channels, side, side) of 0 to 255."""
    from tuwen.encode._image import luma

    pixels = pixels_PCHW.float()
    if pixels.shape[-1] != resize:
        pixels = F.interpolate(pixels, (resize, resize), mode="bilinear", antialias=True)
    if channels != pixels.shape[1]:
        pixels = pixels.expand(-1, 3, -1, -1) if channels == 3 else luma(pixels)
    off = (resize - side) // 2
    return pixels[:, :, off : off + side, off : off + side] * 255


def _pooled(made: Any) -> np.ndarray:
    """The vectors, which some versions of transformers wrap."""
    return _vector(made).cpu().numpy()


def _vector(made: Any) -> Tensor:
    vector: Tensor = made if isinstance(made, Tensor) else made.pooler_output
    return vector.float()
