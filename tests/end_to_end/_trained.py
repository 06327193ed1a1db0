"""One model for all verbs, trained by the command line on eight pictures in a folder."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from tests import eight

SETTINGS = (
    "data.val=0", "data.test=0", "data.captions=all",
    "encode.image.size=16", "encode.image.stem=8", "encode.image.widths=16,32", "encode.image.blocks=1,1",
    "encode.text.width=32", "encode.text.heads=2", "encode.text.layers=1",
    "space.image.width=32", "space.image.embed=16", "space.image.heads=2", "space.text.width=32", "space.text.embed=16",
    "decode.text.width=32", "decode.text.heads=2", "decode.text.layers=1", "decode.text.dropout=0", "decode.text.max_tokens=12",
    "objective.caption.smoothing=0", "train.batch=8", "train.lr=5e-3", "train.ema=0", "train.precision=float32",
    "train.threads=1", "train.warmup=0.1", "train.metric=loss",
)  # fmt: skip
"""Sizes that learn eight pictures by heart within seconds."""


def train(data: object, out: Path, *more: object):
    """`tuwen train` in a process of its own."""
    settings = [part for setting in (*SETTINGS, f"data.cache={out.parent / 'cache'}") for part in ("--set", setting)]
    return eight.tuwen("train", data, "-o", out, *settings, *more)


@functools.cache
def place() -> Path:
    """A folder with `photos/` and a `model/` that was trained on it."""
    folder = Path(tempfile.mkdtemp(prefix="tuwen-end-to-end-"))
    eight.write_pictures(folder / "photos")
    done = train(folder / "photos", folder / "model", "--steps", 100)
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout + "\0" + done.stderr, "utf-8")
    return folder
