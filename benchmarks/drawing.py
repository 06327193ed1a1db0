"""Drawing from texts: is what was asked for there, and do the pictures look like real ones?

    python benchmarks/drawing.py scenes [--recipe flow] [--time-limit 2400] [--rows 600] [--guidance 1 2 4]
    python benchmarks/drawing.py fashion [--recipe flow] [--time-limit 900] [--rows 5000] [--peer PYTHON]
    python benchmarks/drawing.py emoji EMOJI [--recipe flow] [--time-limit 3600]

scenes   full descriptions of the drawn world, from scenes that were never trained on; the eye of the world's judge looks at
         each picture. A text counts where everything that it says is there, and nothing else. Beside them descriptions of
         one thing of a shape and colour that never met in training; with --short also texts of two things in few words, each
         of which counts where both things are there, and where they also stand to each other as it says.
fashion  Fashion-MNIST by class name: 36,000 pictures to learn from, 13,000 others for a classifier that judges, and 10,000
         that only the figures see. Beside the figures what real pictures reach, and how well a classifier does on real
         pictures that has learned from drawn ones alone. The peers are the VAE and the VQ-VAE of pythae with the samplers that
         belong to them, trained as long on the same pictures by PYTHON, an interpreter that has pythae.
emoji    EMOJI: OUT/emoji of `benchmarks/convert_data.py`. Whether a model that matches (`clip`, trained apart, which has seen every
         emoji and name) finds the name of each drawn picture among 20: for names that were learned with another tone, and
         for names that were not learned at all. Beside it what it finds for the real pictures.

Model directories in --keep that are there already are judged and not trained again. `--sheet` names a folder for pictures.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

FASHION = {"train": 36_000, "val": 1_000, "judge": 12_000, "judge_val": 1_000, "test": 10_000}
"""Parts of the training file, in its order."""
OTHER_TONE, NEVER = "seen with another tone", "never seen"
SHORT = (
    "a {size} {one} {word} a {other}",
    "there is a {size} {one} {word} a {other}",
    "the {one} is {word} the {other}",
    "a {size} {one} and a {other}",
)
"""Few words for two things."""
HALF = 5_000
"""Pictures of each side of a distance."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(RUNS))
    parser.add_argument("data", nargs="?", default="")
    parser.add_argument("--recipe", default="flow")
    parser.add_argument("--time-limit", type=float, default=0.0, help="seconds of training; 0: as the aim says")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--rows", type=int, default=0, help="texts that are drawn; 0: as the aim says")
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--guidance-from", type=float, nargs="+", default=[0.0], help="part of the way without it")
    parser.add_argument("--guidance-until", type=float, nargs="+", default=[0.5], help="part of the way where it ends")
    parser.add_argument("--draw-steps", type=int, default=20, help="steps from noise to picture")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe")
    parser.add_argument("--short", type=int, default=0, help="of scenes: texts of few words, of each form")
    parser.add_argument("--keep", default="", help="folder for the models")
    parser.add_argument("--sheet", default="", help="folder for sheets of what was drawn")
    parser.add_argument(
        "--teach", type=int, default=10_000, help="of fashion: drawn pictures that a classifier learns from; 0: none"
    )
    parser.add_argument("--peer", default="", help="of fashion: an interpreter that has pythae")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds:
            RUNS[args.what](args, seed, Path(args.keep or folder))


def learned(args: argparse.Namespace, data: Any, out: Path, seed: int, limit_s: float, recipe: str = "") -> Any:
    """The model of a directory, trained now unless it is there."""
    from tuwen import load, train

    if not (out / "weights.safetensors").is_file():
        began, settings = time.monotonic(), [f"train.threads={args.threads}", f"data.cache={out.parent}/cache"]
        if not recipe:
            settings += args.set
        steps = 0 if recipe else args.steps
        train(
            data, out=out, recipe=recipe or args.recipe, seed=seed, steps=steps, time_limit_s=limit_s, settings=settings
        )
        print(
            f"{recipe or args.recipe}, seed {seed}: {time.monotonic() - began:.0f} s of {args.threads} threads",
            flush=True,
        )
    return load(out)


def ways(args: argparse.Namespace, model: Any) -> list[dict[str, float]]:
    """Options of `draw` that are tried: one for each guidance and part of the way, and of a model that has none, none."""
    from tuwen.task._pictures import maker, route_from

    part = maker(model, route_from(model, "image", {"text"}))
    if not hasattr(part, "ways"):
        return [{}]
    if not hasattr(part, "velocity"):
        return [{"guidance": guidance} for guidance in args.guidance]
    parts = list(itertools.product(args.guidance_from, args.guidance_until))
    return [
        {"guidance": guidance, "guidance_from": begin, "guidance_until": until, "steps": args.draw_steps}
        for guidance in args.guidance
        for begin, until in parts[: None if guidance > 1 else 1]
    ]


def drawn(model: Any, texts: Sequence[str], way: dict[str, Any]) -> tuple[list[np.ndarray], float]:
    """A picture of each text, each from its own noise, and the seconds of each."""
    from tuwen.task import draw

    began = time.monotonic()
    answers = draw.run(model, [draw.Request(text=text, seed=place, **way) for place, text in enumerate(texts)])
    return [answer.pictures[0] for answer in answers], (time.monotonic() - began) / len(texts)


def keep_sheet(args: argparse.Namespace, name: str, pictures: Sequence[np.ndarray]) -> None:
    """The first pictures as one."""
    from tuwen.task._pictures import image, sheet

    if args.sheet:
        Path(args.sheet).mkdir(parents=True, exist_ok=True)
        image(sheet(list(pictures[:48]))).save(Path(args.sheet) / f"{name}.png")


def told(way: dict[str, Any]) -> str:
    led = way.get("guidance", 0) > 1 and "guidance_until" in way
    part = f" from {way['guidance_from']:g} until {way['guidance_until']:g}" if led else ""
    return f"{way['guidance']:g}{part}" if way else ""


# -- scenes ------------------------------------------------------------------------------------------------------------


def scenes(args: argparse.Namespace, seed: int, folder: Path) -> None:
    from tuwen import open_data
    from tuwen.judge._rates import Rates
    from tuwen.judge.drawings import see
    from tuwen.metric import prompt_truth

    model = learned(args, "scenes", folder / f"{args.recipe}-{seed}", seed, args.time_limit or 2400.0)
    rows = one_new_thing(max(20, (args.rows or 600) // 4)) + list(open_data("scenes").split("val"))
    rows = rows[: (args.rows or 600)]
    texts, worlds = [row.fields["text"][0] for row in rows], [row.fields["scene"] for row in rows]
    names = ("prompt_truth", "drawn_shape_colour", *(f"drawn_exact_{group}" for group in ("1", "2", "3", "unseen")))
    print("| recipe | seed | guidance | s/picture | " + " | ".join(names) + " |\n" + "|---" * (4 + len(names)) + "|")
    for way in ways(args, model):
        pictures, took_s = drawn(model, texts, way)
        seen = [see(picture) for picture in pictures]
        counted = np.stack([prompt_truth.counted(one, world) for one, world in zip(seen, worlds, strict=True)])
        rates = Rates(rows_NM=counted, of=prompt_truth.figures)
        between = rates.intervals()
        shown = [(rates.figures[name], *between[name]) if name in between else () for name in names]
        cells = ["{:.3f} ({:.3f} to {:.3f})".format(*one) if one else "" for one in shown]
        print(f"| {args.recipe} | {seed} | {told(way)} | {took_s:.3f} | " + " | ".join(cells) + " |", flush=True)
        for line in prompt_truth.table(counted.sum(0)):
            print("   ", {name: round(value, 3) if isinstance(value, float) else value for name, value in line.items()})
        keep_sheet(args, f"scenes-{args.recipe}-{seed}-{told(way)}", pictures[-48:])
        if args.short:
            print("| text | guidance | both are there | and stand so | and more than two |\n" + "|---" * 5 + "|")
            in_few_words(args, seed, model, way)


def in_few_words(args: argparse.Namespace, seed: int, model: Any, way: dict[str, Any]) -> None:
    """Both things of a short text, of pairs that training shows, and how they stand to each other."""
    from tuwen.data._scene_language import OPPOSITE
    from tuwen.data._scene_world import COLOURS, SHAPES, SIZES, UNSEEN, holds
    from tuwen.judge.drawings import see

    rng = np.random.default_rng(0)
    known = [pair for pair in itertools.product(SHAPES, COLOURS) if pair not in UNSEEN]
    for form in SHORT:
        asked = []
        for _ in range(args.short):
            one, other = (known[i] for i in rng.choice(len(known), 2, replace=False))
            asked.append(
                (one, other, str(rng.choice(["left of", "right of", "above", "below"])), str(rng.choice(SIZES)))
            )
        texts = [
            form.format(size=size, one=f"{one[1]} {one[0]}", other=f"{other[1]} {other[0]}", word=word)
            for one, other, word, size in asked
        ]
        pictures, _ = drawn(model, texts, way)
        both, right, more = 0, 0, 0
        for picture, (one, other, word, _) in zip(pictures, asked, strict=True):
            things = see(picture)
            seen = {(thing.shape, thing.colour): thing for thing in things}
            if one in seen and other in seen:
                pair = (word, seen[one], seen[other]) if word in OPPOSITE else (back(word), seen[other], seen[one])
                both, more = both + 1, more + (len(things) > 2)
                right += "{word}" not in form or holds(*pair)
        shares = " | ".join(f"{count / args.short:.3f}" for count in (both, right, more))
        print(f"| {form} | {told(way)} | {shares} |", flush=True)
        keep_sheet(args, f"scenes-{args.recipe}-{seed}-{told(way)}-short-{SHORT.index(form)}", pictures)


def back(word: str) -> str:
    """'left of' of 'right of'."""
    from tuwen.data._scene_language import OPPOSITE

    return next(other for other, opposite in OPPOSITE.items() if opposite == word)


def one_new_thing(num: int) -> list[Any]:
    """Rows with one thing, of a shape and colour that never met in training."""
    from tuwen.data._scene_world import UNSEEN
    from tuwen.data.scenes import draw_one

    found: list[Any] = []
    for place in range(100 * num):
        row = draw_one(9, "test", place)
        [first, *others] = row.fields["scene"]["things"]
        if not others and (first["shape"], first["colour"]) in UNSEEN:
            found.append(row)
        if len(found) == num:
            break
    return found


# -- classes -----------------------------------------------------------------------------------------------------------


@dataclass
class Eye:
    """A classifier, and its features of real pictures."""

    own: Any
    real_ND: np.ndarray

    def figures(self, pictures: Sequence[np.ndarray], labels: Sequence[str] = ()) -> list[str]:
        """Share taken for their label, distance, precision and recall."""
        from tuwen.metric.fid import frechet
        from tuwen.metric.sample_precision import overlap

        point_ND, named = look(self.own, pictures)
        right = f"{np.mean([a == b for a, b in zip(named, labels, strict=True)]):.4f}" if labels else ""
        found = overlap(self.real_ND, point_ND).columns()
        shares = [float(np.mean(found[f"sample_{name}"])) for name in ("precision", "recall")]
        return [right, f"{frechet(self.real_ND, point_ND).value:.3f}", *(f"{share:.3f}" for share in shares)]


def fashion(args: argparse.Namespace, seed: int, folder: Path) -> None:
    from tuwen.judge._eyes import Own

    parts = fashion_parts()
    limit_s = args.time_limit or 900.0
    judge = learned(
        args, dataset(parts, {"train": "judge", "val": "judge_val"}), folder / "judge", 0, 400.0, "classifier"
    )
    model = learned(
        args, dataset(parts, {"train": "train", "val": "val"}), folder / f"{args.recipe}-{seed}", seed, limit_s
    )
    num = min(args.rows or HALF, HALF)
    real, other = parts["test"][:num], parts["test"][HALF : HALF + num]
    own = Own(judge)
    eye = Eye(own, look(own, [row.fields["image"] for row in real])[0])
    labels = [row.fields["label"] for row in real]
    print(
        "| system | guidance | s/picture | taken for what was asked | FID | precision | recall |\n" + "|---" * 7 + "|"
    )
    cells = eye.figures([row.fields["image"] for row in other], [row.fields["label"] for row in other])
    print(f"| other real pictures | | | {' | '.join(cells)} |", flush=True)
    for way in ways(args, model):
        pictures, took_s = drawn(model, [row.fields["text"][0] for row in real], way)
        cells = eye.figures(pictures, labels)
        print(f"| {args.recipe}, seed {seed} | {told(way)} | {took_s:.4f} | {' | '.join(cells)} |", flush=True)
        order = np.argsort(np.array(labels), kind="stable")[:: max(1, num // 48)]
        keep_sheet(args, f"fashion-{args.recipe}-{seed}-{told(way)}", [pictures[i] for i in order])
    for name, pictures in peers(args, parts, limit_s, num):
        print(f"| {name} | | | {' | '.join(eye.figures(pictures))} |", flush=True)
        keep_sheet(args, f"fashion-{name}", pictures)
    if asked := [row for _, row in zip(range(args.teach), itertools.cycle(parts["test"]), strict=False)]:
        # Guidance draws what is typical; a classifier learns from what differs.
        way = {**ways(args, model)[0], "guidance": 1.0} if ways(args, model)[0] else {}
        pictures, _ = drawn(model, [row.fields["text"][0] for row in asked], way)
        right = of_drawn(args, pictures, parts, asked)
        print(f"a classifier that learned from {len(pictures)} drawn pictures alone: {right:.4f} of real ones")


def fashion_parts() -> dict[str, list[Any]]:
    from recognition import FASHION as CLASSES
    from recognition import place

    from tuwen import open_data
    from tuwen.data._config import Data

    left = iter(open_data(place("fashion_mnist"), Data(classes=CLASSES)))
    return {name: [row for row, _ in zip(left, range(size), strict=False)] for name, size in FASHION.items()}


def dataset(parts: dict[str, list[Any]], splits: dict[str, str]) -> Any:
    from dataclasses import replace

    from tuwen.data._dataset import Dataset

    rows = [replace(row, split=split) for split, name in splits.items() for row in parts[name]]
    return Dataset(rows, name="fashion", sides=[row.split for row in rows])


def look(own: Any, images: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """(N, D) features and the class of each."""
    from tuwen.judge._eyes import real

    glances = [own.look([real(one, 28) for one in images[at : at + 256]]) for at in range(0, len(images), 256)]
    return np.concatenate([one.feature_ND for one in glances]), [name for one in glances for name in one.named]


def of_drawn(
    args: argparse.Namespace, pictures: Sequence[np.ndarray], parts: dict[str, list[Any]], asked: Any
) -> float:
    """Share of real pictures that a classifier names which has seen drawn ones only."""
    from dataclasses import replace

    from tuwen.judge._eyes import Own

    rows = [replace(row, fields={**row.fields, "image": one}) for row, one in zip(asked, pictures, strict=True)]
    made = {"train": rows[: -len(rows) // 10], "val": rows[-len(rows) // 10 :]}
    with tempfile.TemporaryDirectory() as folder:
        model = learned(
            args, dataset(made, {"train": "train", "val": "val"}), Path(folder) / "one", 0, 200.0, "classifier"
        )
    real = parts["judge"][:5000]
    _, named = look(Own(model), [row.fields["image"] for row in real])
    return float(np.mean([name == row.fields["label"] for name, row in zip(named, real, strict=True)]))


def peers(args: argparse.Namespace, parts: dict[str, list[Any]], limit_s: float, num: int) -> Iterable[tuple[str, Any]]:
    """Pictures of other systems, made in a process of their own."""
    import subprocess

    from tuwen.judge._eyes import real

    if not args.peer:
        return
    with tempfile.TemporaryDirectory() as folder:
        pixels = np.stack([real(row.fields["image"], 28)[:, :, 0] for row in parts["train"]])
        np.save(f"{folder}/train.npy", pixels)
        script = Path(__file__).with_name("_pythae_samples.py")
        for kind in ("vae", "vqvae"):
            command = [args.peer, script, kind, folder, str(limit_s), str(num), str(args.threads)]
            subprocess.run(list(map(str, command)), check=True)
            yield f"pythae {kind}", list(np.load(f"{folder}/{kind}.npy")[..., None])


# -- names -------------------------------------------------------------------------------------------------------------


def emoji(args: argparse.Namespace, seed: int, folder: Path) -> None:
    from tuwen import open_data
    from tuwen.embedder import Own
    from tuwen.metric.r_precision import hits

    if not args.data:
        raise SystemExit("drawing.py emoji needs the folder of the pictures: OUT/emoji of benchmarks/convert_data.py")
    parts: dict[str, list[Any]] = {"train": [], "val": [], OTHER_TONE: [], NEVER: []}
    for row in open_data(args.data):
        parts[part_of(row)].append(row)
    model = learned(
        args,
        dataset(parts, {"train": "train", "val": "val"}),
        folder / f"{args.recipe}-{seed}",
        seed,
        args.time_limit or 3600.0,
    )
    every = {"train": [row for some in parts.values() for row in some], "val": parts["val"]}
    judge = Own(learned(args, dataset(every, {"train": "train", "val": "val"}), folder / "judge", 0, 600.0, "clip"))
    print(f"{len(parts['train'])} pictures to learn from; among 20 names the own one fits best:")
    print("| recipe | seed | guidance | names | number | drawn | real | chance |\n" + "|---" * 8 + "|")
    for way in ways(args, model):
        for name in (OTHER_TONE, NEVER):
            some = parts[name][: args.rows or None]
            texts = [row.fields["text"][0] for row in some]
            pictures, _ = drawn(model, texts, way)
            own = {text: place for place, text in enumerate(dict.fromkeys(texts))}
            place_N, text_MD = np.array([own[text] for text in texts]), judge.texts(list(own))
            cells = []
            for images in (pictures, [row.fields["image"] for row in some]):
                hit_N = hits(judge.images(images), text_MD, place_N, candidates=20)
                cells.append(f"{hit_N.mean():.3f} +- {hit_N.std() / len(hit_N) ** 0.5:.3f}")
            line = f"{args.recipe} | {seed} | {told(way)} | {name} | {len(some)} | {' | '.join(cells)} | 0.050"
            print(f"| {line} |", flush=True)
            keep_sheet(args, f"emoji-{args.recipe}-{seed}-{told(way)}-{name.split()[0]}", pictures)


def part_of(row: Any) -> str:
    """A tenth of all names is never seen, in no tone; of the others a tenth of those with a tone; a few rows validate."""
    place = share(row.fields["base_name"]), share(row.fields["text"][0])
    if place[0] < 0.1:
        return NEVER
    if row.fields.get("tone") and place[1] < 0.1:
        return OTHER_TONE
    return "val" if place[1] > 0.96 else "train"


def share(text: str) -> float:
    """A number from 0 to 1 that is always the same for a text."""
    return int(blake2b(text.encode(), digest_size=8).hexdigest(), 16) / 2**64


RUNS = {"scenes": scenes, "fashion": fashion, "emoji": emoji}

if __name__ == "__main__":
    main()
