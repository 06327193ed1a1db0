"""The newest whole state loads, whatever moment the process before it died at."""

import errno
import json
import os

import pytest
import torch
from tests.crash import Crash, CrashingOs

from tuwen import _files
from tuwen.errors import CheckpointError
from tuwen.train import checkpoint
from tuwen.train.checkpoint import KEEP, newest_state, save_state


def tensors(step):
    return {"weight": torch.full((4, 3), float(step)), "random": torch.get_rng_state()}


def save(folder, step):
    save_state(folder, step, tensors(step), {"best": step / 10, "figures": {"cider": None}})


def states(folder):
    return sorted(p.name for p in (folder / "state").iterdir())


def check(state, step):
    assert state.step == step
    assert (state.tensors["weight"] == step).all()
    assert state.plain["best"] == step / 10


def test_a_state_comes_back(tmp_path):
    save(tmp_path, 12)
    state = newest_state(tmp_path)
    check(state, 12)
    assert state.plain == {"step": 12, "best": 1.2, "figures": {"cider": None}}
    torch.testing.assert_close(state.tensors["random"], torch.get_rng_state())


def test_no_state_is_none(tmp_path):
    assert newest_state(tmp_path) is None
    (tmp_path / "state").mkdir()
    assert newest_state(tmp_path) is None


def test_the_newest_two_stay(tmp_path):
    for step in (5, 10, 100_000_000, 99_999_999, 100_000_001):
        save(tmp_path, step)
    assert states(tmp_path) == ["100000000", "100000001"]
    assert len(states(tmp_path)) == KEEP
    check(newest_state(tmp_path), 100_000_001)


def test_other_files_in_the_folder_stay(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "run.json").write_text("{}")
    for step in (1, 2, 3):
        save(tmp_path, step)
    assert states(tmp_path) == ["00000002", "00000003", "run.json"]


def test_the_same_step_again_is_the_newest(tmp_path):
    save(tmp_path, 7)
    save_state(tmp_path, 7, tensors(8), {})
    assert states(tmp_path) == ["00000007", "00000007-1"]
    assert (newest_state(tmp_path).tensors["weight"] == 8).all()


def calls_of_a_save(folder, step, monkeypatch):
    """What a save asks of the system. Both modules and pathlib's mkdir go through one recorder."""
    recorder = CrashingOs()
    run(folder, step, recorder, monkeypatch)
    return recorder.calls


def run(folder, step, system, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_files, "os", system)
        patch.setattr(checkpoint, "os", system)
        save(folder, step)


def test_files_are_on_the_disk_before_their_folder_gets_its_name(tmp_path, monkeypatch):
    calls = calls_of_a_save(tmp_path, 1, monkeypatch)
    names = [call[0] for call in calls]
    renamed = names.index("replace")
    assert names[:renamed].count("fsync") == 4  # two files, the manifest, their folder
    assert names[renamed:].count("fsync") == 1  # the folder of states
    assert calls[renamed][2].endswith("00000001")


def test_a_crash_at_any_call_leaves_a_state_to_go_on_from(tmp_path, monkeypatch):
    """Also in the middle of a write, and while old states are removed; and the next save cleans up."""
    counted = tmp_path / "counted"
    for step in (1, 2):
        save(counted, step)
    total = len(calls_of_a_save(counted, 3, monkeypatch))
    assert total > 15
    reached = set()
    for at in range(total):
        folder = tmp_path / str(at)
        for step in (1, 2):
            save(folder, step)
        with pytest.raises(Crash):
            run(folder, 3, CrashingOs(at), monkeypatch)
        state = newest_state(folder)
        check(state, state.step)
        reached.add(state.step)
        assert state.step in (2, 3)
        save(folder, 4)
        check(newest_state(folder), 4)
        assert len(states(folder)) == KEEP
    assert reached == {2, 3}


def test_a_crash_in_the_first_save_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    total = len(calls_of_a_save(tmp_path / "counted", 1, monkeypatch))
    found = set()
    for at in range(total):
        with pytest.raises(Crash):
            run(tmp_path / str(at), 1, CrashingOs(at), monkeypatch)
        state = newest_state(tmp_path / str(at))
        found.add(state and state.step)
    assert found == {None, 1}


@pytest.mark.parametrize("name", ["tensors.safetensors", "plain.json", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "empty", "changed", "gone"])
def test_a_damaged_state_is_passed_over_with_a_warning(tmp_path, caplog, name, how):
    save(tmp_path, 1)
    save(tmp_path, 2)
    path = tmp_path / "state" / "00000002" / name
    whole = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        changed = whole[:-3] + b"\x00\x01\x02"
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "changed": changed}[how])
    check(newest_state(tmp_path), 1)
    assert "00000002 is damaged and passed over" in caplog.text


def test_all_damaged_is_none_with_a_warning_each(tmp_path, caplog):
    for step in (1, 2):
        save(tmp_path, step)
    for place in (tmp_path / "state").iterdir():
        (place / "plain.json").write_text("{}")
    assert newest_state(tmp_path) is None
    assert len(caplog.records) == 2


def test_a_damaged_state_does_not_push_out_a_whole_one(tmp_path):
    for step in (1, 2):
        save(tmp_path, step)
    (tmp_path / "state" / "00000002" / "tensors.safetensors").write_bytes(b"")
    save(tmp_path, 3)
    assert states(tmp_path) == ["00000001", "00000003"]


def test_a_full_disk_says_so_and_the_state_before_is_intact(tmp_path, monkeypatch):
    save(tmp_path, 1)
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path, 2, CrashingOs(0, error=errno.ENOSPC), monkeypatch)
    text = str(caught.value)
    assert text.startswith(f"cannot write {tmp_path / 'state' / '00000002'}: no space left on the disk (")
    assert text.endswith("The state of step 1 is intact: --resume goes on from there.")
    assert states(tmp_path) == ["00000001"]
    check(newest_state(tmp_path), 1)


def test_a_disk_that_is_full_while_tensors_are_written(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save(tmp_path, 1)
    monkeypatch.setattr(checkpoint, "write_tensors", full)
    with pytest.raises(CheckpointError, match=r"no space left on the disk .* The state of step 1 is intact"):
        save(tmp_path, 2)
    assert states(tmp_path) == ["00000001"]


def test_old_states_that_cannot_be_removed_are_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(place):
        raise PermissionError(errno.EACCES, "Permission denied")

    for step in (1, 2):
        save(tmp_path, step)
    monkeypatch.setattr(checkpoint, "_remove", refuse)
    save(tmp_path, 3)
    check(newest_state(tmp_path), 3)
    assert "cannot be removed" in caplog.text


def test_the_manifest_is_json_that_names_sizes(tmp_path):
    save(tmp_path, 1)
    place = tmp_path / "state" / "00000001"
    files = json.loads((place / "manifest.json").read_text())["files"]
    assert {name: f["bytes"] for name, f in files.items()} == {name: (place / name).stat().st_size for name in files}
    assert sorted(files) == ["plain.json", "tensors.safetensors"]
