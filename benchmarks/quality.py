"""The headline numbers on reduced budgets, held against stored intervals: a change may not lower one beyond its own.

    python benchmarks/quality.py                    runs every check; exit status 1 if a figure is worse than its interval
    python benchmarks/quality.py --only scenes-coca
    python benchmarks/quality.py --record           stores what is measured now as the new intervals

Takes 10 to 15 minutes on two cores. Each check trains for a fixed number of steps, so that its figures do not depend on the
speed of the machine, and evaluates the test (or validation) part. Checks on real data run where the variable TUWEN_DATA
names the folder. A stored interval is the bootstrap interval of the rows, widened by half of its width on each side for
the seed and the machine; figures of the caption metrics are exact.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STORE = Path(__file__).with_suffix(".json")
EXACT = 1e-9
"""Difference that an exact figure may have."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One run of the command line, and the figures of it that are held."""

    name: str
    data: str
    """DATA, below TUWEN_DATA if `real`."""
    figures: tuple[str, ...]
    """Those that may not become worse."""
    train: tuple[str, ...] = ()
    """What `tuwen train DATA -o MODEL` takes more; empty: nothing is trained."""
    evaluate: tuple[str, ...] = ()
    """What `tuwen evaluate` takes more."""
    real: bool = True
    less: tuple[str, ...] = field(default=("mse",))
    """Figures of which the smallest is the best."""


_ONE_LOOK = ("--set", "train.evaluations=1")
"""Looks on the way cost up to half of a short run."""
_MOBILENET = ("--set", "encode.image=image_pretrained", "--set", "encode.image.source={root}/weights/mobilenet_v2_hf")
_COCO = "{root}/coco_caption_eval/captions_val2014"

CHECKS = (
    Check(
        name="caption-metrics",
        data="coco_caption_eval",
        figures=("bleu_1", "bleu_4", "rouge_l", "cider"),
        evaluate=("--captions", f"{_COCO}_fakecap_results.json", "--references", f"{_COCO}_1000.json"),
    ),
    Check(
        name="scenes-coca",
        data="scenes",
        real=False,
        train=("--steps", "400", *_ONE_LOOK),
        evaluate=("--rows", "500"),
        figures=("statement_truth", "statement_recall", "i2t_r1", "bleu_4"),
    ),
    Check(
        name="scenes-unified",
        data="scenes",
        real=False,
        train=("-r", "unified", "--steps", "400", *_ONE_LOOK),
        evaluate=("--rows", "500"),
        figures=("statement_truth", "i2t_r1", "drawn_shape_colour"),
    ),
    Check(
        name="flickr8k-cnn-transformer",
        data="flickr8k",
        train=("-r", "cnn-transformer", "--steps", "220", *_ONE_LOOK, *_MOBILENET),
        evaluate=("--split", "val", "--rows", "500"),
        figures=("cider", "bleu_4", "shuffled_gap"),
    ),
    Check(
        name="flickr8k-dual-encoder",
        data="flickr8k",
        train=("-r", "dual-encoder", "--steps", "150", *_ONE_LOOK, *_MOBILENET[2:]),
        evaluate=("--split", "val"),
        figures=("recall", "i2t_r10", "t2i_r10"),
    ),
    Check(
        name="fashion-dense-autoencoder",
        data="fashion_mnist",
        train=("-r", "dense-autoencoder", "--steps", "1000", *_ONE_LOOK),
        evaluate=("--split", "val", "--rows", "2000"),
        figures=("mse", "ssim"),
    ),
    Check(
        name="fashion-conv-autoencoder",
        data="fashion_mnist",
        train=("-r", "conv-autoencoder", "--steps", "200", *_ONE_LOOK),
        evaluate=("--split", "val", "--rows", "2000"),
        figures=("mse", "ssim"),
    ),
    Check(
        name="fashion-classifier",
        data="fashion_mnist",
        train=("-r", "classifier", "--steps", "120", *_ONE_LOOK),
        evaluate=("--split", "val", "--rows", "2000"),
        figures=("accuracy", "average_precision"),
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", choices=[check.name for check in CHECKS], help="one check; give several"
    )
    parser.add_argument("--record", action="store_true", help="store what is measured as the new intervals")
    parser.add_argument("--store", type=Path, default=STORE, help="file of the intervals")
    args = parser.parse_args()
    stored = json.loads(args.store.read_text("utf-8")) if args.store.is_file() else {"checks": {}}
    began, failed, run = time.monotonic(), 0, 0
    print(line("check", "figure", "value", "low", "high", "verdict"), flush=True)
    for check in CHECKS:
        if args.only and check.name not in args.only:
            continue
        if missing := lacks(check):
            print(line(check.name, "", "", "", "", f"skipped: {missing}"), flush=True)
            continue
        took, found = measure(check)
        run += 1
        failed += report(check, found, stored["checks"].get(check.name, {}).get("figures", {}), took)
        if args.record:  # each at once, so that a run that is stopped has not measured for nothing
            figures = interval_of(check, found)
            stored["checks"][check.name] = {"command": command(check), "took_s": round(took), "figures": figures}
            stored |= {"machine": machine(), "date": datetime.date.today().isoformat()}
            args.store.write_text(json.dumps(stored, indent=2) + "\n", "utf-8")
    print(f"\n{run} checks in {time.monotonic() - began:.0f} s; {failed} figures worse than their interval")
    return int(failed > 0)


def lacks(check: Check) -> str:
    """What is not there that a check needs; empty if nothing."""
    if not check.real:
        return ""
    root = os.environ.get("TUWEN_DATA", "")
    if not root:
        return "needs the variable TUWEN_DATA"
    words = [word.format(root=root) for word in (*check.train, *check.evaluate) if "{root}" in word]
    paths = [Path(root) / check.data, *(Path(word.rpartition("=")[2]) for word in words)]
    return next((f"there is no {path}" for path in paths if not path.exists()), "")


def measure(check: Check) -> tuple[float, dict[str, Any]]:
    """Seconds that it took, and what `tuwen evaluate --json` found."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        given: list[str] = []
        if check.train:
            given = [str(Path(folder) / "model"), data_of(check)]
            tuwen("train", data_of(check), "-o", given[0], *filled(check.train))
        found = json.loads(tuwen("evaluate", *given, *filled(check.evaluate), "--json"))
    return time.monotonic() - began, found


def tuwen(*arguments: str) -> str:
    """Stdout of a command line; ends the run with its message if it fails."""
    done = subprocess.run([sys.executable, "-m", "tuwen", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"tuwen {' '.join(arguments)}\n{done.stderr[-2000:]}")
    return done.stdout


def data_of(check: Check) -> str:
    return str(Path(os.environ["TUWEN_DATA"]) / check.data) if check.real else check.data


def filled(words: tuple[str, ...]) -> list[str]:
    """The words of a command, with the folder of the real data in its place."""
    return [word.format(root=os.environ.get("TUWEN_DATA", "")) for word in words]


def command(check: Check) -> str:
    """What was typed, for people."""
    words = (
        ["tuwen train", check.data, "-o model", *check.train] if check.train else ["tuwen evaluate", *check.evaluate]
    )
    return " ".join(words).format(root="$TUWEN_DATA")


def interval_of(check: Check, found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Figure -> value, low and high to store."""
    held = {}
    for name in check.figures:
        value = found["figures"][name]
        low, high = found["intervals"].get(name, (value, value)) if check.train else (value, value)
        air = (high - low) / 2 or (0.1 * abs(value) if check.train else 0.0)
        held[name] = {"value": value, "low": low - air, "high": high + air}
    return held


def report(check: Check, found: dict[str, Any], stored: dict[str, dict[str, float]], took: float) -> int:
    """Prints a line a figure; how many are worse than they may be."""
    worse = 0
    for i, name in enumerate(check.figures):
        value = found["figures"][name]
        said = verdict(value, stored.get(name), less=name in check.less, exact=not check.train)
        worse += said == "WORSE"
        bounds = [f"{stored[name][end]:.4g}" if name in stored else "" for end in ("low", "high")]
        took_words = f" ({took:.0f} s)" if i == 0 else ""
        print(line(check.name if i == 0 else "", name, f"{value:.4g}", *bounds, said + took_words), flush=True)
    return worse


def verdict(value: float, stored: dict[str, float] | None, *, less: bool, exact: bool) -> str:
    """ok, WORSE, better (than its interval: worth recording), or new."""
    if stored is None:
        return "new"
    low, high = stored["low"] - EXACT, stored["high"] + EXACT
    if low <= value <= high:
        return "ok"
    return "WORSE" if exact or (value > high) == less else "better"


def line(*cells: str) -> str:
    """Cells in columns."""
    widths = (27, 18, 9, 9, 9, 0)
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def machine() -> str:
    """What the intervals were recorded on."""
    from importlib.metadata import version

    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, torch {version('torch')}"


if __name__ == "__main__":
    sys.exit(main())
