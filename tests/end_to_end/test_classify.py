"""`tuwen train -r classifier` and `tuwen classify`: the same answers by the command line and by Python; and it learns."""

import csv
import json
import random

import numpy as np
import pytest
from PIL import Image
from tests import eight

import tuwen
from tuwen import cli
from tuwen.train.loop import train

SETTINGS = (
    "encode.image=image_cnn", "encode.image.size=16", "encode.image.stem=8", "encode.image.widths=8,16",
    "space.image.width=16", "decode.label.dropout=0", "train.batch=16", "train.lr=1e-2", "train.ema=0",
    "train.precision=float32", "train.threads=1", "train.evaluations=2",
)  # fmt: skip
KINDS = ("red", "green", "blue", "yellow")


def rows(number):
    """(label, noisy picture of that colour), `number` of each."""
    draw = np.random.default_rng(number)
    for i in range(number * len(KINDS)):
        kind = KINDS[i % len(KINDS)]
        noise = draw.normal(eight.COLOURS[kind], 40, (16, 16, 3))
        yield kind, noise.clip(0, 255).astype(np.uint8)


def written(folder, number=6):
    """One folder a class."""
    paths = []
    for i, (kind, picture) in enumerate(rows(number)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        paths.append(folder / kind / f"{i}.png")
        Image.fromarray(picture).save(paths[-1])
    return sorted(paths)


def run(*arguments):
    assert cli.main([str(one) for one in arguments]) == 0


def test_folders_are_classes_from_training_to_a_table(tmp_path, capsys):
    """By chance one of four."""
    paths, model = written(tmp_path / "photos"), tmp_path / "model"
    settings = [part for one in (*SETTINGS, "data.test=0", f"data.cache={tmp_path}/cache") for part in ("--set", one)]
    run("train", tmp_path / "photos", "-o", model, "-r", "classifier", "--steps", 60, "--seed", 0, *settings, "--json")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["figures"]["accuracy"] >= 0.75
    [*_, looked] = [event for event in events if event["kind"] == "evaluation"]
    assert looked["samples"][0].keys() == {"key", "label", "named", "probability"}

    run("classify", model, tmp_path / "photos", "--json")
    said = {row["image"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    right = [said[str(path)]["label"] == path.parent.name for path in paths]
    assert np.mean(right) >= 0.9
    answers = tuwen.load(model).classify([str(path) for path in paths])
    assert [answer.label for answer in answers] == [said[str(path)]["label"] for path in paths]

    table = tmp_path / "classes.csv"
    run("classify", model, tmp_path / "photos", "-o", table)
    run("classify", model, tmp_path / "photos", "-o", table)
    assert f"0 written, {len(paths)} were there already" in capsys.readouterr().err
    with table.open(encoding="utf-8-sig") as file:
        assert {row["image"]: row["label"] for row in csv.DictReader(file)} == {
            path: row["label"] for path, row in said.items()
        }

    report = tmp_path / "report.json"
    run("evaluate", model, tmp_path / "photos", "--split", "train", "-o", report)
    found = json.loads(report.read_text())
    assert found["figures"]["accuracy"] >= 0.9 > found["chance"]["accuracy"] and "accuracy" in found["intervals"]
    assert [row["label"] for row in found["tables"]["classes"]] == sorted(KINDS)
    assert "accuracy" in capsys.readouterr().out


def held_out_accuracy(tmp_path, shuffled):
    train_rows = [{"image": picture, "label": kind, "split": "train"} for kind, picture in rows(8)]
    if shuffled:
        labels = [row["label"] for row in train_rows]
        random.Random(0).shuffle(labels)
        train_rows = [{**row, "label": label} for row, label in zip(train_rows, labels, strict=True)]
    data = train_rows + [{"image": picture, "label": kind, "split": "val"} for kind, picture in rows(20)]
    out, last = tmp_path / f"model-{shuffled}", {}
    train(
        tuwen.open_data(data), out=out, recipe="classifier", settings=[*SETTINGS, f"data.cache={tmp_path}/cache"],
        steps=60, seed=0, report=last.update,
    )  # fmt: skip
    return last["figures"]["accuracy"]


def test_it_learns_from_labels_and_nothing_from_shuffled_ones(tmp_path):
    """Of 80 held-out pictures of four colours; by chance 1/4, 95 % of guesses between 0.16 and 0.35."""
    assert held_out_accuracy(tmp_path, False) >= 0.9
    assert held_out_accuracy(tmp_path, True) <= 0.5


def test_several_labels_a_row(tmp_path):
    """Colour, and light or not: by chance 1/4 and 1/2 of the rows have a label."""
    light = {"yellow": "light", "green": "light", "red": "dark", "blue": "dark"}
    data = [
        {"image": picture, "label": f"{kind}|{light[kind]}", "split": ("train", "val")[i % 3 == 0]}
        for i, (kind, picture) in enumerate(rows(9))
    ]
    last = {}
    train(
        tuwen.open_data(data), out=tmp_path / "m", recipe="classifier",
        settings=[*SETTINGS, f"data.cache={tmp_path}/cache"], steps=60, seed=0, report=last.update,
    )  # fmt: skip
    assert last["figures"]["average_precision"] >= 0.9
    model = tuwen.load(tmp_path / "m")
    assert model.decoders["label"].several and sorted(model.decoders["label"].classes) == sorted(
        {*KINDS, "light", "dark"}
    )
    kind, picture = next(rows(3))
    assert {one.label for one in model.classify(picture, top=2).classes} == {kind, light[kind]}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([None, None], "recipe 'classifier' needs the field 'label'; rows has: image"),
        (["a", "a"], "the training part has only 'a' as label; there is nothing to tell apart"),
    ],
)
def test_data_that_it_cannot_learn_from(labels, message, tmp_path):
    pictures = [picture for _, picture in rows(1)]
    data = [{"image": p, "label": one, "split": "train"} for p, one in zip(pictures, labels, strict=False)]
    with pytest.raises(tuwen.errors.DataError) as caught:
        train(tuwen.open_data(data), out=tmp_path / "m", recipe="classifier", settings=SETTINGS)
    assert message in str(caught.value)
