"""A table in which pictures or texts are missing: trained, then asked for the missing side by the command line and by Python."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from tests import eight

import tuwen
from tuwen.cli import main

SETTINGS = (
    "encode.image.stem=8", "encode.image.widths=8,16", "space.image.width=24", "space.text.width=24",
    "decode.image.side=16", "decode.image.widths=16,8", "encode.image.size=16",
    *(f"{part}.text.{one}" for part in ("encode", "decode") for one in ("width=32", "heads=2", "layers=1")),
    "data.val=0", "data.test=0", "train.steps=140", "train.batch=12", "train.lr=5e-3", "train.ema=0",
    "train.precision=float32", "train.threads=1", "train.device=cpu",
)  # fmt: skip
ALONE = {"blue": "picture", "white": "picture", "red": "text", "black": "text"}
"""Colours that have one side in the table; the others have both, in a row each."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Eight colours, a caption a row: two are pictures without a word, two texts without a picture."""
    folder = tmp_path_factory.mktemp("table")
    paths = {path.stem: path for path in eight.write_pictures(folder / "photos", captions=False)}
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "text"])
        for colour, path in paths.items():
            for text in eight.texts(colour):
                table.writerow(
                    ["" if ALONE.get(colour) == "text" else path, "" if ALONE.get(colour) == "picture" else text]
                )
    tuwen.train(
        str(folder / "rows.csv"),
        out=folder / "model",
        recipe="multimodal-autoencoder",
        settings=(*SETTINGS, f"data.cache={folder}/cache"),
    )
    return folder


@pytest.fixture
def asked(capsys):
    """What a command says."""

    def ask(*arguments):
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert status == 0, said.err
        return said.out

    return ask


def test_a_picture_of_a_text(place, asked):
    asked("reconstruct", place / "model", "--text", "a green picture", "-o", place / "green.png")
    wanted = tuwen.load(place / "model").reconstruct(text="a green picture")
    pixels = np.asarray(Image.open(place / "green.png"))
    assert np.array_equal(pixels, wanted.made)
    assert np.abs(pixels.mean((0, 1)) - eight.COLOURS["green"]).max() < 40
    asked("draw", place / "model", "a green picture", "-o", place / "drawn.png")
    assert np.array_equal(np.asarray(Image.open(place / "drawn.png")), pixels)


def test_a_text_of_a_picture(place, asked):
    said = json.loads(asked("reconstruct", place / "model", place / "photos/green.png", "--make", "text", "--json"))
    assert "green" in said["text"] and said["made"] is None
    assert said["text"] == tuwen.load(place / "model").reconstruct(place / "photos/green.png", make="text").text


def test_what_had_one_side_comes_back_from_it(place):
    model = tuwen.load(place / "model")
    for colour in ("blue", "white"):
        mean = model.reconstruct(place / f"photos/{colour}.png").made.mean((0, 1))
        apart = {name: np.abs(mean - rgb).sum() for name, rgb in eight.COLOURS.items()}
        assert min(apart, key=apart.get) == colour
    assert "black" in model.reconstruct(text="a black picture", make="text").text


def test_figures(place, asked):
    asked("evaluate", place / "model", place / "rows.csv", "--split", "train", "-o", place / "report.json")
    report = json.loads((place / "report.json").read_text())
    assert report["figures"]["draw_mse"] < report["chance"]["draw_mse"] / 3
    assert report["figures"]["mse"] < report["chance"]["mse"] / 4 and report["figures"]["repeat"] < 0.7
