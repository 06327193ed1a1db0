"""A file is there whole or not at all, at whatever moment the process dies."""

import errno
import os
import stat
import time

import pytest
from tests.crash import Crash, CrashingOs, FullOs

from tuwen import _files
from tuwen._files import atomic, write_atomic
from tuwen.errors import CheckpointError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")
    return path


def left(path):
    return sorted(p.name for p in path.parent.iterdir())


def calls_of_a_whole_write(path, monkeypatch):
    recorder = CrashingOs()
    with monkeypatch.context() as patch:
        patch.setattr(_files, "os", recorder)
        write_atomic(path, "before")
    return recorder.calls


def test_text_and_bytes_are_written_as_they_are(path):
    write_atomic(path, "一只狗\r\n")
    assert path.read_bytes() == "一只狗\r\n".encode()
    write_atomic(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    write_atomic(path, b"")
    assert path.read_bytes() == b""
    assert left(path) == ["a.json"]


def test_a_new_file_can_be_read_by_whom_the_user_lets(tmp_path):
    before = os.umask(0o022)
    try:
        write_atomic(tmp_path / "new.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o644


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(path, monkeypatch):
    names = [call[0] for call in calls_of_a_whole_write(path, monkeypatch)]
    assert names.index("write") < names.index("fsync") < names.index("replace")
    assert names[-1] == "fsync"


def test_a_crash_at_any_call_leaves_the_old_file_or_the_new(path, monkeypatch):
    total = len(calls_of_a_whole_write(path, monkeypatch))
    seen = set()
    for at in range(total):
        path.write_text("before")
        with monkeypatch.context() as patch:
            patch.setattr(_files, "os", CrashingOs(at))
            with pytest.raises(Crash):
                write_atomic(path, "after and longer")
        seen.add(path.read_text())
        assert path.read_text() in ("before", "after and longer")
    assert seen == {"before", "after and longer"}


def test_what_a_crash_left_is_swept_away_later(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_files, "os", CrashingOs(1))
        with pytest.raises(Crash):
            write_atomic(path, "after")
    (temporary,) = [p for p in path.parent.iterdir() if p != path]
    write_atomic(path, "young ones may belong to a process that runs")
    assert temporary.exists()
    old = time.time() - _files.STALE_S - 1
    os.utime(temporary, (old, old))
    _files._sweep.cache_clear()  # as another process, which looks at the folder once
    write_atomic(path, "after")
    assert left(path) == ["a.json"]


@pytest.mark.parametrize("name", ["**NEW** chair.txt", "photo[1].txt", "a" * 251 + ".txt"])
def test_any_name_that_a_file_may_have(tmp_path, name):
    write_atomic(tmp_path / name, "whole")
    assert (tmp_path / name).read_text() == "whole" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_says_so_and_keeps_the_old_file(path, monkeypatch):
    monkeypatch.setattr(_files, "os", FullOs())
    with pytest.raises(CheckpointError) as caught:
        write_atomic(path, "after")
    text = str(caught.value)
    assert text.startswith(f"cannot write {path}: no space left on the disk (")
    assert f"MB are free at {path.parent}). Free some, or write to another disk with -o." in text
    assert text.endswith(f"What was at {path} before is intact.")
    assert path.read_text() == "before"
    assert left(path) == ["a.json"]


def test_nothing_is_called_intact_that_was_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "os", FullOs())
    with pytest.raises(CheckpointError) as caught:
        write_atomic(tmp_path / "new.txt", "after")
    assert "before is intact" not in str(caught.value)
    assert left(tmp_path / "new.txt") == []


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.EACCES, r"no permission to write into .*\. Write elsewhere with -o\."),
        (errno.EROFS, r"no permission to write into"),
        (errno.EDQUOT, r"no space left on the disk"),
        (errno.EIO, r"cannot write .*a\.json: Input/output error\. What was at"),
    ],
)
def test_other_reasons(path, monkeypatch, code, text):
    monkeypatch.setattr(_files, "os", CrashingOs(0, error=code))
    with pytest.raises(CheckpointError, match=text):
        write_atomic(path, "after")
    assert path.read_text() == "before"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot write .*there is no folder .*nowhere\. Make it first\."):
        write_atomic(tmp_path / "nowhere" / "a.txt", "x")


def test_an_error_of_the_writer_keeps_the_old_file(path):
    with pytest.raises(ZeroDivisionError), atomic(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert left(path) == ["a.json"]


def test_two_writers_do_not_meet(path):
    with atomic(path) as first, atomic(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the outer one ends last
