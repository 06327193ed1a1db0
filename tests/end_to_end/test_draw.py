"""`tuwen draw`: one picture, a sheet of several, the same again."""

import base64
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests import autoencoders, eight

import tuwen
from tuwen.cli import main


def test_a_sheet_with_what_is_known_of_it(tmp_path):
    folder = autoencoders.directory("vae")
    done = eight.tuwen("draw", folder, "-n", "4", "--seed", "7", "-o", tmp_path / "new" / "a.png")
    assert done.returncode == 0 and done.stdout.strip() == "4 pictures of 16 x 16 pixels, seed 7", done.stderr
    image = Image.open(tmp_path / "new" / "a.png")
    assert image.size == (36, 36) and image.text == {"text": "", "model": str(folder), "seed": "7"}
    wanted = tuwen.load(folder).draw(num=4, seed=7).pictures
    assert np.array_equal(np.asarray(image)[:16, :16], wanted[0][:, :, 0])


@pytest.fixture
def asked(capsys):
    """The command line in this process, which is faster."""

    def ask(*arguments):
        status = main([str(argument) for argument in arguments])
        return SimpleNamespace(returncode=status, **capsys.readouterr()._asdict())

    return ask


def test_json_needs_no_file(asked):
    done = asked("draw", autoencoders.directory("vae"), "--json")
    row = json.loads(done.out)
    assert Image.open(io.BytesIO(base64.b64decode(row["pictures"][0]))).size == (16, 16) and row["seed"] == 0


def test_without_a_place_to_go(asked):
    done = asked("draw", autoencoders.directory("vae"))
    assert done.returncode == 2
    assert (
        "this verb draws a picture; say where it goes with -o FILE.png (or .jpg, .webp), or take it from --json"
        in done.err
    )


def test_a_file_that_is_no_picture(tmp_path, asked):
    done = asked("draw", autoencoders.directory("vae"), "-o", tmp_path / "a.csv")
    assert done.returncode == 2 and "a.csv is no picture; say where it goes" in done.err
