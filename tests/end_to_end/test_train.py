"""`tuwen train`: a model directory that the other verbs take; events as JSON; Ctrl-C, and going on."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tests import eight
from tests.end_to_end import _trained

FILES = {"weights.safetensors", "recipe.json", "data.json", "card.md", "log.jsonl"}


def test_what_it_writes_and_says():
    place = _trained.place()
    assert {path.name for path in (place / "model").iterdir()} >= FILES
    out, _, err = (place / "said.txt").read_text("utf-8").partition("\0")
    assert "trained in" in out and f"Next: tuwen caption {place / 'model'} photo.jpg" in out
    assert "step 100 of 100: caption " in err and "rows/s" in err


def test_json_events(tmp_path, capsys):
    from tuwen import cli

    eight.write_pictures(tmp_path / "photos")
    settings = [
        part for one in (*_trained.SETTINGS, f"data.cache={tmp_path}/cache", "data.val=0.3") for part in ("--set", one)
    ]
    assert (
        cli.main(["train", str(tmp_path / "photos"), "-o", str(tmp_path / "m"), *settings, "--steps", "4", "--json"])
        == 0
    )
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"estimate", "step", "evaluation", "done"} <= {row["kind"] for row in rows}
    evaluation = next(row for row in rows if row["kind"] == "evaluation")
    assert {"loss", "bleu_1", "i2t_r1", "shuffled_gap"} <= evaluation["figures"].keys() and evaluation["samples"][0][
        "caption"
    ] is not None
    assert rows[-1]["kind"] == "done" and rows[-1]["path"] == str(tmp_path / "m") and rows[-1]["figures"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-place"], "there is no file or folder 'no-such-place'"),
        (["PHOTOS", "-r", "cocoa"], "no recipe is called 'cocoa'. Did you mean 'coca'"),
        (["PHOTOS", "--set", "train.lrr=1"], "train has no field 'lrr'; did you mean 'lr'"),
        (["PHOTOS", "--set", "train.lr=fast"], "train.lr is a number, got 'fast'"),
    ],
)
def test_mistakes(tmp_path, arguments, message, capsys):
    from tuwen import cli

    eight.write_pictures(tmp_path / "photos")
    arguments = [str(tmp_path / "photos") if one == "PHOTOS" else one for one in arguments]
    assert cli.main(["train", *arguments, "-o", str(tmp_path / "m")]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


@pytest.mark.slow
def test_interrupted_and_gone_on_with(tmp_path):
    eight.write_pictures(tmp_path / "photos")
    settings = [part for one in (*_trained.SETTINGS, f"data.cache={tmp_path}/cache") for part in ("--set", one)]
    command = [sys.executable, "-m", "tuwen", "train", str(tmp_path / "photos"), "-o", str(tmp_path / "m"), *settings]
    env = {**os.environ, "PYTHONPATH": str(eight.ROOT / "src"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, "--steps", "100000"], stderr=subprocess.PIPE, text=True, env=env)
    deadline = time.monotonic() + 120
    while not (tmp_path / "m/log.jsonl").exists() or '"step"' not in (tmp_path / "m/log.jsonl").read_text():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("stopped at step ") and f"tuwen train --resume -o {tmp_path / 'm'}" in err
    stopped_at = int(err.splitlines()[-1].split()[3])
    process = subprocess.Popen(
        [sys.executable, "-m", "tuwen", "train", "--resume", "-o", str(tmp_path / "m")],
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    while (
        len((tmp_path / "m/log.jsonl").read_text().splitlines()) < 1
        or last_step(tmp_path / "m/log.jsonl") <= stopped_at + 10
    ):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


def last_step(log):
    steps = [json.loads(line).get("step", 0) for line in log.read_text().splitlines() if line.endswith("}")]
    return max(steps, default=0)
