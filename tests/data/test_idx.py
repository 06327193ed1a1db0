"""IDX files: shapes and parts, names of classes, nothing read before it is looked at, damage; the real MNIST."""

import gzip
import os
import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from tuwen.data import idx
from tuwen.data._config import Data
from tuwen.data._dataset import open_data
from tuwen.data._picture import open_picture
from tuwen.errors import DataError


def packed(array, pack=False):
    raw = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    return gzip.compress(raw) if pack else raw


def put(folder, part="train", count=3, pack=False, shape=(5, 4), labels=True):
    """Picture i is full of 10 * i; its class is i % 2."""
    pictures = np.stack([np.full(shape, 10 * i) for i in range(count)])
    end = ".gz" if pack else ""
    file = folder / f"{part}-images-idx{pictures.ndim}-ubyte{end}"
    file.write_bytes(packed(pictures, pack))
    if labels:
        (folder / f"{part}-labels-idx1-ubyte{end}").write_bytes(packed(np.arange(count) % 2, pack))
    return file


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_pictures_and_labels(tmp_path, pack, shape):
    file = put(tmp_path, pack=pack, shape=shape)
    put(tmp_path, "t10k", 2)
    for path in (tmp_path, file):
        data = open_data(path, Data(val=0))
        assert data.splits == {"train": 3, "test": 2} if path == tmp_path else {"train": 3}
        assert [s.fields["label"] for s in data][:3] == ["0", "1", "0"] and data[1].fields["text"] == ["1"]
        pixels = data[2].fields["image"].load()
        assert pixels.shape == shape and pixels.dtype == np.uint8 and (pixels == 20).all()
        assert open_picture(data[2].fields["image"]).shape == (5, 4, 3)
        assert data[2].where == f"picture 2 of {file.name}" and data[2].key == "train-00002"
    facts = open_data(tmp_path, Data(val=0)).facts()
    assert (facts.picture_side, facts.num_labels, facts.num_captions) == (4, 2, 3)


def test_names_of_classes(tmp_path):
    put(tmp_path)
    assert open_data(tmp_path, Data(classes="bag, shoe"))[1].fields["label"] == "shoe"
    (tmp_path / "labels.txt").write_text("T-shirt/top\n\nAnkle boot\n")
    assert open_data(tmp_path)[1].fields["text"] == ["Ankle boot"]
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    assert open_data(tmp_path, Data(classes=str(tmp_path / "names.txt")))[1].fields["label"] == "two"
    (tmp_path / "names.txt").write_text("")
    with pytest.raises(DataError, match=r"names\.txt holds no names of classes\. It holds one name a line"):
        open_data(tmp_path, Data(classes=str(tmp_path / "names.txt")))
    with pytest.raises(DataError, match=r"gone\.txt cannot be read as names of classes: .*one name a line"):
        open_data(tmp_path, Data(classes="gone.txt"))


def test_pictures_alone(tmp_path):
    put(tmp_path, labels=False)
    data = open_data(tmp_path)
    assert data.fields == ("image",) and data[0].fields["text"] == [] and not data.problems


def test_rows_hold_numbers_of_pictures_only(tmp_path):
    file = put(tmp_path, count=200, shape=(64, 64))
    data = open_data(tmp_path)
    assert len(pickle.dumps(list(data))) < file.stat().st_size / 10
    raw = data[7].fields["image"]
    assert pickle.loads(pickle.dumps(raw)) == raw and (raw.load() == 70).all()
    file.unlink()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte cannot be opened: No such file"):
        raw.load()


def test_a_file_that_changes_is_read_anew(tmp_path):
    file = put(tmp_path, pack=True)
    raw = open_data(tmp_path)[0].fields["image"]
    assert raw.load()[0, 0] == 0
    file.write_bytes(packed(np.full((3, 5, 4), 9), True))
    os.utime(file, (1, 1))
    assert raw.load()[0, 0] == 9


def test_damage(tmp_path):
    file = put(tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(packed(np.zeros(2)))
    message = r"train-labels-idx1-ubyte holds 2 labels and train-images-idx3-ubyte 3 pictures; .*Download both again"
    with pytest.raises(DataError, match=message):
        open_data(tmp_path)
    labels.unlink()
    whole = file.read_bytes()
    for raw, message in {
        whole[:-1]: "is cut or damaged: 75 bytes, its header says 76. Download it again",
        whole[:9]: "is no IDX file of bytes: it begins with",
        b"": "is no IDX file of bytes: it begins with b''",
        b"\0\0\x0d\x03" + whole[4:]: "is no IDX file of bytes",
        gzip.compress(whole)[:-9]: "is cut or damaged: ",
    }.items():
        file.write_bytes(raw)
        with pytest.raises(DataError, match=re.escape(message)):
            open_data(tmp_path)
    raw = bytearray(gzip.compress(whole))
    raw[-8] ^= 255  # the length is right, the content is not
    file.write_bytes(raw)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte is cut or damaged: CRC check failed"):
        open_data(tmp_path)[0].fields["image"].load()
    with pytest.raises(DataError, match=r"holds no file of pictures, as train-images-idx3-ubyte"):
        list(idx.read(str(tmp_path / "other"), Data(), []))


@pytest.mark.real
def test_mnist():
    folder = Path(os.environ.get("TUWEN_DATA", "/nowhere")) / "mnist"
    if not folder.is_dir():
        pytest.skip("TUWEN_DATA names no folder with mnist")
    data = open_data(folder, Data(classes="zero,one,two,three,four,five,six,seven,eight,nine"))
    assert len(data) == 60_000 and data.fields == ("image", "text", "label")
    assert 5_500 < data.splits["val"] < 6_500 and data.facts().num_labels == 10 and data.facts().picture_side == 28
    assert [s.fields["label"] for s in data][:5] == ["five", "zero", "four", "one", "nine"]
    # a one is thinner than a zero: pictures and labels belong together
    ink = {name: [] for name in ("zero", "one")}
    for sample in data[:500]:
        if sample.fields["label"] in ink:
            ink[sample.fields["label"]].append(sample.fields["image"].load().mean())
    assert np.mean(ink["zero"]) > 1.5 * np.mean(ink["one"])
