"""Finding pictures, halving batches that fail, saying how far it is."""

import io

import pytest
from tests import eight

from tuwen.command import _bulk
from tuwen.errors import DataError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_find_pictures(tmp_path):
    touch(tmp_path, "b.PNG", "a.jpg", "deep/c.webp", "notes.txt", ".hidden.jpg", "deep/.x/d.jpg")
    found = _bulk.find_pictures([str(tmp_path), f"{tmp_path}/a.jpg", f"{tmp_path}/notes.txt"])
    names = [name.removeprefix(f"{tmp_path}/") for name, _ in found]
    assert names == ["a.jpg", "b.PNG", "deep/c.webp", "notes.txt"], (
        "each once, folders sorted, a file that is named is taken"
    )
    assert [str(below) for _, below in found] == ["a.jpg", "b.PNG", "deep/c.webp", "notes.txt"]


def test_a_picture_that_is_named_beside_its_folder_keeps_its_place(tmp_path, monkeypatch):
    touch(tmp_path, "photos/a.jpg", "photos/deep/a.jpg")
    monkeypatch.chdir(tmp_path)
    found = _bulk.find_pictures(["photos", "photos/deep/a.jpg", "./photos/a.jpg"])
    assert [(name, str(below)) for name, below in found] == [
        ("photos/a.jpg", "a.jpg"),
        ("photos/deep/a.jpg", "deep/a.jpg"),
    ]


def test_no_pictures(tmp_path):
    touch(tmp_path, "a.heic", "b.txt")
    with pytest.raises(DataError, match="holds no pictures. 1 are in formats that cannot be read .*.heic"):
        _bulk.find_pictures([str(tmp_path)])


class Fake:
    """Answers with the request itself; some cannot be read. Counts calls."""

    def __init__(self, broken=()):
        self.broken, self.calls = set(broken), 0

    def __call__(self, requests):
        self.calls += 1
        if bad := self.broken & set(requests):
            raise DataError(f"{min(bad)} cannot be read")
        return [f"answer {request}" for request in requests]


def numbered(count):
    return [(f"{i}.jpg", i) for i in range(count)]


def test_answers_in_order():
    run = Fake()
    batches = list(_bulk.answers(run, numbered(150), "stop"))
    assert [len(batch) for batch in batches] == [64, 64, 22] and run.calls == 3
    assert [pair for batch in batches for pair in batch] == [(f"{i}.jpg", f"answer {i}") for i in range(150)]


def test_skip_answers_all_others():
    run = Fake(broken=[3, 40, 41, 100])
    pairs = [pair for batch in _bulk.answers(run, numbered(128), "skip") for pair in batch]
    assert [name for name, _ in pairs] == [f"{i}.jpg" for i in range(128)]
    assert [name for name, answer in pairs if isinstance(answer, DataError)] == ["3.jpg", "40.jpg", "41.jpg", "100.jpg"]
    assert run.calls < 60, "halving, not one at a time"


def test_stop_gives_what_stands_before():
    batches = _bulk.answers(Fake(broken=[66]), numbered(128), "stop")
    assert len(next(batches)) == 64
    assert [name for name, _ in next(batches)] == ["64.jpg", "65.jpg"]
    with pytest.raises(DataError, match="66 cannot be read Leave such pictures out with --on-error skip."):
        next(batches)


def test_summary():
    summary = _bulk.Summary(written=3, failed={f"{i}.jpg": "x" for i in range(12)}, seconds=1.25)
    assert str(summary).startswith("3 written, 0 were there already, 12 failed, 1.2 s; failed: 0.jpg, 1.jpg,")
    assert str(summary).endswith("9.jpg and 2 more")


@pytest.mark.parametrize("live", [True, False])
def test_ticker(live, monkeypatch):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(_bulk.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    stream.isatty = lambda: live
    ticker = _bulk.Ticker(100, stream)
    for _ in range(4):
        ticker.add(10)  # at 4, 8, 12, 16 seconds
    ticker.close()
    said = stream.getvalue()
    if live:
        assert said.count("\r") == 5 and "40 of 100, 2.5 a second, 24 s left" in said
    else:
        assert said == "30 of 100, 2.5 a second, 28 s left\n"


def test_real_requests_with_one_broken(tmp_path):
    paths = [str(path) for path in eight.write_pictures(tmp_path, captions=False)]
    (tmp_path / "aaa.png").write_bytes(b"x")
    model = eight.model()
    from tuwen.task.caption import Request

    requests = [(path, Request(image=path, beam=1)) for path in [*paths[:3], str(tmp_path / "aaa.png"), *paths[3:]]]
    [batch] = _bulk.answers(lambda some: model_run(model, some), requests, "skip")
    assert [isinstance(answer, DataError) for _, answer in batch] == [False] * 3 + [True] + [False] * 5


def model_run(model, requests):
    from tuwen.task.caption import run

    return run(model, requests)


def test_answers_that_were_held_back_are_counted():
    text = str(_bulk.Summary(written=4, abstained=2))
    assert text.startswith("4 written (2 of them without an answer: too unsure), 0 were there already, 0 failed")


def test_ticker_tells_what_is_under_way(monkeypatch):
    """On a terminal every word; elsewhere one at most every 10 seconds."""
    monkeypatch.setenv("TERM", "xterm")
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(_bulk.time, "monotonic", lambda: float(next(clock)))
    said = {}
    for live, total in ((True, 1), (True, 3), (False, 3)):
        stream = io.StringIO()
        stream.isatty = lambda live=live: live
        ticker = _bulk.Ticker(total, stream)
        for step in range(1, 5):
            ticker.tell(f"step {step} of 4")
        said[live, total] = stream.getvalue()
    assert said[True, 1].split("\r\x1b[K") == ["", *(f"step {step} of 4" for step in range(1, 5))]
    assert said[True, 3].endswith("\r\x1b[K0 of 3, step 4 of 4") and said[False, 3] == "0 of 3, step 3 of 4\n"
