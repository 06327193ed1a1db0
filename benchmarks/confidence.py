"""Is a caption said at 80 % acceptable in 80 %? A two-fold check over the validation part, and what abstaining gains.

    python benchmarks/confidence.py MODEL DATA [--split val] [--beam 5] [--seeds 20] [--set data.x=y]

Acceptable means CIDEr above the median of the part. The rows are dealt into two halves; each half gets its confidence
from a fit on the other one, so no caption is judged by a fit that has seen it. The calibration error is over ten bins
of equal mass of all rows together. At half coverage the captions with the higher confidence are kept; its interval is
a bootstrap over the rows, of kept ones against all. The dealing of seed 0 counts, that of others is printed as a spread.
"""

from __future__ import annotations

import argparse
import datetime
import time
from typing import Any

import numpy as np

import tuwen
from tuwen.card import versions
from tuwen.command._read import read_rows
from tuwen.confidence import cross_fitted
from tuwen.evaluation import evaluate
from tuwen.judge._sure import BINS, Sure, ciders, judged
from tuwen.metric._captions import with_references
from tuwen.task.caption import Request, method_of

CALIBRATION_ERROR, GAIN = 0.06, 0.15
"""Most of the one, least of the other."""


def main() -> int:
    args = arguments()
    began = time.monotonic()
    rows = captions(args)
    columns = {name: np.array([row["known"][name] for row in rows]) for name in rows[0]["known"]}
    cider_N = ciders(rows)
    print(f"{datetime.date.today()}  {versions()['system']}  torch {versions()['torch']}")
    print(
        f"{args.model}, {len(rows)} rows of {args.split} of {args.data}, beam {args.beam}, {time.monotonic() - began:.0f} s"
    )
    print(f"fitted on: {', '.join(columns)}; CIDEr {cider_N.mean():.4f}, median {np.median(cider_N):.4f}\n")
    found = [dealt(columns, cider_N, seed) for seed in range(args.seeds)]
    rates = found[0].rates
    low_high = rates.intervals()
    for name, value in rates.figures.items():
        every = [other.rates.figures[name] for other in found]
        print(
            f"{name:<20}{value:8.4f}  95 % interval {low_high[name][0]:.4f} to {low_high[name][1]:.4f}"
            f"   {args.seeds} dealings: mean {np.mean(every):.4f}, {min(every):.4f} to {max(every):.4f}"
        )
    print(f"\n{BINS} bins of equal mass: captions, mean confidence, share that is acceptable")
    for row in found[0].reliability:
        print(f"  {row['num']:6.1f}  {row['probability']:.3f}  {row['right']:.3f}")
    good = rates.figures["confidence_ece"] <= CALIBRATION_ERROR and rates.figures["surer_half_gain"] >= GAIN
    print(
        f"\ncalibration error at most {CALIBRATION_ERROR}, gain at half coverage at least {GAIN:.0%}: {'yes' if good else 'NO'}"
    )
    return int(not good)


def dealt(columns: dict[str, np.ndarray], cider_N: np.ndarray, seed: int) -> Sure:
    """What the confidence is worth that one dealing into halves gives."""
    sure_N = cross_fitted(columns, cider_N, folds=2, seed=seed)
    return judged(sure_N, cider_N, cider=float(np.median(cider_N)))


def captions(args: argparse.Namespace) -> list[dict[str, Any]]:
    """What the model writes of every row, with what a confidence is fitted on."""
    model = tuwen.load(args.model)
    data = read_rows("confidence", model.recipe, args.data, split=args.split, settings=args.set, rows=args.rows)
    batches = (model.batch(list(data[start : start + 64])) for start in range(0, len(data), 64))
    method = method_of(Request(image=None, beam=args.beam))
    found = evaluate(model, batches, method=method, objectives={}, shuffled=False, unsure=True)
    return with_references(found.rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="model directory that writes captions")
    parser.add_argument("data", help="data that it has not learned")
    parser.add_argument("--split", default="val", help="part of the data")
    parser.add_argument("--beam", type=int, default=5, help="sentences that are followed at once")
    parser.add_argument("--rows", type=int, default=0, help="the first rows only; 0: all")
    parser.add_argument("--seeds", type=int, default=20, help="dealings into halves")
    parser.add_argument("--set", action="append", default=[], help="a setting PATH=VALUE of the data; give several")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
