"""What `make quality` holds: its checks can be typed, and a worse figure is found."""

import importlib.util
import json
import shlex
from pathlib import Path

import pytest

from tuwen import cli, registry
from tuwen.command._verb import parameters, parse

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def quality():
    import sys

    spec = importlib.util.spec_from_file_location("quality", ROOT / "benchmarks" / "quality.py")
    module = sys.modules["quality"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_verdicts(quality):
    stored = {"value": 0.5, "low": 0.4, "high": 0.6}
    said = [quality.verdict(value, stored, less=False, exact=False) for value in (0.3, 0.4, 0.6, 0.7)]
    assert said == ["WORSE", "ok", "ok", "better"]
    assert [quality.verdict(value, stored, less=True, exact=False) for value in (0.3, 0.7)] == ["better", "WORSE"]
    assert quality.verdict(0.7, stored, less=False, exact=True) == "WORSE", "an exact figure may not move at all"
    assert quality.verdict(0.7, None, less=False, exact=False) == "new"


def test_intervals(quality):
    """The bootstrap interval 0.4 to 0.6 gets half of its width on each side; a figure without one a tenth of itself."""
    check = quality.Check(name="a", data="b", figures=("recall", "gap"), train=("--steps", "1"))
    found = {"figures": {"recall": 0.5, "gap": 2.0}, "intervals": {"recall": [0.4, 0.6]}}
    held = quality.interval_of(check, found)
    assert held["recall"] == pytest.approx({"value": 0.5, "low": 0.3, "high": 0.7})
    assert held["gap"] == pytest.approx({"value": 2.0, "low": 1.8, "high": 2.2})


def test_a_worse_figure_ends_with_1(quality, tmp_path, monkeypatch, capsys):
    found = {
        "figures": {"statement_truth": 0.5, "statement_recall": 0.5, "i2t_r1": 0.5, "bleu_4": 0.5},
        "intervals": {},
    }
    monkeypatch.setattr(quality, "tuwen", lambda *words: json.dumps(found))
    store = tmp_path / "q.json"
    arguments = ["quality.py", "--only", "scenes-coca", "--store", str(store)]
    monkeypatch.setattr("sys.argv", [*arguments, "--record"])
    assert quality.main() == 0 and "new" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", arguments)
    assert quality.main() == 0 and "0 figures worse" in capsys.readouterr().out
    found["figures"]["i2t_r1"] = 0.4
    assert quality.main() == 1 and "WORSE" in capsys.readouterr().out


def test_what_is_missing_is_said(quality, tmp_path, monkeypatch):
    check = next(check for check in quality.CHECKS if check.name == "flickr8k-cnn-transformer")
    monkeypatch.delenv("TUWEN_DATA", raising=False)
    assert quality.lacks(check) == "needs the variable TUWEN_DATA"
    monkeypatch.setenv("TUWEN_DATA", str(tmp_path))
    assert quality.lacks(check) == f"there is no {tmp_path / 'flickr8k'}"


def test_commands_can_be_typed(quality):
    for check in quality.CHECKS:
        for verb, words in (("train", ["x", "-o", "m", *check.train]), ("evaluate", list(check.evaluate))):
            module = registry.get("command", verb)
            values = parse(verb, module, [*parameters(module.Request), *parameters(cli.Common)], words)
            assert values is not None
            if verb == "train":
                registry.get_recipe(values["recipe"] or "coca")


def test_stored_intervals_are_of_checks_that_exist(quality):
    stored = json.loads(quality.STORE.read_text("utf-8"))["checks"]
    known = {check.name: check for check in quality.CHECKS}
    for name, held in stored.items():
        assert set(held["figures"]) == set(known[name].figures) and held["command"] == quality.command(known[name])
        assert shlex.split(held["command"])[0] == "tuwen"
