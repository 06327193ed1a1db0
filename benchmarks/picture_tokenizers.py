"""Tokenizers of pictures: a learned codebook beside finite scalars, with the same networks and steps.

    python benchmarks/picture_tokenizers.py fashion [--steps 2000] [--seeds 0 1 2]
    python benchmarks/picture_tokenizers.py scenes [--time-limit 600] [--set objective.perceptual=perceptual ...]

fashion  Fashion-MNIST (28 x 28 grey, 7 x 7 codes): 36,000 pictures to learn from, 13,000 others for the classifier in whose
         features pictures are compared, and 10,000 that only the figures see. It is looked for in the folder that TUWEN_DATA
         names.
scenes   the drawn world (64 x 64, 8 x 8 codes): its training part, as many scenes of another seed for the classifier (it
         names shapes and colours), and 2,000 of a third one that only the figures see.

Both spaces have 512 codes (finite scalars: three numbers of 8 levels), and all else is recipe `vqvae`. Figures, of pictures
that were never trained on:

    use         share of the codes that occur at all
    perplexity  codes that would occur if all were used alike: exp(entropy); at most 512
    PSNR        of what comes back, in dB, the mean over pictures
    FID         distance of what comes back of one half of the pictures from the other half as it is; beside it that of the
                two halves as they are, which is what a tokenizer that loses nothing has

Aim: a use of at least 0.8 of the codebook. Seconds are processor time of all threads, so that another job on the machine changes little.
Models in --keep that are there already are judged and not trained again; --sheet names a folder for pictures before and after.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from drawing import dataset, fashion_parts, keep_sheet

SPACES = {
    "vector_quantized": ["space.image=vector_quantized", "space.image.codes=512"],
    "finite_scalar": ["space.image=finite_scalar", "space.image.levels=8,8,8"],
}
SCENES = 2_000
"""Scenes that only the figures see."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(PARTS))
    parser.add_argument("--spaces", nargs="+", choices=sorted(SPACES), default=list(SPACES))
    parser.add_argument("--steps", type=int, default=0, help="of each tokenizer; 0: what the recipe says")
    parser.add_argument("--time-limit", type=float, default=0.0, help="seconds of each tokenizer; 0: none")
    parser.add_argument("--judge-steps", type=int, default=1500, help="of the classifier")
    parser.add_argument("--rows", type=int, default=0, help="pictures that the figures see; 0: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], help="settings of the tokenizers")
    parser.add_argument("--keep", default="", help="folder for the models")
    parser.add_argument("--sheet", default="", help="folder for sheets of pictures before and after")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(args, Path(args.keep or folder))


def compare(args: argparse.Namespace, folder: Path) -> None:
    """The table."""
    from tuwen.judge._eyes import Own
    from tuwen.metric.fid import frechet

    data, judged, test = PARTS[args.what](args.rows)
    judge, _ = learned(args, judged, folder / f"{args.what}-judge", "classifier", 0, args.judge_steps, 0.0, [])
    eye, half = Own(judge), len(test) // 2
    first_ND, second_ND = (seen(eye, [row.fields["image"] for row in part]) for part in (test[:half], test[half:]))
    between = frechet(first_ND, second_ND).value
    print(f"{len(test):,} pictures; FID of real and real halves: {between:.3f}\n")
    head = ["space", "seed", "steps", "trained, CPU s", "use", "perplexity", "PSNR", "FID", "of real"]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|", flush=True)
    for space in args.spaces:
        for seed in args.seeds:
            out = folder / f"{args.what}-{space}-{seed}"
            settings = [*SPACES[space], *args.set]
            model, took_s = learned(args, data, out, "vqvae", seed, args.steps, args.time_limit, settings)
            found, size = figures(model, test), model.spaces["image"].size
            made = [one.made for one in model.reconstruct([row.fields["image"] for row in test])]
            distance = frechet(first_ND, seen(eye, made[half:])).value
            cells = [
                space, f"{seed}", f"{steps_of(out)}", f"{took_s:.0f}", f"{found['code_use']:.3f}",
                f"{found['code_perplexity'] * size:.0f}", f"{found['psnr']:.2f}", f"{distance:.3f}", f"{between:.3f}",
            ]  # fmt: skip
            print(f"| {' | '.join(cells)} |", flush=True)
            pairs = zip(test[:24], made[:24], strict=True)
            keep_sheet(args, out.name, [one for row, again in pairs for one in (shown(row, again), again)])


def learned(
    args: argparse.Namespace, data: Any, out: Path, recipe: str, seed: int, steps: int, limit_s: float, more: list[str]
) -> tuple[Any, float]:
    """The model of a directory, trained now unless it is there, and the processor seconds that this took."""
    from tuwen import load, train

    began = time.process_time()
    if not (out / "weights.safetensors").is_file():
        settings = [f"train.threads={args.threads}", f"data.cache={out.parent}/cache", "train.evaluations=4", *more]
        train(data, out=out, recipe=recipe, seed=seed, steps=steps, time_limit_s=limit_s, settings=settings)
    return load(out), time.process_time() - began


def steps_of(out: Path) -> int:
    """Steps that the run of a directory made."""
    import json

    events = map(json.loads, (out / "log.jsonl").read_text("utf-8").splitlines())
    return max(event["step"] for event in events if event["kind"] == "step")


def figures(model: Any, rows: Sequence[Any]) -> dict[str, float]:
    """What `tuwen evaluate` says of these rows; the objectives are not asked."""
    from tuwen.evaluation import evaluate

    batches = (model.batch(rows[start : start + 256], targets=True) for start in range(0, len(rows), 256))
    return evaluate(model, batches, objectives={}).figures


def seen(eye: Any, images: Sequence[Any]) -> np.ndarray:
    """(N, D) features."""
    parts = (images[start : start + 256] for start in range(0, len(images), 256))
    return np.concatenate([eye.look(part).feature_ND for part in parts])


def shown(row: Any, again: np.ndarray) -> np.ndarray:
    """A picture as what came back of it has it: of the same channels."""
    from tuwen.data._picture import open_picture

    return open_picture(row.fields["image"])[:, :, : again.shape[2]]


def fashion(num: int) -> tuple[Any, Any, list[Any]]:
    """Rows to learn from, those of the classifier, and those that are looked at."""
    parts = fashion_parts()
    judged = dataset(parts, {"train": "judge", "val": "judge_val"})
    return dataset(parts, {"train": "train", "val": "val"}), judged, parts["test"][: num or None]


def scenes(num: int) -> tuple[Any, Any, list[Any]]:
    from tuwen import open_data
    from tuwen.data._dataset import Dataset
    from tuwen.data.scenes import draw_one

    data = open_data("scenes")
    rows = [
        replace(row, fields={"image": row.fields["image"], "label": things(row)}, split=split)
        for split in ("train", "val")
        for row in (draw_one(7, split, place) for place in range(len(data.split(split))))
    ]
    judged = Dataset(rows, name="shapes and colours", sides=[row.split for row in rows])
    return data, judged, [draw_one(9, "test", place) for place in range(num or SCENES)]


def things(row: Any) -> list[str]:
    """The shapes and colours of a scene."""
    return sorted({thing[name] for thing in row.fields["scene"]["things"] for name in ("shape", "colour")})


PARTS = {"fashion": fashion, "scenes": scenes}

if __name__ == "__main__":
    main()
