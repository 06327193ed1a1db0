"""What a run says while it goes."""

import io
import json
import sys

import pytest

from tuwen.command import _progress
from tuwen.command._progress import Bar, Lines, describe, duration, seconds_of
from tuwen.errors import ConfigError

STEP = {
    "kind": "step",
    "step": 20,
    "steps": 100,
    "caption": 1.5,
    "loss": 2.0,
    "lr": 1e-3,
    "rows_per_s": 12.0,
    "left_s": 75,
    "memory_mb": 9,
}
EVALUATION = {
    "kind": "evaluation", "step": 20, "figures": {"loss": 2.0, "cider": 0.5, "odd": 1.0}, "best": True,
    "samples": [{"key": "a.jpg", "caption": "a dog", "references": ["the dog"], "logprob": -1.0}],
}  # fmt: skip
EVENTS = [
    {"kind": "cache", "field": "image", "done": 5, "of": 10, "rows_per_s": 3.0},
    {"kind": "estimate", "device": "cpu", "precision": "float32", "threads": 1, "parameters": 1_500_000, "trained": 500_000,
     "steps": 100, "time_s": 90, "memory_mb": 300, "disk_mb": 20, "cache_mb": 5, "cache": "x"},
    STEP,
    EVALUATION,
    {"kind": "warning", "text": "look out"},
    {"kind": "saved", "step": 20},
    {"kind": "done", "path": "m", "figures": {}},
]  # fmt: skip


def test_words():
    said = [describe(event) for event in EVENTS]
    assert said == [
        "reading image: 5 of 10, 3 a second",
        "1.5 million parameters (0.5 trained) on cpu in float32; 100 steps: about 1 min 30 s, 300 MB of memory, 25 MB of disk",
        "step 20 of 100: caption 1.500, loss 2.000, 12 rows/s, 1 min 15 s left",
        "step 20: loss 2, cider 0.5 (best so far)\n    a.jpg: a dog  [the dog]",
        "warning: look out",
        "",
        "",
    ]


def test_an_event_of_a_later_version_is_no_error():
    assert describe({"kind": "something"}) == ""


def test_nothing_is_said_of_an_evaluation_without_rows():
    assert describe({**EVALUATION, "figures": {}, "samples": []}) == ""


def test_lines_say_steps_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 4.0, 11.0, 12.0])
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(clock))
    lines = Lines()
    for step in (1, 2, 3, 100):
        lines({**STEP, "step": step})
    said = [line.split(" of")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ["step 1", "step 3", "step 100"], "at 0 s, after 10 s, and the last"


def test_json_lines(capsys):
    with _progress.json_lines() as extra:
        for event in EVENTS:
            extra["report"](event)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["kind"] for row in rows] == ["cache", "estimate", "step", "evaluation", "warning", "saved"]


def test_a_bar_on_a_terminal(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with _progress.on_terminal() as extra:
        assert isinstance(extra["report"], Bar)
        for event in EVENTS:
            extra["report"](event)
    said = stream.getvalue()
    assert "warning: look out" in said and "a.jpg: a dog" in said and "20/100" in said


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("90", 90),
        ("90s", 90),
        ("20m", 1200),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1m30s", 90),
        ("1m30", 90),
        ("1h0m20", 3620),
    ],
)
def test_seconds_of(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["x", "20 minutes", "-5", "m", "3d", "1h30", "1h 1.5"])
def test_no_time(text):
    with pytest.raises(
        ConfigError, match="--time-limit is .*; it takes hours, minutes and seconds: 1h, 20m, 90s, 1h30m"
    ):
        seconds_of(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min"), (75, "1 min 15 s"), (120, "2 min"), (3900, "1 h 5 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
