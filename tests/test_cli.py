"""The command line: help, exit statuses, one line for a mistake, and bulk work."""

import csv
import dataclasses
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from tests import eight

from tuwen import cli, registry
from tuwen.command import _ask

VERBS = list(cli.verbs())


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "photos"
    eight.write_pictures(folder, captions=False)
    return folder


@pytest.fixture
def model(monkeypatch):
    """The tiny model behind any MODEL, so that no process has to load it."""
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: eight.model())
    return "model"


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def one_line(err):
    assert err.endswith("\n") and err.count("\n") == 1, err
    return err.strip()


# -- help ---------------------------------------------------------------------------------------------------------


def test_overview_names_every_verb_and_imports_no_torch():
    began = time.monotonic()
    done = eight.tuwen("--help")
    print(f"tuwen --help: {time.monotonic() - began:.2f} s")
    assert done.returncode == 0 and done.stderr == ""
    assert all(f"    {verb} " in done.stdout for verb in VERBS)
    assert registry.summary("task", "caption") in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb, capsys):
    status, out, err = run(capsys, verb, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: tuwen {verb}")
    assert f"tuwen {verb}" in out.partition("Example:")[2], "no example"
    assert "--json" in out and "--debug" in out


def test_help_loads_no_torch():
    code = f"import sys; from tuwen.cli import main; s = [main([v, '--help']) for v in {VERBS!r}]; "
    code += "assert not any(s); assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    env = {**os.environ, "PYTHONPATH": str(eight.ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr


def test_every_option_has_a_word_of_help(capsys):
    from tuwen.command._verb import field_docs

    for verb, kind in cli.verbs().items():
        request = registry.get(kind, verb).Request
        docs = field_docs(request)
        assert [f.name for f in dataclasses.fields(request) if not docs.get(f.name)] == [], verb


def test_version(capsys):
    import tuwen

    assert run(capsys, "--version") == (0, tuwen.__version__ + "\n", "")


# -- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["captoin"], "no verb is called 'captoin'. Did you mean 'caption'"),
        (["--verson"], "no option is called '--verson'."),
        (
            ["caption"],
            "MODEL is missing. tuwen caption MODEL IMAGE... [OPTIONS]; `tuwen caption --help` shows the options.",
        ),
        (["caption", "m"], "IMAGE is missing."),
        (["caption", "m", "a.jpg", "--baem", "3"], "Unknown option: --baem. Did you mean --beam?"),
        (["caption", "m", "a.jpg", "--beam", "x"], 'Invalid value for --beam: unable to convert "x" into int.'),
        (["caption", "m", "a.jpg", "--beam"], "--beam is missing."),
        (["caption", "m", "a.jpg", "--on-error", "stpo"], 'Choose from: "stop", "skip". Did you mean "stop"?'),
        (
            ["caption", "m", "no-such.jpg"],
            "there is no file or folder 'no-such.jpg'. IMAGE is a picture, or a folder of pictures.",
        ),
        (["caption", "m", "https://x.org/a.jpg"], "It is an address: download the picture first."),
        (["list", "nothing"], "no kind is called 'nothing'."),
    ],
)
def test_a_mistake_is_one_line_and_2(capsys, arguments, message):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert message in one_line(err)


def test_no_model(capsys, pictures, tmp_path):
    status, _, err = run(capsys, "caption", tmp_path / "nowhere", pictures)
    assert status == 2 and "there is no model directory" in one_line(err)


def test_a_mistake_takes_no_earlier_answers_away(capsys, pictures, tmp_path):
    out = tmp_path / "a.csv"
    out.write_text("answers of hours\n")
    status, _, _ = run(capsys, "caption", tmp_path / "nowhere", pictures, "-o", out, "--overwrite")
    assert status == 2 and out.read_text() == "answers of hours\n"


def test_an_option_that_cannot_be_is_said_before_the_model_is_opened(capsys, pictures):
    status, _, err = run(capsys, "caption", "no-model", pictures, "--beam", "0")
    assert status == 2 and "beam is 0" in one_line(err)


def test_debug_shows_where(capsys):
    status, _, err = run(capsys, "caption", "m", "no-such.jpg", "--debug")
    assert status == 2 and err.startswith("Traceback") and err.splitlines()[-1].startswith("there is no file")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            ZeroDivisionError("by zero"),
            1,
            "a bug in tuwen: ZeroDivisionError: by zero; the same command with --debug shows where",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyboardInterrupt("go on with: this"), 130, "go on with: this"),
        (PermissionError(13, "Permission denied", "x.csv"), 2, "Permission denied: 'x.csv'"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_exit_statuses(capsys, monkeypatch, error, status, message):
    def fail(request):
        raise error

    monkeypatch.setattr(cli.os, "dup2", lambda a, b: None)
    fake = SimpleNamespace(**vars(registry.get("command", "list")))
    fake.run = fail
    monkeypatch.setattr(registry, "get", lambda kind, name: fake)
    found, _, err = run(capsys, "list")
    assert found == status and message in err


# -- a task over pictures -----------------------------------------------------------------------------------------


def test_one_picture_and_several(capsys, model, pictures):
    status, out, _ = run(capsys, "caption", model, pictures / "red.png", pictures / "blue.png", "--beam", "1")
    first, second = out.splitlines()
    assert status == 0 and first.startswith(f"{pictures}/red.png: ") and "blue" in second.partition(": ")[2]
    assert run(capsys, "caption", model, pictures / "red.png", "--beam", "1")[1] == first.partition(": ")[2] + "\n"


def test_json_is_one_object_a_line(capsys, model, pictures):
    _, out, _ = run(capsys, "caption", model, pictures, "--json", "--beam", "1")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["image"] for row in rows] == sorted(str(path) for path in pictures.iterdir())
    assert all(row.keys() == {"image", "caption", "logprob", "confidence"} for row in rows)
    _, out, _ = run(capsys, "caption", model, pictures / "red.png", "--json", "--best", "2", "--rerank")
    row = json.loads(out)
    assert row.keys() == {"image", "caption", "logprob", "confidence", "match", "alternatives"}
    assert row["alternatives"][0].keys() == {"caption", "logprob", "match"}


def test_the_same_answer_as_python(capsys, model, pictures):
    paths = sorted(str(path) for path in pictures.iterdir())
    _, out, _ = run(capsys, "caption", model, pictures, "--json", "--beam", "2")
    assert [json.loads(line)["caption"] for line in out.splitlines()] == [
        r.caption for r in eight.model().caption(paths, beam=2)
    ]


def test_a_repeated_option(capsys, model, pictures):
    _, out, _ = run(
        capsys, "match", model, pictures / "red.png", "--text", "a red picture", "--text", "this is blue", "--json"
    )
    assert [score["text"] for score in json.loads(out)["scores"]] == ["a red picture", "this is blue"]


def test_table(capsys, model, pictures, tmp_path):
    before = sorted(pictures.iterdir())
    status, out, err = run(capsys, "caption", model, pictures, "-o", tmp_path / "captions.csv", "--beam", "1")
    assert (status, out) == (0, "") and "8 written, 0 were there already, 0 failed" in err
    with (tmp_path / "captions.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0].keys() == {"image", "caption", "logprob", "confidence"} and len(rows) == 8
    assert all(
        colour in row["caption"] for row in rows for colour in eight.COLOURS if row["image"].endswith(f"/{colour}.png")
    )
    assert sorted(pictures.iterdir()) == before, "the folder of the pictures was touched"


def test_a_second_run_asks_nothing_again(capsys, model, pictures, tmp_path, monkeypatch):
    out = tmp_path / "captions.csv"
    run(capsys, "caption", model, pictures / "red.png", pictures / "blue.png", "-o", out, "--beam", "1")
    asked = []
    caption = registry.get("task", "caption")
    original = caption.run
    monkeypatch.setattr(caption, "run", lambda m, requests: asked.extend(requests) or original(m, requests))
    _, _, err = run(capsys, "caption", model, pictures, "-o", out, "--beam", "1")
    assert len(asked) == 6 and "6 written, 2 were there already" in err
    asked.clear()
    monkeypatch.setattr(_ask, "open_model", lambda *_, **more: pytest.fail("the model was opened for nothing"))
    _, _, err = run(capsys, "caption", model, pictures, "-o", out, "--beam", "1")
    assert not asked and "0 written, 8 were there already, 0 failed" in err and "(--overwrite asks again)" in err


def test_a_text_file_a_picture(capsys, model, pictures, tmp_path):
    (pictures / "more").mkdir()
    (pictures / "red.png").rename(pictures / "more" / "red.png")
    run(capsys, "caption", model, pictures, "-o", f"{tmp_path}/texts/", "--beam", "1")
    assert "red" in (tmp_path / "texts/more/red.txt").read_text()
    assert len(list((tmp_path / "texts").rglob("*.txt"))) == 8


def test_a_picture_that_cannot_be_read(capsys, model, pictures, tmp_path):
    (pictures / "broken.png").write_bytes(b"no picture at all")
    out = tmp_path / "captions.jsonl"
    status, _, err = run(capsys, "caption", model, pictures, "-o", out, "--beam", "1")
    assert status == 2 and "broken.png cannot be read as an image" in err and "--on-error skip" in err
    assert len(out.read_text().splitlines()) == 2, "black and blue stand before it"
    status, _, err = run(capsys, "caption", model, pictures, "-o", out, "--beam", "1", "--on-error", "skip")
    assert (
        status == 0 and "6 written, 2 were there already, 1 failed" in err and f"failed: {pictures}/broken.png" in err
    )
    status, printed, _ = run(capsys, "caption", model, pictures, "--beam", "1", "--on-error", "skip", "--json")
    broken = [json.loads(line) for line in printed.splitlines() if "broken" in line]
    assert status == 0 and len(broken) == 1 and "cannot be read" in broken[0]["error"]


def test_nothing_that_can_be_read(capsys, model, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "b.png").write_bytes(b"no picture")
    status, _, err = run(capsys, "caption", model, tmp_path, "--on-error", "skip", "-o", tmp_path / "c.csv")
    assert status == 2 and "none of 2 pictures could be read; the first:" in err


def test_json_with_a_file_prints_the_summary(capsys, model, pictures, tmp_path):
    _, out, _ = run(capsys, "caption", model, pictures, "-o", tmp_path / "c.csv", "--beam", "1", "--json")
    summary = json.loads(out)
    assert (summary["written"], summary["skipped"], summary["failed"]) == (8, 0, {})


def test_a_process_of_its_own(pictures):
    """Everything at once, as a user runs it; the mistake too."""
    done = eight.tuwen("caption", eight.directory(), pictures, "--beam", "1", "--json")
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout.splitlines()) == 8
    assert eight.tuwen("captoin").returncode == 2
