"""Data sets of the package `datasets`: made on the spot, saved, read lazily; what is said without it."""

import builtins
import io
import pickle

import numpy as np
import pytest
from PIL import Image

from tuwen.data import hub
from tuwen.data._config import Data
from tuwen.data._dataset import _recognise, open_data
from tuwen.data._picture import open_picture
from tuwen.errors import DataError, MissingExtraError


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("TUWEN_CACHE", str(tmp_path / "cache"))
    return pytest.importorskip("datasets", reason="needs the extra hub: pip install 'tuwen[hub]'")


def png(shade, side=8):
    file = io.BytesIO()
    noise = np.random.default_rng(shade).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def rows(datasets, count, side=8):
    kinds = {
        "picture": datasets.Image(),
        "captions": datasets.List(datasets.Value("string")),
        "label": datasets.ClassLabel(names=["cat", "dog"]),
        "tags": datasets.List(datasets.ClassLabel(names=["small", "big"])),
    }
    made = [
        {
            "picture": {"bytes": png(i, side), "path": f"{i}.png"},
            "captions": [f"number {i}", "a thing"],
            "label": i % 2,
            "tags": [0, 1],
        }
        for i in range(count)
    ]
    made[-1] |= {"picture": None, "label": -1}
    return datasets.Dataset.from_list(made, features=datasets.Features(kinds))


def test_a_saved_data_set(datasets, tmp_path):
    rows(datasets, 4).save_to_disk(tmp_path / "one")
    parts = datasets.DatasetDict({"train": rows(datasets, 3), "validation": rows(datasets, 2)})
    parts.save_to_disk(tmp_path / "several")
    data = open_data(tmp_path / "one")
    assert _recognise(str(tmp_path / "one")) == _recognise(str(tmp_path / "several")) == "hub"
    assert [s.fields["label"] for s in data] == ["cat", "dog", "cat", None] and data[0].fields["tags"] == [
        "small",
        "big",
    ]
    assert data[1].fields["text"] == ["number 1", "a thing"] and data[1].where == "row 1 of the data set"
    assert np.array_equal(open_picture(data[1].fields["image"]), open_picture(png(1)))
    assert data[3].fields["image"] is None
    assert open_data(tmp_path / "several").splits == {"train": 3, "val": 2}


def test_parquet_files_of_splits(datasets, tmp_path):
    (tmp_path / "set/data").mkdir(parents=True)
    rows(datasets, 3).to_parquet(tmp_path / "set/data/train-00000-of-00001.parquet")
    rows(datasets, 2).to_parquet(tmp_path / "set/data/test-00000-of-00001-0a1b.parquet")
    data = open_data(tmp_path / "set", Data(val=0))
    assert _recognise(str(tmp_path / "set")) == "hub" and data.splits == {"train": 3, "test": 2}
    assert data.split("train")[0].fields["label"] == "cat" and data.split("train")[0].key == "train-00000"


def test_pictures_stay_in_the_file(datasets, tmp_path):
    rows(datasets, 20, side=100).save_to_disk(tmp_path / "set")
    data = open_data(tmp_path / "set")
    assert len(pickle.dumps(list(data))) < 20 * len(png(0, 100)) / 10
    assert pickle.loads(pickle.dumps(data[3])).fields["image"].load() == png(3, 100)


def test_what_cannot_be_loaded(datasets, tmp_path, monkeypatch):
    rows(datasets, 3).save_to_disk(tmp_path / "set")
    [arrow] = (tmp_path / "set").glob("*.arrow")
    arrow.write_bytes(b"no arrow")
    with pytest.raises(
        DataError, match=r"set cannot be loaded as a data set: .*Give hub:OWNER/NAME, a folder of save_to"
    ):
        open_data(tmp_path / "set")
    monkeypatch.setattr(datasets, "load_dataset", lambda *given: pytest.fail(f"asked for {given}"))
    with pytest.raises(pytest.fail.Exception, match=r"\('owner/name', 'small'\)"):
        open_data("hub:owner/name:small")


def test_without_the_package(tmp_path, monkeypatch):
    real = builtins.__import__

    def blocked(name, *rest):
        if name == "datasets":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", blocked)
    message = r"reading hub:owner/name needs the extra 'hub': pip install 'tuwen\[hub\]'"
    with pytest.raises(MissingExtraError, match=message):
        open_data("hub:owner/name")
    assert hub.recognise("hub:owner/name") == 1 and hub.recognise(str(tmp_path)) == 0
