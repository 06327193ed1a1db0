"""`tuwen demo --fast` as it is typed: all of it, once more, and its commands by hand."""

import json
import os
import shlex

import pytest
from tests import eight

from tuwen import cli

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("demo")
    os.environ["TUWEN_CACHE"], before = str(place / "cache"), os.environ.get("TUWEN_CACHE")
    done = eight.tuwen("demo", "--fast", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    (place / "answer.json").write_text(done.stdout)
    yield place
    os.environ.pop("TUWEN_CACHE") if before is None else os.environ.update(TUWEN_CACHE=before)


def test_everything_is_there(folder):
    answer = json.loads((folder / "answer.json").read_text())
    demo = folder / "demo"
    assert answer["report"] == "demo/report.html" and (demo / "model" / "weights.safetensors").is_file()
    page = (demo / "report.html").read_text("utf-8")
    for heading in ("It says what it sees", "It draws what you say", "From one text to another", "All figures"):
        assert f"<h2>{heading}" in page
    assert {"statement_truth", "drawn_shape_colour", "i2t_r1"} <= answer["figures"].keys()
    assert (demo / "drawn.png").is_file()


def test_once_more(folder):
    page = (folder / "demo" / "report.html").stat().st_mtime_ns
    again = eight.tuwen("demo", "--fast", cwd=folder)
    assert again.returncode == 0 and again.stderr.count("there already") == 6
    assert "tuwen train photos/" in again.stdout and (folder / "demo" / "report.html").stat().st_mtime_ns == page


def test_by_hand_the_figures_are_the_same(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for line in json.loads((folder / "answer.json").read_text())["commands"][:3]:
        by_hand = shlex.split(line.replace("demo/", "hand/"))
        assert eight.tuwen(*by_hand[1:], cwd=folder).returncode == 0
    one, other = (json.loads((folder / name / "evaluation.json").read_text()) for name in ("demo", "hand"))
    assert one["figures"] == pytest.approx(other["figures"], rel=1e-6)
    assert [row["caption"] for row in one["rows"]] == [row["caption"] for row in other["rows"]]


def test_print(capsys):
    assert cli.main(["demo", "--print"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("tuwen train demo/scenes -o demo/model -r unified") and "--seed 0" in lines[1]
