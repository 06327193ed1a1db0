"""Shards: what lies in them, patterns and URLs, the index that is kept, pictures that stay where they are, damage."""

import builtins
import io
import json
import pickle
import re
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tuwen.command import data as verb
from tuwen.data import _tar, shards
from tuwen.data._config import Data
from tuwen.data._dataset import _recognise, open_data
from tuwen.data._picture import check_picture, open_picture
from tuwen.data._stored import loaded
from tuwen.errors import DataError, MissingExtraError

SKIP = Data(on_error="skip")


def picture(shade, side=8, format="JPEG"):
    file = io.BytesIO()
    noise = np.random.default_rng(shade).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file, format)
    return file.getvalue()


def shard(path, *members, close=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def three(path, first=0):
    rows = [(f"{i:03d}.jpg", picture(i)) for i in range(first, first + 3)]
    texts = [(f"{i:03d}.txt", f"number {i}\nanother of {i}\n".encode()) for i in range(first, first + 3)]
    return shard(path, *(member for pair in zip(rows, texts, strict=True) for member in pair))


def captions(data):
    return {sample.key: sample.fields["text"] for sample in data}


def test_members_of_one_stem_are_a_row(tmp_path):
    words = {"caption": "a dog", "label": ["dog", "pet"], "split": "val", "price": 3}
    file = shard(
        tmp_path / "a.tar",
        ("./x/1.png", picture(1, format="PNG")),
        ("./x/2.jpg", picture(2)),
        ("./x/1.cls", b"7\n"),
        ("./x/2.json", json.dumps(words).encode()),
        ("./x/1.txt", b"\xef\xbb\xbfone\n\n two \n"),
        ("./x/3.flac", b"fLaC"),
        ("./x/3.npy", b"numbers"),
        ("./x/._3.txt", b"left by an archiver"),
    )
    data = open_data(file)
    assert captions(data) == {"./x/1.png": ["one", "two"], "./x/2.jpg": ["a dog"], "./x/3.flac": []}
    assert [s.fields.get("label") for s in data] == ["7", ["dog", "pet"], None]
    assert (data[1].split, data[1].fields["price"], data[1].where) == ("val", 3, "./x/2 of a.tar")
    assert open_picture(data[0].fields["image"]).shape == (8, 8, 3) and loaded(data[2].fields["audio"]) == b"fLaC"
    assert [str(p) for p in data.problems] == [
        "1 members .npy of a.tar are of a kind that is not read. They were passed over."
    ]
    assert open_data(file, Data(classes="a,b,c,d,e,f,g,cat"))[0].fields["label"] == "cat"


def test_folders_patterns_and_splits(tmp_path):
    for i in range(3):
        three(tmp_path / f"set/train-{i:02d}.tar", 10 * i)
    three(tmp_path / "set/val/0.tar", 90)
    data = open_data(tmp_path / "set")
    assert _recognise(str(tmp_path / "set")) == "shards" and data.splits == {"train": 9, "val": 3}
    for pattern, count in {"train-{00..01}.tar": 6, "train-{00,02}.tar": 6, "train-*.tar": 9, "**/*.tar": 12}.items():
        assert len(open_data(f"{tmp_path}/set/{pattern}")) == count
    assert shards.addresses("a{08..10}-{x,y}.tar")[:3] == ["a08-x.tar", "a08-y.tar", "a09-x.tar"]
    (tmp_path / "set/photo.jpg").write_bytes(picture(1))
    assert _recognise(str(tmp_path / "set")) == "folder"  # a tar among pictures is somebody's backup
    with pytest.raises(DataError, match=r"there is no shard '.*nothing-\*\.tar'\. Give a \.tar, a folder of them, or"):
        open_data(f"{tmp_path}/nothing-*.tar")
    with pytest.raises(DataError, match=r"train-03\.tar cannot be opened: No such file or directory\. Check that"):
        open_data(f"{tmp_path}/set/train-{{00..07}}.tar")


def test_pictures_stay_in_the_shard(tmp_path):
    file = shard(tmp_path / "a.tar", *((f"{i}.jpg", picture(i, side=400)) for i in range(30)))
    size = file.stat().st_size  # the name of the folder, "test_pictures...", makes it no test part
    assert size > 2_000_000
    tracemalloc.start()
    try:
        data = open_data(file)
        assert len(data.splits) == 3 and data.facts().picture_side == 400  # every picture was read for its hash
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 2
    assert len(pickle.dumps(list(data))) < size / 100
    raw = pickle.loads(pickle.dumps(data[7])).fields["image"]
    assert raw.load() == picture(7, side=400) and check_picture(raw).width == 400
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"a\.tar has changed: 7\.jpg is cut\. Start again"):
        raw.load()
    file.unlink()
    with pytest.raises(DataError, match=r"7\.jpg in .*a\.tar cannot be read: No such file"):
        raw.load()


def test_the_index_of_a_large_tar_is_made_once_and_nothing_is_written_beside_it(tmp_path, monkeypatch):
    file, options = three(tmp_path / "data/a.tar"), Data(cache=str(tmp_path / "cache"))
    assert len(open_data(file, options)) == 3 and not (tmp_path / "cache").exists()
    monkeypatch.setattr(_tar, "LARGE", 0)
    first = open_data(file, options)
    assert list((tmp_path / "data").iterdir()) == [file] and len(list((tmp_path / "cache").iterdir())) == 1
    scan = _tar._scan
    monkeypatch.setattr(_tar, "_scan", lambda address: pytest.fail("looked through again"))
    assert open_data(file, options).fingerprint() == first.fingerprint()
    monkeypatch.setattr(_tar, "_scan", scan)
    three(file, 50)  # another content is another index
    assert open_data(file, options)[0].key == "050.jpg"


def test_urls(tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    local, system = three(tmp_path / "a.tar"), fsspec.filesystem("memory")
    for name in ("train-0", "train-1", "val-0"):
        system.pipe(f"/shards/{name}.tar", local.read_bytes())
    options = Data(cache=str(tmp_path / "cache"))
    data = open_data("memory://shards/{train-{0..1},val-0}.tar", options)
    assert _recognise("memory://shards/train-0.tar") == "shards" and data.splits == {"train": 6, "val": 3}
    assert data[0].fields["image"].load() == picture(0) and len(open_data("memory://shards/*.tar", options)) == 9
    with pytest.raises(DataError, match=r"memory://shards/no\.tar cannot be opened: .*Check that it is there"):
        open_data("memory://shards/no.tar", options)
    with pytest.raises(DataError, match=r"nowhere://a\.tar cannot be opened: Protocol not known"):
        open_data("nowhere://a.tar", options)
    real = builtins.__import__

    def blocked(name, *rest):
        if name.startswith("fsspec"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", blocked)
    message = r"reading memory://shards/val-0\.tar needs the extra 'remote': pip install 'tuwen\[remote\]'"
    with pytest.raises(MissingExtraError, match=message):
        open_data("memory://shards/val-0.tar", options)


@pytest.mark.parametrize("left", [3000, 4096, 100])
def test_a_cut_tar(tmp_path, left):
    file = three(tmp_path / "a.tar")
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(DataError, match=r"a\.tar is no whole tar: .*\. Copy or write it again\."):
        open_data(file)
    good = three(tmp_path / "b.tar", 50)
    data = open_data(tmp_path, SKIP)
    assert {"050.jpg", "051.jpg", "052.jpg"} <= captions(data).keys() and good.exists()
    [problem] = data.problems
    assert problem.left_out and "a.tar is broken: " in str(problem)


def test_what_is_no_plain_tar(tmp_path):
    file = tmp_path / "a.tar"
    file.write_bytes(b"no tar" * 999)
    with pytest.raises(DataError, match=r"a\.tar is no whole tar: "):
        open_data(file)
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz"):
        pass
    with pytest.raises(DataError, match=r"b\.tar\.gz is packed; .*Unpack it to a plain \.tar"):
        open_data(tmp_path / "b.tar.gz")


def test_broken_members(tmp_path):
    broken = picture(1, side=64)[:900]
    file = shard(tmp_path / "a.tar", ("1.jpg", broken), ("1.json", b"{"), ("2.jpg", picture(2)), ("2.json", b"[]"))
    with pytest.raises(
        DataError, match=r"1 of a\.tar has no valid JSON: line 1, .*Write that member again\. Skip such"
    ):
        open_data(file)
    data = open_data(file, SKIP)
    assert [p.what for p in data.problems] == ["has no valid JSON", "has JSON that is no object"] and len(data) == 2
    message = re.escape("a picture of 900 bytes (1 of a.tar) cannot be read as an image: truncated after 900 bytes.")
    with pytest.raises(DataError, match=message):
        open_picture(data[0].fields["image"], where=data[0].where)
    [response] = verb.run(verb.Request(data=str(file)))
    assert "(1 of a.tar): truncated after 900 bytes" in verb.show(response)


def test_names_with_dots_are_said_where_they_cost_rows(tmp_path):
    """Up to its first dot a name is of one row, as in WebDataset."""
    names = [
        (f"IMG.{i:03d}.{kind}", content) for i in range(3) for kind, content in (("jpg", picture(i)), ("txt", b"x"))
    ]
    file = shard(tmp_path / "a.tar", *names)
    with pytest.raises(
        DataError, match="IMG of a.tar has several members of the field image: IMG.001.jpg. Give each row"
    ):
        open_data(file)
    data = open_data(file, SKIP)
    assert len(data) == 1 and len(data.problems) == 2


def test_words_that_are_not_utf_8(tmp_path):
    file = shard(
        tmp_path / "a.tar", ("1.jpg", picture(1)), ("1.txt", "caf\xe9".encode("latin-1")), ("2.jpg", picture(2))
    )
    with pytest.raises(DataError, match="1 of a.tar is not UTF-8: 1.txt. Write that member again"):
        open_data(file)
    for _ in range(2):  # also from the index
        assert captions(open_data(file, SKIP)) == {"1.jpg": [], "2.jpg": []}


def test_what_json_says_of_a_picture_is_no_second_one(tmp_path):
    words = json.dumps({"image": "dogs/1.jpg", "caption": "a dog"}).encode()
    data = open_data(shard(tmp_path / "a.tar", ("1.jpg", picture(1)), ("1.json", words)))
    assert captions(data) == {"1.jpg": ["a dog"]} and not data.problems
