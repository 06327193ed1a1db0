"""Every file in data/ passes this. A new reader needs three items in items/<name>/, and is tried on damaged ones too."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from tuwen import registry
from tuwen.data._config import Data
from tuwen.data._dataset import _recognise, open_data
from tuwen.data._picture import open_picture
from tuwen.data._report import describe
from tuwen.errors import DataError, MissingExtraError

ITEMS = Path(__file__).parent / "items"


@pytest.fixture(params=registry.names("data"))
def name(request):
    return request.param


@pytest.fixture
def path(name):
    """The stored items, or for data that is drawn its name with seed and number."""
    path = str(ITEMS / name) if (ITEMS / name).exists() else f"{name}:0:3"
    try:
        open_data(path, reader=name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    return path


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUWEN_CACHE", str(tmp_path / "cache"))


def test_it_recognises_its_items_most_surely(name):
    path = str(ITEMS / name) if (ITEMS / name).exists() else f"{name}:0:3"
    assert 0 < registry.get("data", name).recognise(path) <= 1
    assert _recognise(path) == name


def test_it_does_not_recognise_what_is_no_data(name, tmp_path):
    (tmp_path / "notes.md").write_text("nothing here")
    for other in (tmp_path, tmp_path / "notes.md", tmp_path / "missing.csv"):
        assert not registry.get("data", name).recognise(str(other))


def test_it_reads_three_pictures_with_captions(name, path):
    data = open_data(path, reader=name)
    assert len(data) == 3 if (ITEMS / name).exists() else len(data) >= 3
    assert any(len(sample.fields["text"]) for sample in data)
    for sample in data:
        pixels = open_picture(sample.fields["image"], where=sample.where)
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        assert all(isinstance(caption, str) and caption == caption.strip() != "" for caption in sample.fields["text"])
        assert sample.where


def test_keys_are_unique_and_rows_travel_to_workers(path):
    data = open_data(path)
    assert len({sample.key for sample in data}) == len(data)
    assert pickle.loads(pickle.dumps(data[0])).key == data[0].key


def test_reading_again_gives_the_same(path):
    first, again = open_data(path), open_data(path, Data(on_error="skip"))
    assert first.fingerprint() == again.fingerprint() and first.splits == again.splits


def test_the_layout_is_drawn_in_the_docstring(name):
    text = registry.get("data", name).__doc__
    assert text and text.split("\n")[0].endswith(".") and "\n    " in text


WORDS = (".txt", ".csv", ".jsonl")
"""Endings of files that are still whole files when their end is missing."""


def test_a_file_that_is_cut_is_noticed(name, path, tmp_path):
    """Each file of the items is cut to half in turn: an error that can be mended or a problem, never a traceback."""
    files = sorted(file.relative_to(path) for file in Path(path).rglob("*") if file.is_file())
    for file in files:
        folder = tmp_path / file.name
        shutil.copytree(path, folder / name)
        cut = folder / name / file
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
        found = []
        for on_error in ("raise", "skip"):
            try:
                data = open_data(folder / name, Data(on_error=on_error), reader=name)
                found += describe(data)["problems"]
            except DataError as error:
                assert str(error).endswith((".", "tar")), error
                found.append(error)
        assert found or file.suffix in WORDS, file
