"""The best captions of photographs that an hour of two cores gives: several models that ask each other, and their neighbours.

    python benchmarks/captioning_hour.py DATA --source mobilenet_v2 [--keep FOLDER] [--steps 1000] [--split val]

Over the frozen features of a folder made by `save_pretrained`: four `cnn-transformer`, one `show-attend-tell` and one
`dual-encoder`, two of them at a time, each on one thread; then they caption a part of the data together, by minimum Bayes
risk, where the captions of training pictures that are alike have a voice too
(`tuwen evaluate A,B,C,D,E,F DATA --method mbr --neighbours vectors.npy`). Prints the seconds of everything from an empty
cache on, and the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SMALLER = {"show-attend-tell": (0.75, 6), "dual-encoder": (0.6, 4)}
"""Recipe -> its steps over those of `cnn-transformer`, and its looks at the validation part."""
QUEUES = (
    (("cnn-transformer", 0), ("cnn-transformer", 1), ("cnn-transformer", 2)),
    (("dual-encoder", 0), ("show-attend-tell", 0), ("cnn-transformer", 3)),
)
"""What each core trains, as (recipe, seed), one after the other."""
VECTORS = "vectors.npy"
"""Where those of the training part are kept."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--source", required=True, help="folder of the frozen picture network")
    parser.add_argument("--split", default="val", help="part that is captioned")
    parser.add_argument("--steps", type=int, default=1000, help="of `cnn-transformer`")
    parser.add_argument("--keep", type=Path, default=Path("captioning_hour"), help="folder for cache, models and logs")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    trained(args, "cnn-transformer", 0, "features", threads=2, steps=1)
    print(f"features kept after {time.monotonic() - began:.0f} s", flush=True)
    with ThreadPoolExecutor(len(QUEUES)) as pool:
        took = [
            line for lines in pool.map(lambda queue: [learned(args, *one) for one in queue], QUEUES) for line in lines
        ]
    for name, seconds in took:
        print(f"{name}: {seconds:.0f} s of one thread", flush=True)
    print(f"trained after {time.monotonic() - began:.0f} s", flush=True)
    names = [name for name, _ in took]
    show(args, "beam", "cnn-transformer-0")
    show(args, "mbr", *names)
    print(f"the last row stood after {time.monotonic() - began:.0f} s")


def learned(args: argparse.Namespace, recipe: str, seed: int) -> tuple[str, float]:
    """As `trained`; of what matches also the vectors of what it learned from."""
    name, seconds = trained(args, recipe, seed)
    if recipe == "dual-encoder":
        words = ["embed", str(args.keep / name), args.data, "--split=train", f"--out={args.keep / VECTORS}"]
        tuwen(args, "embed", 1, *words)
    return name, seconds


def trained(
    args: argparse.Namespace, recipe: str, seed: int, name: str = "", threads: int = 1, steps: int = 0
) -> tuple[str, float]:
    """Name of the model, and the seconds that it took."""
    name, (share, looks) = name or f"{recipe}-{seed}", SMALLER.get(recipe, (1.0, 8))
    settings = ["encode.image=image_pretrained", f"encode.image.source={args.source}", f"train.threads={threads}"]
    settings += [f"data.cache={args.keep / 'cache'}", f"train.evaluations={looks}"]
    settings += ["data.views=mirror"] if recipe == "cnn-transformer" else []
    own = [f"--recipe={recipe}", f"--seed={seed}", f"--steps={steps or round(args.steps * share)}"]
    began = time.monotonic()
    tuwen(
        args,
        name,
        threads,
        "train",
        args.data,
        f"--out={args.keep / name}",
        *own,
        *(f"--set={one}" for one in settings),
    )
    return name, time.monotonic() - began


def tuwen(args: argparse.Namespace, log: str, threads: int, *words: str) -> None:
    """Runs a command; what it says goes into a log."""
    with open(args.keep / f"{log}.log", "a") as out:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if subprocess.run([sys.executable, "-m", "tuwen", *words], stdout=out, stderr=out, env=environment).returncode:
            raise SystemExit(f"tuwen {' '.join(words)} did not end well; see {args.keep / log}.log")


def show(args: argparse.Namespace, method: str, *names: str) -> None:
    """Captions by these models together: figures, and how much they repeat."""
    report = args.keep / f"{method}.json"
    words = [",".join(str(args.keep / name) for name in names), args.data, f"--split={args.split}"]
    words += [f"--neighbours={args.keep / VECTORS}"] if method == "mbr" else []
    tuwen(args, method, 2, "evaluate", *words, f"--method={method}", f"--out={report}")
    found = json.loads(report.read_text())
    texts = Counter(row["caption"] for row in found["rows"])
    print(f"{method}, {len(names)} model{'s' * (len(names) > 1)}, {len(found['rows'])} pictures:")
    for figure in ("bleu_4", "cider", "copied"):
        print(f"    {figure} {found['figures'][figure]:.4f} {found['intervals'].get(figure, '')}")
    print(
        f"    distinct {len(texts) / len(found['rows']):.3f}, the commonest {texts.most_common(1)[0][1]} times",
        flush=True,
    )


if __name__ == "__main__":
    main()
