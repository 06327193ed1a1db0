"""Any vision model of transformers (ViT, DINOv2, CLIP, ResNet, MobileNet, ...), from the hub or a folder."""

from __future__ import annotations

import atexit
import inspect
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tuwen.encode._fold import folded
from tuwen.encode._hub import load_vision, rebuild, stored_config
from tuwen.encode._image import example_pictures, normalised, squares
from tuwen.errors import ConfigError
from tuwen.types import Latent, Widths

_AT_ONCE = 4
"""Pictures that a frozen model sees at once."""


@dataclass(frozen=True, kw_only=True)
class Config:
    source: str = ""
    """A folder with config.json and weights, or a name of the Hugging Face hub; only `train` reads it."""
    frozen: bool = True
    """True: the weights stay as they are and the features are made once; false: they are trained on."""
    size: int = 0
    """Side of the square picture in pixels; 0: what the model was made for."""
    layer: int = -1
    """Hidden state that is read: -1 the last, -2 the one before, ... (often better for captions)."""
    pool: Literal["mean", "class"] = "mean"
    """The pooled vector: the mean of the grid, or the class token where the model has one."""

    def build(self) -> ImagePretrained:
        return ImagePretrained(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(source=tiny_source())

    @staticmethod
    def example(batch: int) -> list[np.ndarray]:
        return example_pictures(batch, 16)


class ImagePretrained(nn.Module):
    """Pictures -> the grid of a pretrained model, and their mean or class token.

    The model's configuration and preprocessing are stored with the part: nothing outside is read after training.
    Frozen, it stays in eval mode and its parameters take no gradient. Trained on, its batch norms keep their
    statistics, and parameters that the tokens do not depend on (a pooler) are left out.

    Raises:
        ConfigError: in `fit`: no such model, one that reads no pictures, or a size or layer that it does not take.
        MissingExtraError: transformers is not installed.
    """

    modality = "image"
    pretrained = True
    """The optimiser has a learning rate of its own for such parts."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.frozen = config.frozen
        self.model: Any
        self._held: list[Any] = []  # the folded copy; in a list, it is no submodule and not saved
        self.widths: Widths
        self.grid: tuple[int, int] | None

    def fit(self, values: Sequence[Any]) -> None:
        """Loads the pretrained model; the pictures are not looked at."""
        self._settle(*load_vision(self.config.source))

    def learned(self) -> dict[str, Any]:
        """The model's configuration and preprocessing, as JSON for the model directory."""
        return {"model": stored_config(self.model), "preprocessing": self.preprocessing}

    def restore(self, learned: dict[str, Any]) -> None:
        """Instead of `fit`: the same model with random weights, which are loaded afterwards."""
        self._settle(rebuild(learned["model"]), learned["preprocessing"])

    def _settle(self, model: Any, preprocessing: dict[str, Any]) -> None:
        self.model, self.preprocessing = model.requires_grad_(not self.frozen), preprocessing
        made_for = preprocessing["side"]
        self.side = self.config.size or made_for
        self.resize = round(preprocessing["resize"] * self.side / made_for)
        forward = inspect.signature(model.forward).parameters
        own_side = _pixels_of(model.config)
        # position embeddings are stretched where the model can and the size is another
        self.stretch = "interpolate_pos_encoding" in forward and own_side is not None and own_side != self.side
        self.train(self.training)
        tokens = self._probe()
        self.grid, self.prefix = grid_of(tokens.shape[1], self.side, getattr(model.config, "patch_size", None))
        if self.config.pool == "class" and not self.prefix:
            raise ConfigError("encode.image: this model has no class token to pool; set encode.image.pool=mean.")
        self.widths = Widths(tokens.shape[2], tokens.shape[2])

    def _probe(self) -> Tensor:
        """Tokens of one grey picture; parameters that they do not depend on take no gradient from here on."""
        data = torch.full((1, 3, self.side, self.side), 127, dtype=torch.uint8)
        was = self.training
        try:
            with torch.set_grad_enabled(not self.frozen):
                tokens = self.eval().features(data)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = str(error).strip().splitlines()[0]
            made_for = self.preprocessing["side"]
            raise ConfigError(
                f"encode.image: a {self.model.config.model_type} model does not take size={self.side} and layer={self.config.layer}: "
                f"{reason} It was made for size={made_for}; leave encode.image.size and layer out to use that."
            ) from error
        finally:
            self.train(was)
        if not self.frozen:
            used = torch.autograd.grad(tokens.sum(), list(self.model.parameters()), allow_unused=True)
            for parameter, gradient in zip(self.model.parameters(), used, strict=True):
                parameter.requires_grad_(gradient is not None)
        return tokens.detach()

    def train(self, mode: bool = True) -> ImagePretrained:
        super().train(mode and not self.frozen)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def prepare(self, values: Sequence[Any]) -> tuple[Tensor, None]:
        """Raw pictures -> (P, 3, side, side) uint8."""
        data, off = squares(values, self.resize, self.preprocessing["fit"]), (self.resize - self.side) // 2
        return data[:, :, off : off + self.side, off : off + self.side].contiguous(), None

    def features(self, data: Tensor, mask: Tensor | None = None) -> Tensor:
        """(P, 3, side, side) uint8 -> (P, T, D) tokens, class tokens first: what the cache stores."""
        if not self.frozen:
            return self._hidden(self.model, self._pixels(data))
        with torch.no_grad():
            if not self._held:
                self._held.append(folded(self.model, self._pixels(data[:1]), self._hidden))
            # a few pictures at a time: what a layer makes of them stays in the processor's cache
            return torch.cat([self._hidden(self._held[0], self._pixels(part)) for part in data.split(_AT_ONCE)])

    def _pixels(self, data: Tensor) -> Tensor:
        return normalised(data, self.preprocessing["mean"], self.preprocessing["std"])

    def _hidden(self, model: Any, pixels: Tensor) -> Tensor:
        asked: dict[str, Any] = {"interpolate_pos_encoding": True} if self.stretch else {}
        if self.config.layer != -1:
            asked["output_hidden_states"] = True
        out = model(pixel_values=pixels, **asked)
        hidden = out.last_hidden_state if self.config.layer == -1 else out.hidden_states[self.config.layer]
        return hidden.permute(0, 2, 3, 1).flatten(1, 2) if hidden.ndim == 4 else hidden

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._held.clear()  # the weights move: what was folded of them is made anew
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._held.clear()
        super()._load_from_state_dict(*args, **kwargs)

    def finish(self, tokens_PTD: Tensor, mask: Tensor | None = None) -> Latent:
        """What `features` made, fresh or from the cache -> tokens of the grid and the pooled vector, in float32."""
        tokens_PTD = tokens_PTD.float()
        grid_PTD = tokens_PTD[:, self.prefix :]
        pooled_PD = grid_PTD.mean(1) if self.config.pool == "mean" else tokens_PTD[:, 0]
        return Latent(pooled_PD, grid_PTD, grid=self.grid)

    def forward(self, data: Tensor, mask: Tensor | None = None) -> Latent:
        return self.finish(self.features(data, mask), mask)


def grid_of(length: int, side: int, patch: Any) -> tuple[tuple[int, int] | None, int]:
    """The square grid that T tokens fold to, and how many class or register tokens stand before it.

    Example:
        >>> grid_of(197, 224, 16), grid_of(49, 224, 4), grid_of(7, 224, None)
        (((14, 14), 1), ((7, 7), 0), ((2, 2), 3))
    """
    if isinstance(patch, int) and 0 <= (before := length - (side // patch) ** 2) < length:
        return (side // patch, side // patch), before
    for before in range(min(9, length)):
        edge = math.isqrt(length - before)
        if edge**2 == length - before:
            return (edge, edge), before
    return None, 0


def _pixels_of(config: Any) -> int | None:
    size = getattr(config, "image_size", None)
    return size[0] if isinstance(size, list | tuple) else size


@cache
def tiny_source() -> str:
    """A temporary folder with a random vision transformer of 16 pixels, for tests; gone when the process ends.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    from tuwen.encode._hub import _transformers

    transformers = _transformers()
    folder = tempfile.mkdtemp(prefix="tuwen-tiny-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ViTConfig(**sizes, image_size=16, patch_size=8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.ViTModel(config).save_pretrained(folder)
    return folder
