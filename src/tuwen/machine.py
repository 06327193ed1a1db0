"""Device and precision: chosen by what is there and by a self-test, never assumed."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from threading import Lock

import torch

from tuwen.errors import ConfigError


def choose_device(wanted: str) -> torch.device:
    """The device called cpu, cuda, mps or auto.

    Raises:
        ConfigError: it is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, ok in there.items() if ok))
    if not there.get(wanted.split(":")[0], False):
        raise ConfigError(
            f"there is no device {wanted!r} here; there is: {', '.join(n for n, ok in there.items() if ok)}, auto."
        )
    return torch.device(wanted)


_ROUNDS = 4
_GAIN = 1.5
"""How much faster the products must be: weights and activations are converted at every step too."""


_ASKING = Lock()
"""One thread asks the self-test at a time: several would disturb each other, and each take its own answer."""


@cache
def bfloat16_pays(device_type: str) -> bool:
    """Whether a bfloat16 matrix product beats float32 on this device; about 0.15 s on a CPU.

    On one thread: where another process has a core, threads wait for each other, and waiting takes processor time too.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type != "cpu":
        return False
    kinds, best = (torch.float32, torch.bfloat16), {torch.float32: 0.0, torch.bfloat16: 0.0}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(_ROUNDS):  # in turn and the best of each: the first products of a process are slow, others disturb
        for kind in kinds:
            best[kind] = max(best[kind], _rate(kind))
    torch.set_num_threads(threads)
    return best[torch.bfloat16] > _GAIN * best[torch.float32]


def _rate(kind: torch.dtype, limit_s: float = 0.012) -> float:
    """Products a second of processor time, which other processes do not take, of a batch of tokens with an MLP's weights."""
    a, b = torch.randn(512, 384).to(kind), torch.randn(384, 1536).to(kind)
    start, count = time.process_time(), 0
    a @ b  # the first builds its kernel; where that alone is slow, it is the answer
    if (first := time.process_time() - start) > limit_s:
        return 1 / first
    start = time.process_time()
    while (spent := time.process_time() - start) < limit_s:
        a @ b
        count += 1
    return count / spent


PRECISIONS = ("float32", "bfloat16", "auto")
"""What can be asked for."""


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """bfloat16 or float32; auto: by the self-test."""
    if wanted == "auto":
        with _ASKING:
            return torch.bfloat16 if bfloat16_pays(device.type) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """The context in which the model runs; nothing in float32."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)
