"""Pictures and texts through one space: from themselves and from each other, against the nearest neighbour.

    python benchmarks/multimodal_autoencoder.py DATA [--rows 2000] [--seeds 0] [--steps 1000] [--threads 2]
        [--split val ...] [--missing 0.5] [--method mbr] [--set train.lr=1e-3 ...] [--keep FOLDER] [--sheet made.png]

DATA: pictures with captions, such as scenes or OUT/emoji of `benchmarks/convert_data.py`. Recipe
`multimodal-autoencoder` is trained three times for each seed, for as many steps: on all rows (complete), with a share of the texts
taken away (some missing), and on only those rows that kept theirs (pairs alone). Of several seeds the models of `complete` also say
together what a picture shows (`tuwen.ensemble`).

Four ways are judged, on the rows of a part of the data, of several captions with the longest. The neighbour of a row is the
training row of `complete` whose picture is nearest in pixels, or whose text is nearest by TF-IDF; it gives its own picture or
text. A text counts by CIDEr and ROUGE-L against all captions of the row, and in drawn scenes by the share of its statements that are
true; a picture by the squared error of a pixel (0 to 1, less is better) and by structural similarity. Behind each figure stands its
standard error over the rows. Differences are paired by row (the mean over seeds of a row is one number), positive where
the first is the better; `of se` is how many of their standard errors that is.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

RUNS = ("complete", "some missing", "pairs alone")
PAIRS = (
    ("complete", "neighbour"),
    ("together", "neighbour"),
    ("some missing", "complete"),
    ("some missing", "pairs alone"),
)
"""Whose figures are compared, row by row."""
LESS = ("mse",)
"""Figures of which the smaller is the better."""

Scores = dict[tuple[str, str], np.ndarray]
"""(way, figure) -> (N,) of each row."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--rows", type=int, default=0, help="the first training rows only; 0: all")
    parser.add_argument("--split", nargs="+", default=["val"], help="parts whose rows are judged")
    parser.add_argument("--judged", type=int, default=0, help="the first rows of that part only; 0: all")
    parser.add_argument("--missing", type=float, default=0.5, help="share of the texts that is taken away")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS)
    parser.add_argument("--steps", type=int, default=0, help="of each training; 0: as many as the recipe says")
    parser.add_argument("--time-limit", type=float, default=0.0, help="seconds of each training; 0: none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--method", default="beam", help="how texts are written, as `tuwen reconstruct` takes it")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe")
    parser.add_argument(
        "--keep", default="", help="folder for the models; one that is there already is not trained again"
    )
    parser.add_argument("--sheet", default="", help="PNG file for some of what `complete` made")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(args, Path(args.keep or folder))


def compare(args: argparse.Namespace, folder: Path) -> None:
    """Trains, judges and prints."""
    data = opened(args)
    train, rows = list(data.split("train")), told(row for name in args.split for row in data.split(name))
    rows = rows[: args.judged or None]
    print(f"{data.name}: {len(train)} rows to learn from, {len(rows)} to judge ({' and '.join(args.split)})\n")
    found: dict[str, list[Scores]] = {name: [] for name in args.runs}
    whole: list[Any] = []
    print("| run | seed | trained s | steps |\n|---|---|---|---|", flush=True)
    for seed in args.seeds:
        for name in args.runs:
            out = folder / f"{name.replace(' ', '-')}-seed{seed}"
            model, took_s, steps = learned(args, part(data, name, args.missing), out, seed)
            print(f"| {name} | {seed} | {took_s:.0f} | {steps} |", flush=True)
            made = made_by(model, rows, args)
            found[name].append(judged(made, rows, model))
            whole += [model] if name == "complete" else []
            if args.sheet and name == "complete":
                draw(made, rows, model, args.sheet)
    neighbour = judged(neighbours(told(train), rows, model), rows, model)
    means = {name: mean(scores) for name, scores in found.items()}
    if len(whole) > 1:
        means["together"] = judged({"image -> text": said_together(whole, rows, args)}, rows, model)
    show({"neighbour": neighbour, **means})


# -- data and training -------------------------------------------------------------------------------------------------


def opened(args: argparse.Namespace) -> Any:
    """The data with the sides written into its rows, so that they stay where they are when rows are taken away."""
    from tuwen import open_data
    from tuwen.data._dataset import Dataset

    data = open_data(args.data)
    train = list(data.split("train"))[: args.rows or None]
    return Dataset([*train, *data.split("val"), *data.split("test")], name=data.name, options=data.options)


def told(rows: Any) -> list[Any]:
    """Rows with both sides."""
    return [one for one in rows if one.fields.get("image") is not None and one.fields.get("text")]


def part(data: Any, name: str, missing: float) -> Any:
    """The data of a run: as it is, or with a share of the training texts taken away, with or without their pictures."""
    from tuwen.data._dataset import Dataset

    def loses(one: Any) -> bool:
        place = int(blake2b(one.key.encode(), digest_size=8).hexdigest(), 16) / 2**64
        return name != "complete" and one.split == "train" and place < missing

    if name == "pairs alone":
        rows = [one for one in data if not loses(one)]
    else:
        rows = [replace(one, fields={**one.fields, "text": []}) if loses(one) else one for one in data]
    return Dataset(rows, name=data.name, options=data.options)


def learned(args: argparse.Namespace, data: Any, out: Path, seed: int) -> tuple[Any, float, int]:
    """The model of a run, the seconds of training and its steps; of one that was kept, none."""
    from tuwen import load, train

    if (out / "weights.safetensors").is_file():
        return load(out), 0.0, 0
    done: dict[str, Any] = {}
    settings = [f"train.threads={args.threads}", f"data.cache={out.parent}/cache", "train.evaluate_rows=100", *args.set]
    began = time.monotonic()
    train(
        data,
        out=out,
        recipe="multimodal-autoencoder",
        seed=seed,
        steps=args.steps,
        time_limit_s=args.time_limit,
        settings=settings,
        report=done.update,
    )
    return load(out), time.monotonic() - began, done["step"]


# -- what is made ------------------------------------------------------------------------------------------------------


def detailed(row: Any) -> str:
    """The longest caption."""
    return max(row.fields["text"], key=len)


def made_by(model: Any, rows: list[Any], args: argparse.Namespace) -> dict[str, list[Any]]:
    """Way -> what the model makes of each row: pictures as it draws them, and texts."""
    from tuwen.task.reconstruct import Request, run

    given = {
        "image": [{"image": one.fields["image"]} for one in rows],
        "text": [{"text": detailed(one)} for one in rows],
    }
    made = {}
    for source, values in given.items():
        for target in ("image", "text"):
            answers = run(
                model, [Request(**value, make=target, method=args.method, beam=args.beam) for value in values]
            )
            made[f"{source} -> {target}"] = [one.made if target == "image" else one.text for one in answers]
    return made


def said_together(models: list[Any], rows: list[Any], args: argparse.Namespace) -> list[str]:
    """What the models of all seeds, as one, say of each picture."""
    from tuwen.ensemble import Ensemble
    from tuwen.task.caption import Request, run

    asked = [Request(image=one.fields["image"], method=args.method, beam=args.beam) for one in rows]
    return [answer.caption for answer in run(Ensemble(models), asked)]


def neighbours(train: list[Any], rows: list[Any], model: Any) -> dict[str, list[Any]]:
    """Way -> picture or text of the training row that is nearest by what is given."""
    nearest = {"image": by_pixels(train, rows, model), "text": by_words(train, rows)}
    made = {}
    for source, (place_N, said) in nearest.items():
        made[f"{source} -> image"] = list(bytes_of(model, [train[i] for i in place_N]).transpose(0, 2, 3, 1))
        made[f"{source} -> text"] = said
    return made


def by_pixels(train: list[Any], rows: list[Any], model: Any) -> tuple[Any, list[str]]:
    """The nearest training row of each row by the squared error of its picture, and a caption of it."""
    known_MP, asked_NP = (
        bytes_of(model, some).reshape(len(some), -1).astype(np.float32) / 255 for some in (train, rows)
    )
    length_M = (known_MP**2).sum(1)
    place_N = np.array([(length_M - 2 * known_MP @ one_P).argmin() for one_P in asked_NP])
    return place_N, [detailed(train[i]) for i in place_N]


def by_words(train: list[Any], rows: list[Any]) -> tuple[Any, list[str]]:
    """The training row of the text that is nearest to the longest of each row, and that text."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [(text, i) for i, one in enumerate(train) for text in one.fields["text"]]
    vectors = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True)
    known = vectors.fit_transform([text for text, _ in texts])
    alike = vectors.transform([detailed(one) for one in rows]) @ known.T
    best_N = np.asarray(alike.argmax(1)).ravel()
    return np.array([texts[i][1] for i in best_N]), [texts[i][0] for i in best_N]


def bytes_of(model: Any, rows: list[Any]) -> np.ndarray:
    """(N, C, side, side) uint8, as the decoder is to make them."""
    return model.decoders["image"].prepare([one.fields["image"] for one in rows])[0].numpy()  # type: ignore[no-any-return]


# -- figures -----------------------------------------------------------------------------------------------------------


def judged(made: dict[str, list[Any]], rows: list[Any], model: Any) -> Scores:
    """Every figure of every way, of each row."""
    import torch

    from tuwen.metric.reconstruction import errors

    found: Scores = {}
    target = torch.from_numpy(bytes_of(model, rows)).float() / 255
    for way, values in made.items():
        if way.endswith("text"):
            found |= {(way, name): each for name, each in of_texts(values, rows).items()}
            continue
        drawn = torch.from_numpy(np.stack(values)).permute(0, 3, 1, 2).float() / 255
        each = errors(drawn, target)
        found |= {(way, name): each[name].numpy() for name in ("mse", "ssim")}
    return found


def of_texts(texts: list[str], rows: list[Any]) -> dict[str, np.ndarray]:
    """Against all captions of each row; in drawn scenes also against what is to be seen."""
    from tuwen.metric import cider, rouge
    from tuwen.metric._captions import prepare

    kept = prepare(texts, [one.fields["text"] for one in rows])
    found = {"cider": np.array(cider.Cider(kept).per_item()), "rouge_l": np.array(rouge.Rouge(kept).per_item())}
    if all("scene" in one.fields for one in rows):
        found["truth"] = np.array([truth(text, one.fields["scene"]) for text, one in zip(texts, rows, strict=True)])
    return found


def truth(text: str, scene: Any) -> float:
    """Share of the statements of a text that are true; 0 for one that says nothing."""
    from tuwen.metric import statement_truth

    metric = statement_truth.Config().build()
    metric.update([text], [scene])
    return float(metric.result()["statement_truth"])


def mean(scores: list[Scores]) -> Scores:
    """Of each row over the seeds."""
    return {key: np.mean([one[key] for one in scores], 0) for key in scores[0]}


# -- the table ---------------------------------------------------------------------------------------------------------


def show(found: dict[str, Scores]) -> None:
    """Figures of all, then the differences that matter."""
    first = found["neighbour"]
    print("\n| way | figure | " + " | ".join(found) + " |\n" + "|---" * (2 + len(found)) + "|")
    for way, name in first:
        cells = [with_error(scores[way, name]) if (way, name) in scores else "" for scores in found.values()]
        print(f"| {way} | {name} | " + " | ".join(cells) + " |")
    print("\n| difference | way | figure | mean | of se | share |\n|---|---|---|---|---|---|")
    for one, other in PAIRS:
        for key in first:
            if key in found.get(one, ()) and key in found.get(other, ()):
                cells = difference(found[one][key], found[other][key], key[1])
                print(f"| {one} - {other} | {key[0]} | {key[1]} | {cells} |")
    print("\nshare: the difference as a share of the second's figure")


def with_error(each_N: np.ndarray) -> str:
    return f"{each_N.mean():.4g} +- {error(each_N):.2g}"


def error(each_N: np.ndarray) -> float:
    """Standard error of the mean."""
    return float(each_N.std(ddof=1) / len(each_N) ** 0.5)


def difference(one_N: np.ndarray, other_N: np.ndarray, name: str) -> str:
    """Mean with standard error, how many of them it is, and its share of the other's."""
    better_N = other_N - one_N if name in LESS else one_N - other_N
    times = better_N.mean() / max(error(better_N), 1e-12)
    return f"{with_error(better_N)} | {times:+.1f} | {better_N.mean() / abs(other_N.mean()):+.1%}"


def draw(made: dict[str, list[Any]], rows: list[Any], model: Any, path: str, num: int = 12) -> None:
    """A picture a line: what it is, from itself, from its text; and prints the texts beside it."""
    from PIL import Image

    step = max(1, len(rows) // num)
    chosen = list(range(0, len(rows), step))[:num]
    real = bytes_of(model, rows).transpose(0, 2, 3, 1)
    tiles = [np.vstack([real[i], made["image -> image"][i], made["text -> image"][i]]) for i in chosen]
    Image.fromarray(np.hstack(tiles).squeeze()).save(path)
    for i in chosen:
        said = [detailed(rows[i]), made["text -> text"][i], made["image -> text"][i]]
        print(f"  {' | '.join(said)}")
    print(flush=True)


if __name__ == "__main__":
    main()
