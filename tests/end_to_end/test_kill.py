"""Kill -9 at any moment, and inside each file that a save writes: --resume ends with the weights of the whole run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tiny import largest_difference

import tuwen

ROOT = Path(__file__).parents[2]
FILES = (
    "tensors.safetensors", "plain.json", "manifest.json", "weights.safetensors", "data.json", "recipe.json", "card.md",
    "figures.json", "frozen.safetensors", "run.json", "log.jsonl", "best-",
)  # fmt: skip


RECIPES = {
    "cnn-transformer": ([*range(1, 11), 20, 30], [6, 12, 18, 24, 30], ["caption"]),
    "gpt-vqvae": ([*range(1, 19), 28, 30], [2, 4, 6, 8, 13, 18, 23, 28, 30], ["draw", "reconstruct"]),
}
"""Recipe -> steps that are logged, steps at which is looked, what it can; two stages of 8 and 22 steps."""


def kill(folder, *, seed, num_kills, files, recipe="cnn-transformer"):
    """Lets the driver train and kill; checks every run it tells of, and gives what it told."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TUWEN_CACHE": str(folder / "cache")}
    driver = [sys.executable, str(Path(__file__).with_name("kill_driver.py")), str(folder), recipe, str(seed)]
    driver.append(str(num_kills))
    done = subprocess.run([*driver, *files], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    for run in told:
        check(folder / "whole", folder / run["out"], run, *RECIPES[recipe])
    assert sum(len(run["states"]) for run in told if "died" not in run) == num_kills
    assert [run["out"] for run in told if "died" in run] == list(files)
    return told


def check(whole, out, run, steps, looks, can):
    for loads, newest in run["states"]:
        assert loads == newest, f"{out}: the newest state does not load"
    assert run.get("died", True), f"{out}: was not killed, or did not go on"
    assert largest_difference(whole, out) <= 1e-6
    for name in ("figures.json", "recipe.json", "data.json"):
        assert (out / name).read_text() == (whole / name).read_text()
    assert [[e["step"] for e in logged(out) if e["kind"] == kind] for kind in ("step", "evaluation")] == [steps, looks]
    assert tuwen.load(out).can() == can
    assert not list(out.glob("state/.writing*"))


def logged(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]


def test_a_kill_at_a_random_moment_and_one_inside_the_weights(tmp_path):
    kill(tmp_path, seed=1, num_kills=1, files=("weights.safetensors", "best-"))


def test_a_kill_in_a_run_of_two_stages_and_one_between_them(tmp_path):
    kill(tmp_path, seed=5, num_kills=1, files=("first-1.safetensors",), recipe="gpt-vqvae")


@pytest.mark.slow
def test_eight_kills_in_a_run_of_two_stages(tmp_path):
    told = kill(tmp_path, seed=3, num_kills=8, files=(*FILES, "first-1.safetensors"), recipe="gpt-vqvae")
    steps = {loads for run in told for loads, _ in run["states"]}
    assert len(steps) > 3


@pytest.mark.slow
def test_ten_kills_at_random_moments(tmp_path):
    told = kill(tmp_path, seed=7, num_kills=10, files=())
    steps = {loads for run in told for loads, _ in run["states"]}
    assert len(steps) > 3  # they hit the run at different places


@pytest.mark.slow
def test_a_kill_inside_each_file_that_a_save_writes(tmp_path):
    kill(tmp_path, seed=0, num_kills=0, files=FILES)
