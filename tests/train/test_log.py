"""Every event is a line; a resumed run writes no step twice."""

import json

from tuwen.report.curves import events
from tuwen.train.log import Log, peak_memory_mb


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_events_are_written_and_passed_on(tmp_path):
    seen = []
    log = Log(tmp_path / "log.jsonl", seen.append, step=0)
    log("step", step=1, loss=2.5)
    assert not log.path.exists()
    log.begin()
    log("cache", keep=False, done=1)
    log("warning", text="狗")
    assert seen == [
        {"kind": "step", "step": 1, "loss": 2.5},
        {"kind": "cache", "done": 1},
        {"kind": "warning", "text": "狗"},
    ]
    assert lines(log.path) == [seen[0], seen[2]]
    assert "狗" in log.path.read_text("utf-8")


def test_a_new_run_begins_a_new_log(tmp_path):
    path = tmp_path / "log.jsonl"
    first = Log(path, None, step=0)
    first.begin()
    first("step", step=1)
    refused = Log(path, None, step=0)
    refused("estimate", time_s=3)
    assert lines(path) == [{"kind": "step", "step": 1}], "a start that is refused leaves the log as it was"
    refused.begin()
    assert lines(path) == [{"kind": "estimate", "time_s": 3}]


def test_any_text_stays_one_line_and_a_name_that_is_not_utf8_too(tmp_path):
    log = Log(tmp_path / "log.jsonl", None, step=0)
    log.begin()
    for text in ("a\u2028b\u0085c", "caf\udce9.jpg"):
        log("step", step=1, text=text)
    again = Log(log.path, None, step=1)
    again.begin()
    assert [event["text"] for event in events(log.path)] == ["a\u2028b\u0085c", "caf\udce9.jpg"]


def test_a_resumed_run_drops_what_came_after_its_state_and_half_a_line(tmp_path):
    path = tmp_path / "log.jsonl"
    log = Log(path, None, step=0)
    log.begin()
    log("estimate", time_s=3)
    for step in (1, 2, 3, 4):
        log("step", step=step)
    with path.open("ab") as file:
        file.write('{"kind": "step", "text": "é'.encode()[:-1])
    assert [event["kind"] for event in events(path)] == ["estimate", *["step"] * 4]
    log = Log(path, None, step=2)
    log.begin()
    log("step", step=3)
    assert [(e["kind"], e.get("step")) for e in lines(path)] == [
        ("estimate", None),
        ("step", 1),
        ("step", 2),
        ("step", 3),
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


def test_the_peak_memory_is_that_of_this_process():
    assert 20 < peak_memory_mb() < 100_000
