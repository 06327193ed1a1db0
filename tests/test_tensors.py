"""Tensors come back as they were, and memory that is shared is stored once."""

import pytest
import torch

from tuwen._tensors import read_tensors, write_tensors
from tuwen.errors import CheckpointError


def through_file(path, tensors, about=None):
    write_tensors(path / "a.safetensors", tensors, about)
    return read_tensors(path / "a.safetensors")


def test_every_kind_comes_back(tmp_path):
    tensors = {
        "matrix": torch.randn(3, 4),
        "transposed": torch.randn(3, 4).T,
        "part": torch.arange(10.0)[2:5],
        "scalar": torch.tensor(7.0),
        "half": torch.randn(2).bfloat16(),
        "bytes": torch.arange(4, dtype=torch.uint8),
        "flags": torch.tensor([True, False]),
        "long": torch.tensor([2**40]),
        "empty": torch.zeros(0, 3),
        "empty too": torch.zeros(0, 3),
        "channels last": torch.randn(1, 3, 2, 2).to(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    again, about = through_file(tmp_path, tensors)
    assert again.keys() == tensors.keys()
    assert about == {}
    for name, tensor in tensors.items():
        assert again[name].dtype == tensor.dtype
        torch.testing.assert_close(again[name], tensor.detach(), rtol=0, atol=0)


def test_shared_memory_is_stored_once(tmp_path):
    weight = torch.randn(100, 100)
    again, _ = through_file(tmp_path, {"in": weight, "out": weight, "view": weight.view(100, 100), "turned": weight.T})
    assert again["out"] is again["in"]
    torch.testing.assert_close(again["turned"], weight.T, rtol=0, atol=0)
    size = (tmp_path / "a.safetensors").stat().st_size
    assert 2 * weight.numel() * 4 < size < 2.2 * weight.numel() * 4  # one of three, and the one that is turned


def test_what_is_said_about_them_is_kept(tmp_path):
    assert through_file(tmp_path, {"a": torch.ones(1)}, {"data": "abc"})[1] == {"data": "abc"}


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_a_cut_file_is_damaged(tmp_path, size):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(
        CheckpointError, match=r"a\.safetensors \(\d+ bytes\) cannot be read as tensors: .* Copy it anew"
    ):
        read_tensors(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"no\.safetensors \(missing\) cannot be read as tensors"):
        read_tensors(tmp_path / "no.safetensors")


def test_what_cannot_be_written_is_an_oserror(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_tensors(tmp_path / "nowhere" / "a.safetensors", {"a": torch.ones(1)})
