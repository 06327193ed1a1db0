"""What each idea is worth to a captioner of photographs at equal cost, and how good several of them are together.

    python benchmarks/captioning.py DATA --source mobilenet_v2 [--steps 560] [--workers 2] [--only base all ...]
        [--keep FOLDER] [--decode]

Trains recipe `cnn-transformer` over the frozen features of a folder made by `save_pretrained`: with nothing (base), with
all ideas (all), three seeds each, with all but one (seed 0), and with all and a reward for the last quarter of the cost
(then-reward), every run on one thread; `--workers` of them side by side.
`--steps` are those of a run with Muon, others make so many more as its step takes longer (`MUON`). A run that is in
FOLDER already is not made again. All captions of a part of the data, beam 5: figures, and differences from `all-seed0`
on the same pictures with 95 % intervals by paired bootstrap.

`--decode`: the same models asked in other ways: greedily, by what many captions agree on, and three models together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

IDEAS: dict[str, tuple[str, str]] = {
    "smoothing": ("objective.caption.smoothing=0.1", "objective.caption.smoothing=0"),
    "hidden-words": ("decode.text.word_dropout=0.1", "decode.text.word_dropout=0"),
    "hidden-places": ("space.image.hidden=0.2", "space.image.hidden=0"),
    "views": ("data.views=mirror,zoom,mirror_zoom", "data.views=[]"),
    "zoomed-views": ("", "data.views=mirror"),
    "ema": ("train.ema=0.999", "train.ema=0"),
    "average-best": ("train.average_best=3", "train.average_best=0"),
    "muon": ("train.optimiser=muon", "train.optimiser=adamw train.lr=1e-3"),
}
"""Name -> settings with the idea, and without."""
MUON = 1.3
"""Time of a step with Muon over that of one with AdamW, at this size."""
REWARD = (
    "objective.caption=self_critical data.captions=one train.optimiser=adamw train.lr=1e-4 train.warmup=0.02 "
    "decode.text.dropout=0.1 space.image.dropout=0 space.image.hidden=0"
)
"""Settings of the steps with a reward."""
BEGUN, REWARDED = "begun-seed0", "then-reward"
"""A run like `all-seed0` that ends earlier, and the one that goes on from it with a reward; together they cost as much."""
SHARE, REWARD_STEP = 0.25, 1.6
"""Share of the cost that the reward has, and the time of one of its steps over that of another."""
SEEDS = (0, 1, 2)
FIGURES = ("bleu_4", "cider")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--source", required=True, help="folder of the frozen picture network")
    parser.add_argument("--split", default="val")
    parser.add_argument("--steps", type=int, default=560, help="of a run with Muon")
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, each on one thread")
    parser.add_argument(
        "--only", nargs="*", default=[], help="runs whose names begin so, and all-seed0, which others are compared with"
    )
    parser.add_argument("--keep", type=Path, default=Path("captioning"), help="folder for models, logs and reports")
    parser.add_argument("--decode", action="store_true", help="ask the models of `all` in other ways")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    asked, every = ("all-seed0", *args.only) if args.only else "", runs(args)
    wanted = {name: run for name, run in every.items() if name.startswith(asked) and name != BEGUN}
    with ThreadPoolExecutor(args.workers) as pool:
        list(pool.map(lambda name: made(args, name, wanted[name]), [name for name in wanted if name != REWARDED]))
    if REWARDED in wanted:
        made(args, BEGUN, every[BEGUN])
        made(args, REWARDED, every[REWARDED])
    table(args, wanted)
    if args.decode:
        decoded(args)


def runs(args: argparse.Namespace) -> dict[str, list[str]]:
    """Name -> what `tuwen train` is told besides data and recipe."""

    def options(without: Sequence[str], seed: int, share: float = 1.0) -> list[str]:
        chosen = [off if name in without else on for name, (on, off) in IDEAS.items()]
        steps = round(share * args.steps * (MUON if "muon" in without else 1))
        return [f"--seed={seed}", f"--steps={steps}", *(f"--set={one}" for text in chosen for one in text.split())]

    every = [name for name in IDEAS if name != "zoomed-views"]
    found = {f"{name}-seed{seed}": options(off, seed) for seed in SEEDS for name, off in (("all", ()), ("base", every))}
    found |= {f"without-{name}": options([name], 0) for name in IDEAS}
    reward = [f"--start-from={args.keep / BEGUN}", "--seed=0", f"--steps={round(SHARE * args.steps / REWARD_STEP)}"]
    return found | {
        BEGUN: options([], 0, 1 - SHARE),
        REWARDED: [*reward, *(f"--set={one}" for one in REWARD.split())],
    }


def made(args: argparse.Namespace, name: str, options: list[str]) -> None:
    """Trains and judges one run, unless its report is there."""
    model, report = args.keep / name, args.keep / f"{name}.json"
    if report.exists():
        return
    if not (args.keep / f"{name}.took").exists():
        recipe = [] if name == REWARDED else ["--recipe=cnn-transformer", "--set=encode.image=image_pretrained"]
        recipe += [f"--set=encode.image.source={args.source}"] if recipe else []
        settings = ["--set=train.threads=1", "--set=train.evaluations=4"]
        took_s = tuwen(args, name, "train", args.data, f"--out={model}", *recipe, *options, *settings)
        (args.keep / f"{name}.took").write_text(f"{took_s:.0f}")
    tuwen(args, name, "evaluate", str(model), args.data, f"--split={args.split}", f"--out={report}")


def tuwen(args: argparse.Namespace, log: str, *words: str) -> float:
    """Runs a command on one thread; seconds of processor time, which jobs beside it do not take."""
    with open(args.keep / f"{log}.log", "a") as out:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen([sys.executable, "-m", "tuwen", *words], stdout=out, stderr=out, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"tuwen {' '.join(words)} ended with {process.returncode}; see {args.keep / log}.log")
    return usage.ru_utime + usage.ru_stime


def table(args: argparse.Namespace, names: Iterable[str]) -> None:
    """One line a report: figures, differences from `all-seed0`, and how much its captions repeat."""
    from tuwen.judge._rates import paired
    from tuwen.judge.captions import caption_rates

    def rates(rows: list[dict[str, Any]]) -> Any:
        return caption_rates([row["caption"] for row in rows], [row["references"] for row in rows])

    def rows_of(name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((args.keep / f"{name}.json").read_text())["rows"]
        return found

    base = rates(rows_of("all-seed0"))
    print("| run | processor s | BLEU-4 | CIDEr | BLEU-4 less all | CIDEr less all | distinct | commonest |")
    print("|---" * 8 + "|")
    for name in names:
        rows = rows_of(name)
        tooks = [args.keep / f"{part}.took" for part in ((BEGUN, name) if name == REWARDED else (name,))]
        own, seen = rates(rows), Counter(row["caption"] for row in rows)
        apart = paired(own, base)
        assert apart is not None, "reports of the same rows"
        spread = apart.intervals()
        took_s = sum(int(took.read_text()) for took in tooks if took.exists())
        cells = [name, str(took_s or ""), *(f"{own.figures[f]:.3f}" for f in FIGURES)]
        for f in FIGURES:
            cells.append(f"{apart.figures[f]:+.3f} ({spread[f][0]:+.3f} to {spread[f][1]:+.3f})")
        cells += [f"{len(seen) / len(rows):.3f}", str(seen.most_common(1)[0][1])]
        print("| " + " | ".join(cells) + " |", flush=True)


def decoded(args: argparse.Namespace) -> None:
    """The models of `all`, alone and together, asked in several ways."""
    seeds = [str(args.keep / f"all-seed{seed}") for seed in SEEDS]
    ways = {"greedy": ["--beam=1"], "beam": [], "mbr": ["--method=mbr"]}
    names: list[str] = []
    for who, models in (("all-seed0", seeds[0]), ("all together", ",".join(seeds))):
        for way, options in ways.items():
            names.append(name := f"{who}, {way}")
            if not (report := args.keep / f"{name}.json").exists():
                tuwen(args, name, "evaluate", models, args.data, f"--split={args.split}", f"--out={report}", *options)
    table(args, names)


if __name__ == "__main__":
    main()
