"""How fast training is: the feature cache, captions that share a picture, and what the loop adds to a bare one.

    python benchmarks/training_speed.py DATA --source BACKBONE [--pictures 512] [--steps 20] [--threads 2]

Prints one table, with a column for the machine as it is and one restricted to AVX2 (each in a process of its own):

    cache             pictures a second through the frozen backbone, decoding and writing included
    shared memory     seconds of 128 captions of 26 pictures / seconds of 128 captions of 128 pictures
    step overhead     seconds of our step, from the cache to the moved weights / seconds of a bare PyTorch loop on the
                      same tensors and model
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--source", required=True, help="a frozen backbone: a folder or a hub name")
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(args)))
        return
    columns = {"as it is": child({}), "AVX2 only": child(_AVX2)}
    print(f"{time.strftime('%Y-%m-%d')}, {platform.processor() or platform.machine()}, {args.threads} threads")
    print("| figure | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in next(iter(columns.values())):
        print(f"| {name} | " + " | ".join(str(column[name]) for column in columns.values()) + " |")


def child(environment: dict[str, str]) -> dict[str, float | str]:
    command = [sys.executable, __file__, *sys.argv[1:], "--child"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(args: argparse.Namespace) -> dict[str, float | str]:
    from tuwen.data._dataset import open_data
    from tuwen.train.loop import Run
    from tuwen.train.setup import Setup

    rates: list[float] = []

    def report(event: dict[str, object]) -> None:
        if event["kind"] == "cache" and event["done"] == event["of"]:
            rates.append(float(str(event["rows_per_s"])))

    data = open_data(args.data)
    rows = data.take(range(min(args.pictures, len(data))))
    settings = ["encode.image=image_pretrained", f"encode.image.source={args.source}", "data.captions=one"]
    settings += [f"train.threads={args.threads}", "train.batch=128", "train.steps=1000"]
    settings += ["train.optimiser=adamw"]  # that of the bare loop
    with tempfile.TemporaryDirectory() as folder:
        settings += [f"data.cache={folder}"]
        run = Run(Setup(rows, Path(folder) / "m", "cnn-transformer", settings, report=report))
        run.begin()
        ours, bare = step_times(run, args.steps)
        few, many = shared_memory(run, args.steps)
        return {
            "precision": str(run.machine.precision).removeprefix("torch."),
            "cache, pictures/s": round(rates[0], 1),
            "128 captions of 26 pictures, s": round(few, 3),
            "128 captions of 128 pictures, s": round(many, 3),
            "shared memory, ratio": round(few / many, 3),
            "our step, s": round(ours, 3),
            "bare step, s": round(bare, 3),
            "step overhead, ratio": round(ours / bare, 3),
        }


def step_times(run, steps: int) -> tuple[float, float]:
    """Median seconds of our step and of a bare one, taken in turn on the same batches."""
    import torch
    from torch.nn.functional import cross_entropy

    from tuwen.train.feed import Ahead

    ahead = Ahead(run.sources.learned, run.sources.plan)
    optimiser = torch.optim.AdamW(run.weights, lr=1e-4, fused=True)
    smoothing = run.recipe.objective["caption"].smoothing
    run.model.train()

    def bare(batch) -> None:
        with run.machine.autocast():
            decoded = run.model(batch).routes["caption"]
            loss = cross_entropy(decoded.prediction.float(), decoded.target, label_smoothing=smoothing)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    ours_s, bare_s = [], []
    for step in range(steps + 2):
        batch = run.sources.learned.batch(run.sources.plan.items(step))
        bare_s.append(clock(lambda batch=batch: bare(batch)))
        ours_s.append(clock(lambda step=step: run.learn(ahead.take(step))))
    ahead.close()
    return statistics.median(ours_s[2:]), statistics.median(bare_s[2:])


def shared_memory(run, steps: int) -> tuple[float, float]:
    """Median seconds of forward and backward over 128 captions of 26 pictures, and of 128."""
    import torch

    from tuwen.types import Batch, Feed

    batch = run.sources.learned.batch(run.sources.plan.items(0))
    image, text = batch.inputs["image"], batch.targets["text"]
    owner_P = torch.arange(128) * 26 // 128
    pictures = Feed(image.data[:26], torch.arange(26), encoded=True)
    captions = Feed(text.data, owner_P, text.mask)
    few = Batch(batch.keys[:26], {"image": pictures}, {"text": captions}, raw=batch.raw[:26])
    times = [
        [clock(lambda b=b: (run.backward(b), run.optimiser.zero_grad())) for b in (few, batch)] for _ in range(steps)
    ]
    return statistics.median(t[0] for t in times[2:]), statistics.median(t[1] for t in times[2:])


def clock(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
