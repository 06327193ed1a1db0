"""`tuwen embed`: vectors of a data set as a table, as an array, and on a map."""

import json
import sys

import numpy as np
import pytest
from tests import eight

from tuwen import cli
from tuwen.command import _ask
from tuwen.command.embed import Request, run, show
from tuwen.data._vectors import Vector, open_sink, read_vectors
from tuwen.errors import CannotError, ConfigError, DataError, MissingExtraError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: eight.model())
    eight.write_pictures(tmp_path / "photos")
    return str(tmp_path / "photos")


def test_array(photos, tmp_path):
    """The vectors are those of `model.encode`, in the order of the lines beside them."""
    out = tmp_path / "deep" / "vectors.npy"
    [response] = run(Request(model="m", data=photos, out=str(out)))
    vectors_ND = np.load(out)
    about = [json.loads(line) for line in out.with_suffix(".jsonl").read_text("utf-8").splitlines()]
    assert response.vectors == {"image": 8, "text": 16} and response.width == 16 == vectors_ND.shape[1]
    assert [one["field"] for one in about[:6]] == ["image", "text", "text"] * 2
    model = eight.model()
    texts = [i for i, one in enumerate(about) if one["field"] == "text"]
    wanted = model.encode([about[i]["text"] for i in texts], field="text").numpy()
    assert np.allclose(vectors_ND[texts], wanted, atol=1e-5) and vectors_ND.dtype == np.float32
    pictures = [i for i, one in enumerate(about) if one["field"] == "image"]
    assert {about[i]["text"] for i in pictures} == {""} and len({about[i]["key"] for i in pictures}) == 8
    cosines = vectors_ND[pictures] @ vectors_ND[texts].T
    assert [about[texts[j]]["key"] for j in cosines.argmax(1)] == [about[i]["key"] for i in pictures], "chance: 1 in 8"


def test_table(photos, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra 'parquet'")
    arguments = {"model": "m", "data": photos, "field": ("image",), "rows": 5}
    next(run(Request(**arguments, out=str(tmp_path / "v.parquet"))))
    next(run(Request(**arguments, out=str(tmp_path / "v.npy"))))
    table = parquet.read_table(tmp_path / "v.parquet")
    assert table.column_names == ["key", "field", "text", "vector"] and table.num_rows == 5
    assert str(table.schema.field("vector").type).startswith("fixed_size_list")
    assert np.array_equal(np.stack(table["vector"].to_numpy()), np.load(tmp_path / "v.npy"))


def test_map(photos, tmp_path):
    page = tmp_path / "map.html"
    [response] = run(Request(model="m", data=photos, html=str(page)))
    assert page.read_text("utf-8").count('class="dot') == 24
    assert show(response) == f"8 of image, 16 of text: vectors of 16 numbers, written to {page}"


def test_json_of_the_command_line(photos, tmp_path, capsys):
    out = str(tmp_path / "v.npy")
    assert cli.main(["embed", "m", photos, "-o", out, "--field", "text", "--json"]) == 0
    said = {"vectors": {"text": 16}, "width": 16, "out": out, "html": "", "left_out": {}, "note": ""}
    assert json.loads(capsys.readouterr().out) == said


def test_a_broken_picture_leaves_no_file(photos, tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs the extra 'parquet'")
    red = tmp_path / "photos" / "red.png"
    red.write_bytes(red.read_bytes()[:50])
    for name in ("v.parquet", "v.npy"):
        with pytest.raises(DataError, match="red.png"):
            next(run(Request(model="m", data=photos, out=str(tmp_path / name))))
        assert not list(tmp_path.glob("*v.*"))


def test_a_broken_picture_can_be_left_out(photos, tmp_path):
    """As if it were not there; its texts neither, since a row is left out whole."""
    red, out, page = tmp_path / "photos" / "red.png", tmp_path / "v.npy", tmp_path / "map.html"
    red.write_bytes(red.read_bytes()[:50])
    arguments = {"model": "m", "data": photos, "set": ("data.on_error=skip",)}
    [response] = run(Request(**arguments, out=str(out), html=str(page)))
    keys = {json.loads(line)["key"] for line in out.with_suffix(".jsonl").read_text("utf-8").splitlines()}
    assert response.vectors == {"image": 7, "text": 14} and len(keys) == 7 and len(np.load(out)) == 21
    assert list(response.left_out) == ["red.png"] and page.read_text("utf-8").count('class="dot') == 21
    assert "1 of 8 rows cannot be read and are left out (red.png)" in show(response).splitlines()[1]
    for picture in (tmp_path / "photos").glob("*.png"):
        picture.write_bytes(b"none")
    with pytest.raises(DataError, match="none of 8 rows can be read; the first: "):
        next(run(Request(**arguments, out=str(tmp_path / "w.npy"))))
    assert not list(tmp_path.glob("w.*"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ConfigError, "it is not said where the vectors go; add -o vectors.parquet: tuwen embed m"),
        ({"out": "v.csv"}, ConfigError, "-o v.csv can be FILE.parquet or FILE.npy, for example -o vectors.parquet"),
        ({"out": "v.npy", "field": ("sound",)}, CannotError, "no encoder of 'sound'; --field takes: image, text."),
        ({"out": "v.npy", "set": ("train.lr=1",)}, ConfigError, "embed takes settings of the data"),
    ],
)
def test_mistakes(photos, arguments, error, message):
    with pytest.raises(error, match=message):
        next(run(Request(model="m", data=photos, **arguments)))


def test_a_field_that_the_data_lacks(photos, tmp_path):
    for text in (tmp_path / "photos").glob("*.txt"):
        text.unlink()
    with pytest.raises(DataError, match="the data has no field text; it has: image. Name one of them with --field."):
        next(run(Request(model="m", data=photos, field=("text",), out=str(tmp_path / "v.npy"))))


def test_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"Parquet .* needs the extra 'parquet': pip install"):
        open_sink("v.parquet")


def test_no_vectors_at_all(tmp_path):
    with open_sink(str(tmp_path / "v.npy")) as sink:
        sink.write([])
    assert np.load(tmp_path / "v.npy").shape == (0, 0)
    with open_sink(str(tmp_path / "w.npy")) as sink:
        sink.write([Vector(key="a", field="text", text="b", place=np.ones(2, np.float32))])
    assert np.load(tmp_path / "w.npy").shape == (1, 2)


def test_a_file_of_lines_that_is_not_of_vectors_stays(photos, tmp_path):
    """data.npy would replace data.jsonl: the rows of the user."""
    rows = tmp_path / "data.jsonl"
    for text in ('{"image": "a.jpg", "text": "a"}\n', "no JSON\n", "[1]\n"):
        rows.write_text(text)
        with pytest.raises(
            ConfigError, match=r"would write data\.jsonl beside it, which is there and is not about vectors"
        ):
            next(run(Request(model="m", data=photos, out=str(tmp_path / "data.npy"))))
        assert rows.read_text() == text
    rows.unlink()
    for _ in range(2):  # its own it may replace
        next(run(Request(model="m", data=photos, out=str(tmp_path / "data.npy"))))
    assert len(read_vectors(str(tmp_path / "data.npy"))) == 24


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_any_text_and_any_name_come_back(tmp_path, name):
    """Separators of lines and paragraphs; a file name that is not UTF-8, which Parquet cannot hold as it is."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="Parquet needs the extra 'parquet'")
    with open_sink(str(tmp_path / name)) as sink:
        sink.write([Vector(key="caf\udce9", field="text", text="a\u2028b\x85c\x0bd", place=np.ones(2, np.float32))])
    [one] = read_vectors(str(tmp_path / name))
    assert one.text == "a\u2028b\x85c\x0bd" and one.key == ("caf\\udce9" if name.endswith("parquet") else "caf\udce9")


def test_a_table_without_vectors(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra 'parquet'")
    with open_sink(str(tmp_path / "v.parquet")) as sink:
        sink.write([])
    assert parquet.read_table(tmp_path / "v.parquet").column_names == ["key", "field", "text", "vector"]
    assert read_vectors(str(tmp_path / "v.parquet")) == []
