"""`show-attend-tell`: learns eight pictures by heart, and draws where it looked for each word."""

import json

import pytest
from PIL import Image
from tests import eight

import tuwen
from tuwen import cli
from tuwen.train.loop import train

SETTINGS = (
    "data.val=0", "data.test=0", "encode.image=image_cnn", "encode.image.size=16", "encode.image.stem=8",
    "encode.image.widths=16,32", "space.image.width=32", "decode.text.width=32", "decode.text.embed=32",
    "decode.text.dropout=0", "decode.text.max_tokens=12", "objective.caption.smoothing=0", "train.batch=8",
    "train.lr=1e-2", "train.ema=0", "train.precision=float32", "train.threads=1", "train.metric=loss",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attention")
    eight.write_pictures(folder / "photos")
    settings = [*SETTINGS, f"data.cache={folder}/cache"]
    train(folder / "photos", out=folder / "model", recipe="show-attend-tell", settings=settings, steps=120, seed=0)
    return folder


def test_captions_and_where_it_looked(place):
    """8 of 8 name their colour; by chance one would."""
    model = tuwen.load(place / "model")
    answers = model.caption([str(place / f"photos/{colour}.png") for colour in eight.COLOURS], attention=True)
    assert all(colour in answer.caption for colour, answer in zip(eight.COLOURS, answers, strict=True))
    grid = model.encoders["image"].grid
    for answer in answers:
        assert [look.word for look in answer.attention] == answer.caption.split()
        assert all((len(look.weights), len(look.weights[0])) == grid for look in answer.attention)


def test_a_picture_of_it(place, capsys):
    picture, out = str(place / "photos/red.png"), place / "looked.png"
    assert cli.main(["caption", str(place / "model"), picture, "--attention", "-o", str(out)]) == 0
    assert "red" in capsys.readouterr().out
    with Image.open(out) as drawn:
        assert drawn.format == "PNG" and drawn.size[0] > 2 * 160  # the picture and a few words


def test_the_maps_as_json(place, capsys):
    assert cli.main(["caption", str(place / "model"), str(place / "photos/red.png"), "--attention", "--json"]) == 0
    looked = json.loads(capsys.readouterr().out)["attention"]
    assert looked[-1]["word"] and sum(map(sum, looked[0]["weights"])) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["photos/red.png"], "which was not asked for; add --attention, or write captions with -o FILE.csv"),
        (["photos", "--attention"], "but this verb draws one picture at a time and got 8; it can be FILE.csv"),
    ],
)
def test_what_cannot_be_drawn(place, more, message, capsys):
    arguments = [str(place / one) if one.startswith("photos") else one for one in more]
    assert cli.main(["caption", str(place / "model"), *arguments, "-o", str(place / "no.png")]) == 2
    assert message in capsys.readouterr().err and not (place / "no.png").exists()


def test_a_verb_that_draws_nothing_says_so(place, capsys):
    arguments = [
        "match",
        str(place / "model"),
        str(place / "photos/red.png"),
        "--text",
        "red",
        "-o",
        str(place / "no.png"),
    ]
    assert cli.main(arguments) == 2
    assert "is a picture, but this verb draws nothing; it can be FILE.csv" in capsys.readouterr().err
