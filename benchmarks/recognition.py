"""Recognition: supervised, from texts alone (zero-shot), and of objects, actions and attributes in photographs.

    python benchmarks/recognition.py supervised [--time-limit 540] [--seeds 0]
    python benchmarks/recognition.py zero-shot [--recipe clip] [--time-limit 330] [--seeds 0]
    python benchmarks/recognition.py words [--agree 2] [--seeds 0]

supervised  `classifier` on Fashion-MNIST: 48,000 pictures to learn from, 2,000 to choose the best step by, and 10,000 of
            the training file that are looked at once, at the end. Aim: 0.92 within 10 minutes on two cores.
zero-shot   a model that only matches pictures and captions of the drawn world names the one thing of held-out scenes,
            among the 48 texts of 6 shapes in 8 colours, of which 6 are in no training scene. Aim: 0.85; chance 0.02.
words       the commonest nouns, verbs and adjectives of the captions of Flickr8k as labels of the photographs (objects,
            actions, attributes), from frozen features of MobileNetV2. Aim: in each group a mean average precision of
            three times the mean base rate.

`--smoke` does a minute of each on little data. Data is looked for in the folder that TUWEN_DATA names.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FASHION = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"

WORDS = {
    "noun": """man men,dog dogs,people,boy boys,woman women,shirt shirts,girl girls,water,person persons,child children,
        grass,field fields,group groups,air,ball balls,street streets,snow,camera cameras,mouth mouths,kid kids,
        jacket jackets,rock rocks,mountain mountains,beach beaches,bike bikes,hat hats,wall walls,player players,
        toy toys,park parks,building buildings,hill hills,crowd crowds,tree trees""",
    "verb": """play plays playing played,wear wears wearing,stand stands standing,run runs running,
        jump jumps jumping jumped,hold holds holding,sit sits sitting,walk walks walking,look looks looking,
        ride rides riding,pose poses posing posed,watch watches watching,carry carries carrying,smile smiles smiling,
        dress dressed,do does doing,climb climbs climbing,catch catches catching,leap leaps leaping,
        swim swims swimming,take takes taking,make makes making,throw throws throwing,fly flies flying,
        talk talks talking,chase chases chasing""",
    "adjective": """white,black,young,brown,red,blue,little,large,small,green,yellow,orange,pink,tan,grassy,big,snowy,
        dark,grey gray,long,high,wooden,old older,blond blonde,rocky,wet,purple,open,striped,colorful,tall,bright""",
}
"""The commonest words of each kind, sorted out by hand: no tagger is needed. Forms of one word stand together. Left out
are words that are mostly of a fixed phrase (in front of, next to) or a number. The commonest 20 of each are taken."""
COMMONEST = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(RUNS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--time-limit", type=float, default=0.0, help="seconds of training")
    parser.add_argument("--recipe", default="clip", help="of zero-shot: any that matches")
    parser.add_argument("--agree", type=int, default=2, help="of words: captions of five that must have a word")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe")
    parser.add_argument("--smoke", action="store_true", help="little data, few steps: whether it runs")
    parser.add_argument("--keep", default="", help="folder for the models")
    args = parser.parse_args()
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for line in RUNS[args.what](args, seed, Path(args.keep or folder) / f"{args.what}-{seed}"):
                print(line, flush=True)


def trained(
    args: argparse.Namespace, data: Any, recipe: str, seed: int, out: Path, limit_s: float, more: Sequence[str]
) -> tuple[Any, float]:
    """The model, and the seconds that all of the run took."""
    from tuwen import load
    from tuwen.train.loop import train

    began = time.time()
    train(
        data, out=out, recipe=recipe, settings=[*more, *args.set], seed=seed, steps=30 if args.smoke else 0,
        time_limit_s=0.0 if args.smoke else args.time_limit or limit_s,
    )  # fmt: skip
    return load(out), time.time() - began


def judged(model: Any, rows: Sequence[Any]) -> Any:
    """Figures with intervals of rows that were never looked at."""
    from tuwen.evaluation import evaluate

    batches = (model.batch(list(rows[start : start + 256]), targets=True) for start in range(0, len(rows), 256))
    return evaluate(model, batches, bootstrap=True)


def with_splits(samples: Iterable[Any], sizes: dict[str, int]) -> tuple[Any, dict[str, list[Any]]]:
    """A data set of the parts but `test`, and the rows of each: the first so many, then the next."""
    from dataclasses import replace

    from tuwen.data._dataset import Dataset

    left, parts = iter(samples), {}
    for name, size in sizes.items():
        parts[name] = [replace(sample, split=name) for sample, _ in zip(left, range(size), strict=False)]
    rows = [sample for name, some in parts.items() if name != "test" for sample in some]
    return Dataset(rows, name="held out", sides=[row.split for row in rows]), parts


def place(name: str) -> Path:
    folder = Path(os.environ.get("TUWEN_DATA", "missing")) / name
    if not folder.exists():
        raise SystemExit(f"{folder} is not there; set TUWEN_DATA to the folder that holds {name}/")
    return folder


def supervised(args: argparse.Namespace, seed: int, out: Path) -> Iterable[str]:
    from tuwen import open_data
    from tuwen.data._config import Data

    sizes = {"train": 500, "val": 100, "test": 200} if args.smoke else {"train": 48_000, "val": 2_000, "test": 10_000}
    data, parts = with_splits(open_data(place("fashion_mnist"), Data(classes=FASHION)), sizes)
    model, took_s = trained(args, data, "classifier", seed, out, 540.0, ())
    found = judged(model, parts["test"])
    yield f"| seed {seed} | {took_s:.0f} s | {len(parts['test'])} held out |"
    yield from _table(found, ("accuracy", "balanced_accuracy", "f1_macro", "average_precision", "ece"))


def _table(found: Any, names: Sequence[str]) -> Iterable[str]:
    yield "| figure | value | 95 % interval | chance |"
    yield "|---|---|---|---|"
    for name in names:
        low, high = found.intervals[name]
        chance = f"{found.chance[name]:.3f}" if name in found.chance else ""
        yield f"| {name} | {found.figures[name]:.4f} | {low:.4f} to {high:.4f} | {chance} |"


def zero_shot(args: argparse.Namespace, seed: int, out: Path) -> Iterable[str]:
    from tuwen.data._scene_world import COLOURS, SHAPES, UNSEEN
    from tuwen.judge._rates import mean_rates

    data = "scenes:0:200" if args.smoke else "scenes"
    model, took_s = trained(args, data, args.recipe, seed, out, 330.0, ())
    labels = [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS]
    scenes = one_thing(200 if args.smoke else 8000)
    answers = model.classify([picture for picture, _ in scenes], labels=labels, template=("a {}",))
    right = [answer.label == f"{colour} {shape}" for answer, (_, (shape, colour)) in zip(answers, scenes, strict=True)]
    yield f"| seed {seed} | {args.recipe} | {took_s:.0f} s | {len(labels)} texts, chance {1 / len(labels):.3f} |"
    yield "| scenes of one thing | right | 95 % interval | number |"
    yield "|---|---|---|---|"
    unseen = [pair in UNSEEN for _, pair in scenes]
    for name, wanted in (("all", (True, False)), ("pairs of training", (False,)), ("pairs never seen", (True,))):
        some = [one for one, new in zip(right, unseen, strict=True) if new in wanted]
        if some:
            found = mean_rates({"right": np.array(some, float)})
            low, high = found.intervals()["right"]
            yield f"| {name} | {found.figures['right']:.4f} | {low:.4f} to {high:.4f} | {len(some)} |"


def one_thing(num: int) -> list[tuple[Any, tuple[str, str]]]:
    """(picture, (shape, colour)) of the scenes with one thing among the first `num` of the test part."""
    from tuwen.data.scenes import draw_one

    found = []
    for index in range(num):
        fields = draw_one(0, "test", index).fields
        if len(things := fields["scene"]["things"]) == 1:
            found.append((fields["image"], (things[0]["shape"], things[0]["colour"])))
    return found


def words(args: argparse.Namespace, seed: int, out: Path) -> Iterable[str]:
    from dataclasses import replace

    from tuwen import open_data

    every = open_data(place("flickr8k"))
    taken = commonest([sample.fields["text"] for sample in every.split("train")])
    group = {forms[0]: kind for kind, some in taken.items() for forms in some}
    labelled = [
        replace(sample, fields={"image": sample.fields["image"], "text": [], "label": labels})
        for split in ("train", "val")
        for sample in every.split(split)
        if (labels := labels_of(sample.fields["text"], taken, args.agree))
    ]
    held_out = sum(sample.split == "val" for sample in labelled)
    sizes = {"train": len(labelled) - held_out - 500, "val": 500, "test": held_out}
    if args.smoke:
        sizes, labelled = {"train": 200, "val": 50, "test": 100}, labelled[:350]
    data, parts = with_splits(labelled, sizes)
    backbone = (f"encode.image.source={place('weights')}/mobilenet_v2_hf", "train.batch=128")
    settings = ("encode.image=image_pretrained", *backbone, "decode.label.dropout=0.3", "train.epochs=30")
    model, took_s = trained(args, data, "classifier", seed, out, 0.0, settings)
    table = judged(model, parts["test"]).tables["classes"]
    yield f"| seed {seed} | {took_s:.0f} s | {len(parts['test'])} photographs held out; words of {args.agree} captions |"
    yield "| group | mAP | base rate | times | best | worst |"
    yield "|---|---|---|---|---|---|"
    for kind in WORDS:
        rows = [row for row in table if group[row["label"]] == kind and row["num"]]
        ap, rate = (sum(v) / len(rows) for v in zip(*_numbers(rows, len(parts["test"])), strict=True))
        ordered = sorted(rows, key=lambda row: -row["average_precision"])
        ends = (f"{row['label']} {row['average_precision']:.2f}" for row in (ordered[0], ordered[-1]))
        yield f"| {kind} | {ap:.3f} | {rate:.3f} | {ap / rate:.2f} | {' | '.join(ends)} |"


def _numbers(rows: Sequence[dict[str, Any]], num: int) -> Iterable[tuple[float, float]]:
    return [(row["average_precision"], row["num"] / num) for row in rows]


def commonest(captions: Sequence[Sequence[str]]) -> dict[str, list[tuple[str, ...]]]:
    """Kind -> the words of it that the captions of most photographs have, each as its forms."""
    count = Counter(word for some in captions for word in {w for text in some for w in tokens(text)})
    found = {}
    for kind, listed in WORDS.items():
        every = [tuple(forms.split()) for forms in listed.split(",")]
        found[kind] = sorted(every, key=lambda forms: -sum(count[form] for form in forms))[:COMMONEST]
    return found


def labels_of(captions: Sequence[str], taken: dict[str, list[tuple[str, ...]]], agree: int) -> list[str]:
    """The words that at least `agree` of the captions have, each by its first form."""
    said = [set(tokens(text)) for text in captions]
    every = [forms for some in taken.values() for forms in some]
    return [forms[0] for forms in every if sum(not one.isdisjoint(forms) for one in said) >= agree]


def tokens(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


RUNS = {"supervised": supervised, "zero-shot": zero_shot, "words": words}

if __name__ == "__main__":
    main()
