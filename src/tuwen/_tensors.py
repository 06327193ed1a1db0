"""Named tensors <-> a safetensors file. Tensors that share their memory are stored once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tuwen.errors import CheckpointError

_SAME = "same"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> None:
    """Writes tensors to a new file; one that is the same memory as an earlier one is only named.

    Args:
        tensors: on any device; stored contiguous.
        about: short texts that are kept in the file.
    Raises:
        OSError: the file cannot be written.
    """
    once, same = _once(tensors)
    try:
        save_file(once, path, metadata={**(about or {}), _SAME: json.dumps(same)})
    except SafetensorError as error:  # it wraps what the system said
        code = 28 if "os error 28" in str(error) or "No space" in str(error) else 5
        raise OSError(code, str(error)) from error


def read_tensors(path: Path, device: str | torch.device = "cpu") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, and the texts that were kept with them.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            about = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        size = f"{path.stat().st_size} bytes" if path.is_file() else "missing"
        raise CheckpointError(
            f"{path} ({size}) cannot be read as tensors: {error}. Copy it anew, or train again."
        ) from error
    same = json.loads(about.pop(_SAME, "{}"))
    return tensors | {name: tensors[first] for name, first in same.items()}, about


def _once(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors that can be stored, and name -> name of the tensor whose memory it is."""
    seen: dict[tuple[object, ...], str] = {}
    once: dict[str, Tensor] = {}
    same: dict[str, str] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        place = (tensor.data_ptr(), tensor.device, tensor.dtype, tuple(tensor.shape), tensor.stride())
        if tensor.numel() and (first := seen.setdefault(place, name)) != name:
            same[name] = first
            continue
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        once[name] = (tensor if whole else tensor.clone()).to("cpu").contiguous()
    return once, same
