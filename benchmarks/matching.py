"""How well two towers retrieve, by three objectives on the same data, with paired intervals of their differences.

    python benchmarks/matching.py DATA --source mobilenet_v2 [--seeds 0 1 2] [--time-limit 1800] [--threads 2]
        [--objectives contrastive sigmoid ranking] [--set encode.text.width=256 ...] [--keep FOLDER]

Trains recipe `dual-encoder` over the frozen features of a folder made by `save_pretrained`, once for each objective and
seed, and judges all pictures of a part of the data that has several captions a picture: the right caption counts as
found if any of a picture's is (i2t), a caption has one picture (t2i). Intervals hold 95 % over pictures, drawn with
replacement; a difference is of the same pictures, the mean over seeds of both sides.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

OBJECTIVES = {
    "contrastive": (),
    "sigmoid": ("objective.match=sigmoid", *(f"space.{f}.{s}" for f in ("image", "text") for s in ("scale=10", "bias=-10"))),
    "ranking": ("objective.match=ranking",),
    "ranking-all": ("objective.match=ranking", "objective.match.negatives=all"),
}  # fmt: skip
"""What `--set` takes for each objective."""
NAMES = [f"{way}_r{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--source", required=True, help="folder of the frozen picture tower")
    parser.add_argument("--split", default="val")
    parser.add_argument(
        "--objectives", nargs="+", choices=list(OBJECTIVES), default=["contrastive", "sigmoid", "ranking"]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--time-limit", type=float, default=1800.0, help="seconds of training, each")
    parser.add_argument(
        "--steps", type=int, default=0, help="steps of training, each; with a time limit at most so many"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe")
    parser.add_argument("--keep", default="", help="folder for the models")
    args = parser.parse_args()
    hits: dict[str, list[dict[str, np.ndarray]]] = {}
    print("| objective | seed | trained s | steps | " + " | ".join(NAMES) + " |")
    print("|---" * (4 + len(NAMES)) + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds:
            for name in args.objectives:
                out = Path(args.keep or folder) / f"{name}-seed{seed}"
                took_s, steps = learn(args, name, seed, out)
                found = judge(args, out)
                hits.setdefault(name, []).append(found)
                cells = [name, seed, round(took_s), steps, *(f"{found[n].mean():.3f}" for n in NAMES)]
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    compare({name: {n: np.mean([one[n] for one in runs], 0) for n in NAMES} for name, runs in hits.items()})


def learn(args: argparse.Namespace, name: str, seed: int, out: Path) -> tuple[float, int]:
    from tuwen.train.loop import train

    events: list[dict[str, Any]] = []
    began = time.time()
    train(
        args.data, out=out, recipe="dual-encoder", seed=seed, time_limit_s=args.time_limit, steps=args.steps,
        settings=[f"encode.image.source={args.source}", f"train.threads={args.threads}", *OBJECTIVES[name], *args.set],
        report=lambda event: events.append(event) if event["kind"] == "step" else None,
    )  # fmt: skip
    return time.time() - began, events[-1]["step"]


def judge(args: argparse.Namespace, out: Path) -> dict[str, np.ndarray]:
    """Figure -> hits of each picture; of its captions the mean, since pictures are what is independent."""
    from tuwen import load, open_data
    from tuwen.metric.recall import Recall

    model, samples = load(out), list(open_data(args.data).split(args.split))
    owner_M = np.repeat(np.arange(len(samples)), [len(s.fields["text"]) for s in samples])
    texts = [text for s in samples for text in s.fields["text"]]
    recall = Recall()
    recall.update(model.similarity([s.fields["image"] for s in samples], texts).numpy(), owner_M)
    found = {name: np.array(values) for name, values in recall.per_item().items()}
    count_N = np.bincount(owner_M)
    return {name: v if name.startswith("i2t") else np.bincount(owner_M, v) / count_N for name, v in found.items()}


def compare(hits: dict[str, dict[str, np.ndarray]]) -> None:
    from tuwen.judge._rates import mean_rates, paired

    rates = {name: mean_rates(own) for name, own in hits.items()}
    print("\n| objective | " + " | ".join(NAMES) + " |\n" + "|---" * (1 + len(NAMES)) + "|")
    for name, own in rates.items():
        value, bounds = own.figures, own.intervals()
        print(f"| {name} | " + " | ".join("{:.4f} [{:.4f}, {:.4f}]".format(value[n], *bounds[n]) for n in NAMES) + " |")
    first, *others = rates
    for name in others:
        pair = paired(rates[name], rates[first])
        value, bounds = pair.figures, pair.intervals()
        sure = {n: "" if low <= 0 <= high else " *" for n, (low, high) in bounds.items()}
        shown = ["{:+.4f} [{:+.4f}, {:+.4f}]{}".format(value[n], *bounds[n], sure[n]) for n in NAMES]
        print(f"| {name} - {first} | " + " | ".join(shown) + " |")
    print("\n* the interval excludes 0")


if __name__ == "__main__":
    main()
