"""What `coca` learns of the drawn world in six minutes, and that it learns nothing from shuffled pairs.

    python benchmarks/scenes_understanding.py [--seeds 0 1 2] [--time-limit 330] [--shuffled] [--keep FOLDER]

Trains on the scenes and judges the captions of held-out ones statement by statement:

    truth           share of the statements in its captions that are true            (scenes of seen pairs)
    recall          share of what the scene's full description states that is said   (scenes of seen pairs)
    unseen truth    share of true statements about things whose (shape, colour) pair is in no training scene
    R@1             picture to text among 200 scenes, from their full descriptions; chance is 0.005
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--time-limit", type=float, default=330.0, help="seconds of training")
    parser.add_argument("--shuffled", action="store_true", help="train on captions of other scenes")
    parser.add_argument("--recipe", default="coca")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe")
    parser.add_argument("--keep", default="", help="folder for the models")
    args = parser.parse_args()
    print("| seed | trained s | steps | truth | recall | unseen truth | unseen named | R@1 of 200 | distinct |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            print(row(args, seed, Path(args.keep or folder) / f"seed{seed}"), flush=True)


def row(args: argparse.Namespace, seed: int, out: Path) -> str:
    from tuwen import load, open_data
    from tuwen.train.loop import train

    data: Any = "scenes"
    if args.shuffled:
        data = shuffled(open_data("scenes"))
    events: list[dict[str, Any]] = []
    began = time.time()
    train(
        data, out=out, recipe=args.recipe, seed=seed, time_limit_s=args.time_limit, settings=args.set,
        report=lambda event: events.append(event) if event["kind"] == "step" else None,
    )  # fmt: skip
    took = time.time() - began
    figures = judge(load(out), list(open_data("scenes").split("test")))
    cells = [seed, round(took), events[-1]["step"], *(f"{value:.3f}" for value in figures)]
    return "| " + " | ".join(map(str, cells)) + " |"


def judge(model: Any, samples: list[Any]) -> list[float]:
    from tuwen.metric.statement_truth import Config

    said = [answer.caption for answer in model.caption([s.fields["image"] for s in samples], beam=1)]
    # every even scene of the test part holds one thing of a pair that is in no training scene
    halves = {"seen": range(1, len(samples), 2), "unseen": range(0, len(samples), 2)}
    results = {}
    for name, rows in halves.items():
        metric = Config().build()
        metric.update([said[i] for i in rows], [samples[i].fields["scene"] for i in rows])
        results[name] = metric.result()
    some = samples[:200]
    scores = model.similarity([s.fields["image"] for s in some], [s.fields["text"][0] for s in some])
    first = (scores.argmax(1) == scores.new_tensor(range(len(some)))).float().mean().item()
    seen, unseen = results["seen"], results["unseen"]
    return [
        seen["statement_truth"],
        seen["statement_recall"],
        unseen["unseen_truth"],
        unseen["unseen_named"],
        first,
        len(set(said)) / len(said),
    ]


def shuffled(data: Any) -> list[dict[str, Any]]:
    """The same pictures and captions, each picture with the captions of another, within each split."""
    rows = []
    for split in data.splits:
        samples = list(data.split(split))
        other = samples[1:] + samples[:1]
        order = list(range(len(samples)))
        random.Random(0).shuffle(order)
        rows += [
            {"image": samples[i].fields["image"], "text": other[j].fields["text"], "split": split}
            for i, j in zip(range(len(samples)), order, strict=True)
        ]
    return rows


if __name__ == "__main__":
    main()
