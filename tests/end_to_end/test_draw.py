"""`tuwen draw`: one picture, a sheet of several, the same again; near a picture, of a file of texts; mistakes."""

import base64
import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests import autoencoders, drawing, eight

import tuwen
from tuwen.cli import main
from tuwen.command import _ask, _bulk
from tuwen.task import draw


def test_a_sheet_with_what_is_known_of_it(tmp_path):
    folder = autoencoders.directory("vae")
    done = eight.tuwen("draw", folder, "-n", "4", "--seed", "7", "-o", tmp_path / "new" / "a.png")
    assert done.returncode == 0 and done.stdout.strip() == "4 pictures of 16 x 16 pixels, seed 7", done.stderr
    image = Image.open(tmp_path / "new" / "a.png")
    assert image.size == (36, 36) and image.text == {"text": "", "model": str(folder), "seed": "7", "num": "4"}
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


def test_a_blank_text_is_none_for_a_model_that_learned_without(asked, tmp_path):
    for text, name in (("  ", "blank"), ("", "none")):
        assert asked("draw", autoencoders.directory("vae"), text, "-o", tmp_path / f"{name}.png").returncode == 0
    blank, none = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("blank", "none"))
    assert np.array_equal(blank, none)


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


# -- along a flow -------------------------------------------------------------------------------------------------


@pytest.fixture
def flow(monkeypatch):
    """The tiny flow behind any MODEL, so that no process has to load it."""
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: drawing.flow())
    return "flow"


@pytest.fixture
def pictures(tmp_path):
    """blue.png, half.png (white on the right), narrow.png, texts.csv."""
    Image.fromarray(np.full((24, 24, 3), eight.COLOURS["blue"], np.uint8)).save(tmp_path / "blue.png")
    Image.fromarray(np.uint8([[0, 255]] * 2)).resize((24, 24), 0).save(tmp_path / "half.png")
    Image.fromarray(np.zeros((24, 12), np.uint8)).save(tmp_path / "narrow.png")
    (tmp_path / "texts.csv").write_text("text\n" + "".join(f"a {colour} picture\n" for colour in eight.COLOURS))
    return tmp_path


def test_all_of_it_in_a_process_of_its_own(pictures):
    """A hole filled with what a text says, the best of four by another model; as from Python."""
    out = pictures / "new" / "a.png"
    done = eight.tuwen(
        "draw", drawing.flow_directory(), "a red picture", "--like", pictures / "blue.png", "--mask", pictures / "half.png",
        "--candidates", 4, "--judge", eight.directory(), "--steps", 8, "--seed", 5, "--size", 16, "-o", out, "--json",
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    row, image = json.loads(done.stdout), Image.open(out)
    assert row.keys() == {"out", "seed", "match", "notes"} and len(row["match"]) == 1
    known = {"text": "a red picture", "model": str(drawing.flow_directory()), "seed": "5", "candidates": "4"}
    known |= {"match": str(row["match"][0])}
    assert image.text == {**known, "judge": str(eight.directory()), "steps": "8", "size": "16"}
    answer = drawing.flow().draw(
        "a red picture", like=str(pictures / "blue.png"), mask=str(pictures / "half.png"), candidates=4,
        judge=str(eight.directory()), steps=8, seed=5, size=16,
    )  # fmt: skip
    assert np.array_equal(np.asarray(image), answer.pictures[0])
    assert (np.asarray(image)[:, :8] == eight.COLOURS["blue"]).all()


def test_a_line_of_pictures_between_two_texts(asked, flow, tmp_path):
    done = asked("draw", flow, "a red picture", "--to", "this is blue", "-n", 4, "--steps", 3, "-o", tmp_path / "a.png")
    assert (done.returncode, done.err) == (0, "") and done.out == "4 pictures of 8 x 8 pixels, seed 0\n"
    image = Image.open(tmp_path / "a.png")
    assert image.size == (20, 20) and image.text["to"] == "this is blue" and image.text["num"] == "4"


def test_a_file_of_texts(asked, flow, pictures, monkeypatch):
    out = pictures / "drawn"
    arguments = ("draw", flow, "--texts", pictures / "texts.csv", "--steps", 2, "-n", 2, "-o", f"{out}/")
    done = asked(*arguments)
    assert done.returncode == 0 and "8 written, 0 were there already, 0 failed" in done.err, done.err
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == 16 and names[:2] == ["00001-a-red-picture-1.png", "00001-a-red-picture-2.png"]
    image = Image.open(out / names[1])
    assert image.text == {"model": "flow", "text": "a red picture", "seed": "0", "num": "2", "steps": "2"}
    wanted = drawing.flow().draw("a red picture", num=2, steps=2).pictures[1]
    assert np.abs(np.asarray(image, int) - wanted).max() <= 1
    (out / names[3]).unlink()
    answered = []
    run = draw.run
    monkeypatch.setattr(draw, "run", lambda m, requests, **more: answered.extend(requests) or run(m, requests, **more))
    done = asked(*arguments, "--json")
    assert [one.text for one in answered] == ["a orange picture"] and json.loads(done.out)["skipped"] == 7
    assert (out / names[3]).exists()


def test_a_file_of_texts_that_are_not_all_fine(asked, flow, pictures, caplog):
    """What cannot be read is counted, what the model does not know is said, what was drawn of another text is not kept."""
    texts, out = pictures / "odd.jsonl", f"{pictures / 'drawn'}/"
    texts.write_text('{"text": null}\n{"text": \n{"text": "a red picture 象"}\n', "utf-8")
    done = asked("draw", flow, "--texts", texts, "--steps", 1, "-o", out)
    assert done.returncode == 2 and "Leave such rows out with --on-error skip" in done.err
    done = asked("draw", flow, "--texts", texts, "--steps", 1, "--on-error", "skip", "-o", out)
    assert done.returncode == 0 and "1 written, 0 were there already, 2 failed" in done.err
    assert "row 1 of odd.jsonl, row 2 of odd.jsonl" in done.err or "row 2 of odd.jsonl, row 1 of odd.jsonl" in done.err
    [path] = (pictures / "drawn").iterdir()
    assert path.name == "00003-a-red-picture-象.png"
    [said] = caplog.messages
    assert said.startswith(f"{path.stem}: ") and "象" in said and said.endswith(Image.open(path).text["notes"])
    done = asked("draw", flow, "--texts", texts, "--steps", 2, "--on-error", "skip", "-o", out)
    assert done.returncode == 2 and "was made otherwise: steps was '1', and is '2' now; name another folder" in done.err
    again = ("draw", flow, "--texts", texts, "--steps", 2, "--on-error", "skip", "-o", out, "--overwrite")
    assert asked(*again).returncode == 0 and Image.open(path).text["steps"] == "2"


def test_what_is_read_is_not_replaced(asked, flow, pictures):
    blue, before = pictures / "blue.png", (pictures / "blue.png").read_bytes()
    done = asked("draw", flow, "a red picture", "--like", blue, "-o", pictures / "new" / ".." / "blue.png")
    assert done.returncode == 2 and "blue.png would be replaced, and is read; name another file" in done.err
    assert blue.read_bytes() == before
    folder = autoencoders.directory("vae")
    done = asked("reconstruct", folder, blue, "-o", blue)
    assert done.returncode == 2 and "would be replaced, and is read" in done.err and blue.read_bytes() == before
    done = asked("draw", flow, "a red picture", "-o", blue / "a.png")
    assert done.returncode == 2 and "blue.png is a file; name another place" in done.err


def test_ctrl_c_leaves_no_half_of_a_file(asked, flow, pictures, monkeypatch):
    """In the third of four parts: the pictures of two parts are there, whole; nothing of one picture is."""
    told, tell = [], _bulk.Ticker.tell

    def stopped(self, text):
        told.append(text)
        if len(told) == 5:
            raise KeyboardInterrupt
        tell(self, text)

    monkeypatch.setattr(_bulk.Ticker, "tell", stopped)
    monkeypatch.setattr(draw, "AT_ONCE", 2)
    out = pictures / "drawn"
    done = asked("draw", flow, "--texts", pictures / "texts.csv", "--steps", 1, "-o", f"{out}/")
    assert done.returncode == 130 and done.err.endswith("interrupted\n") and "4 written" in done.err
    assert sorted(path.name[:5] for path in out.iterdir()) == ["00001", "00002", "00003", "00004"]
    assert all(Image.open(path).size == (8, 8) for path in out.iterdir())
    del told[:]
    done = asked("draw", flow, "a red picture", "--steps", 9, "-o", pictures / "one" / "a.png")
    assert done.returncode == 130 and done.err == "interrupted\n"
    assert not (pictures / "one").exists()


def test_steps_are_shown_on_a_terminal(flow, tmp_path, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    assert main(["draw", flow, "a red picture", "--steps", "3", "-o", str(tmp_path / "a.png")]) == 0
    said = stream.getvalue().split("\r\x1b[K")
    assert said == ["", "step 1 of 3", "step 2 of 3", "step 3 of 3", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], 'this model draws of a text only; say what to draw: tuwen draw MODEL "a red circle"'),
        (["a red picture", "-n", "0"], "num is 0; it takes a whole number from 1, for example num=5"),
        (
            ["a red picture", "--size", "100"],
            "size is 100, and this model draws 8 x 8 pixels; it can be that or a multiple",
        ),
        (
            ["a red picture", "--like", "{}/blue.png", "--mask", "{}/narrow.png"],
            "the mask is 12 x 24 pixels and the picture",
        ),
        (["a red picture", "--like", "{}/no.png"], "no.png cannot be read as an image: there is no such file"),
        (["a red picture", "--candidates", "3"], "this model cannot say which candidate fits the text best; name one"),
        (["a red picture", "--strength", "2"], "strength is 2.0; it is above 0 and at most 1"),
        (["a red picture", "--texts", "{}/texts.csv"], "TEXT and --texts are two ways of saying what to draw"),
        (["--texts", "{}/texts.csv"], "-o {}/a.png is one file, and --texts makes many; name a folder"),
        (["--texts", "{}/no.csv"], "there is no file '{}/no.csv'; --texts is FILE.txt with a text a line"),
    ],
)
def test_a_mistake_is_one_line_and_2(asked, flow, pictures, arguments, message):
    done = asked("draw", flow, *(word.format(pictures) for word in arguments), "-o", pictures / "a.png")
    assert (done.returncode, done.out) == (2, "") and done.err.count("\n") == 1
    assert message.format(pictures) in done.err and not (pictures / "a.png").exists()


def test_what_sounds_wrong_is_drawn_with_a_word_about_it(asked, flow, pictures):
    for text, note in (
        ("red " * 5000, "the text is longer than this model reads; nothing was drawn of: "),
        ("круг", "seldom or never seen while this model learned: к, р, у, г"),
    ):
        done = asked("draw", flow, text, "--steps", 2, "-o", pictures / "a.png")
        assert done.returncode == 0 and done.out.splitlines()[1].startswith(note)
    clear = Image.new("RGBA", (24, 24))  # transparent all over: white
    clear.save(pictures / "clear.png")
    options = ("--like", pictures / "clear.png", "--strength", 0.1, "--steps", 4, "-o", pictures / "b.png")
    assert asked("draw", flow, *options).returncode == 0
    assert np.asarray(Image.open(pictures / "b.png")).mean() > 200


def test_many_texts_need_a_folder(asked, flow, pictures):
    done = asked("draw", flow, "--texts", pictures / "texts.csv")
    assert done.returncode == 2 and "--texts makes many pictures; say where they go with -o FOLDER/" in done.err
    done = asked("draw", flow, "a red picture", "-o", f"{pictures}/folder/")
    assert done.returncode == 2 and "Of many texts: --texts FILE -o FOLDER/." in done.err
