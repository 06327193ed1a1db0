"""From pictures without a word to pictures again: trained, asked by the command line and by Python."""

import base64
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests import eight

import tuwen
from tuwen.cli import main

SETTINGS = (
    "encode.image.widths=32,16", "space.image.width=6", "decode.image.hidden=16,32", "data.val=0", "data.test=0",
    "train.steps=150", "train.batch=8", "train.lr=1e-2", "train.precision=float32", "train.threads=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    eight.write_pictures(folder / "photos", captions=False)
    more = (*SETTINGS, f"data.cache={folder}/cache", "train.device=cpu")
    tuwen.train(str(folder / "photos"), out=folder / "model", recipe="dense-autoencoder", settings=more)
    return folder


def read(path):
    return np.asarray(Image.open(path))


def test_the_command_line_writes_what_python_gives(place):
    done = eight.tuwen("reconstruct", place / "model", place / "photos/red.png", "-o", place / "red.png")
    assert done.returncode == 0 and "24 x 24 pixels, squared error " in done.stdout, done.stderr
    wanted = tuwen.load(place / "model").reconstruct(place / "photos/red.png")
    assert np.array_equal(read(place / "red.png"), wanted.made) and wanted.error < 0.02
    assert Image.open(place / "red.png").text["model"] == str(place / "model")


@pytest.fixture
def asked(capsys):
    """The command line in this process, which is faster."""

    def ask(*arguments):
        status = main([str(argument) for argument in arguments])
        return SimpleNamespace(returncode=status, **capsys.readouterr()._asdict())

    return ask


def test_a_folder_becomes_a_folder(place, asked):
    done = asked("reconstruct", place / "model", place / "photos", "-o", f"{place}/again/", "--json")
    assert done.returncode == 0 and json.loads(done.out)["written"] == 8, done.err
    assert sorted(path.name for path in (place / "again").iterdir()) == sorted(f"{c}.png" for c in eight.COLOURS)
    for colour, rgb in eight.COLOURS.items():
        assert np.abs(read(place / f"again/{colour}.png").mean((0, 1)) - rgb).max() < 40


def test_tables_hold_the_errors(place, asked):
    done = asked("reconstruct", place / "model", place / "photos", "-o", place / "errors.csv")
    assert done.returncode == 0, done.err
    lines = (place / "errors.csv").read_text("utf-8-sig").splitlines()
    assert lines[0] == "image,text,error" and len(lines) == 9


def test_json_holds_the_picture(place, asked):
    done = asked("reconstruct", place / "model", place / "photos/red.png", "--json")
    row = json.loads(done.out)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(row["made"]))))
    assert row["image"].endswith("red.png") and pixels.shape == (24, 24, 3) and row["error"] < 0.02


def test_several_do_not_fit_one_file(place, asked):
    done = asked("reconstruct", place / "model", place / "photos", "-o", place / "x.png")
    assert done.returncode == 2 and "draws one picture at a time and got 8" in done.err


def test_nothing_to_reconstruct(place, asked):
    done = asked("reconstruct", place / "model")
    assert done.returncode == 2 and "there is nothing to make something of; give a picture or a text" in done.err


def test_figures_and_report(place, asked):
    done = asked("evaluate", place / "model", place / "photos", "--split", "train", "-o", place / "report.json")
    assert done.returncode == 0, done.err
    report = json.loads((place / "report.json").read_text())
    assert report["figures"]["mse"] < report["chance"]["mse"] / 4 and len(report["rows"]) == 8
