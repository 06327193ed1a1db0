"""Where bulk answers go: whole records, resumed after a kill, nothing of the user's replaced."""

import base64
import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests import eight

from tuwen import cli
from tuwen.command import _ask
from tuwen.command._rows import DrawnFiles, _whole_records, open_rows, png, to_json
from tuwen.data._dataset import open_data
from tuwen.errors import ConfigError, DataError

COLUMNS = ["caption", "logprob", "alternatives"]
ODD = 'a "quoted", comma\nand a second line, 图文'


def answer(name, caption="a dog"):
    return name, {"caption": caption, "logprob": -0.5, "alternatives": ()}, caption


def pictures(*names):
    return [(name, Path(name)) for name in names]


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_table_by_hand(tmp_path):
    rows = open_rows(str(tmp_path / "a.csv"), COLUMNS, [])
    rows.write([answer("x.jpg", ODD), answer("y,.jpg")])
    rows.close()
    assert (tmp_path / "a.csv").read_bytes() == (
        "\ufeffimage,caption,logprob,alternatives\r\n"
        'x.jpg,"a ""quoted"", comma\nand a second line, 图文",-0.5,\r\n'
        '"y,.jpg",a dog,-0.5,\r\n'
    ).encode()
    assert open_rows(str(tmp_path / "a.csv"), COLUMNS, []).done == {"x.jpg", "y,.jpg"}


def test_pandas_reads_it_where_it_is_there(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    rows = open_rows(str(tmp_path / "a.csv"), COLUMNS, [])
    rows.write([answer("x.jpg", ODD)])
    rows.close()
    table = pandas.read_csv(tmp_path / "a.csv")
    assert list(table.columns) == ["image", *COLUMNS]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_kill_at_any_byte_costs_at_most_the_last_records(tmp_path, suffix):
    """Cut anywhere: what is left are whole records, and going on gives the same file as never being killed."""
    path = tmp_path / f"a.{suffix}"
    given = [answer("1.jpg"), answer("2.jpg", ODD), answer("3.jpg")]
    rows = open_rows(str(path), COLUMNS, [])
    rows.write(given)
    rows.close()
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 3), len(whole)]:
        path.write_bytes(whole[:length])
        rows = open_rows(str(path), COLUMNS, [])
        rows.write([one for one in given if one[0] not in rows.done])
        rows.close()
        assert path.read_bytes() == whole, length


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_half_a_record_leaves_nothing_behind(tmp_path, suffix):
    """What is written next is shorter than the half that the kill left."""
    path = tmp_path / f"a.{suffix}"
    rows = open_rows(str(path), COLUMNS, [])
    rows.write([answer("1.jpg"), answer("2.jpg", "a long caption " * 20)])
    rows.close()
    path.write_bytes(path.read_bytes()[:-9])
    rows = open_rows(str(path), COLUMNS, [])
    assert rows.done == {"1.jpg"}
    rows.write([answer("2.jpg", "b")])
    rows.close()
    assert open_rows(str(path), COLUMNS, []).done == {"1.jpg", "2.jpg"}
    assert "long caption" not in path.read_text("utf-8")


def test_whole_records():
    assert _whole_records(b'a,b\r\n"c\nd",e\r\n"f\n') == len(b'a,b\r\n"c\nd",e\r\n')
    assert _whole_records(b"") == _whole_records(b"a,b") == 0


def test_json_lines(tmp_path):
    rows = open_rows(str(tmp_path / "a.jsonl"), COLUMNS, [])
    rows.write([answer("x.jpg", ODD)])
    rows.close()
    [row] = map(json.loads, (tmp_path / "a.jsonl").read_text("utf-8").splitlines())
    assert row == {"image": "x.jpg", "caption": ODD, "logprob": -0.5, "alternatives": []}


def test_overwrite_begins_anew(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("something of somebody's\n")
    rows = open_rows(str(path), COLUMNS, [], overwrite=True)
    assert rows.done == set()
    rows.write([answer("x.jpg")])
    assert [row["image"] for row in read(path)] == ["x.jpg"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_nothing_is_taken_away_before_the_first_answer(tmp_path, name):
    """What ends before it, a wrong model say, leaves earlier answers as they were, and no file where there was none."""
    path = tmp_path / name
    open_rows(str(path), COLUMNS, []).close()
    assert not path.exists()
    path.write_text("answers of hours\n")
    for answers in ([], [[]]):  # none, and none of a batch whose pictures cannot be read
        rows = open_rows(str(path), COLUMNS, [], overwrite=True)
        for some in answers:
            rows.write(some)
        rows.close()
        assert path.read_text() == "answers of hours\n"


def test_a_cell_may_be_as_long_as_it_likes(tmp_path):
    rows = open_rows(str(tmp_path / "a.csv"), COLUMNS, [])
    rows.write([answer("x.jpg", "long " * 40_000)])
    rows.close()
    limit = csv.field_size_limit()
    assert open_rows(str(tmp_path / "a.csv"), COLUMNS, []).done == {"x.jpg"} and csv.field_size_limit() == limit


def test_a_file_that_holds_something_else_is_left_alone(tmp_path):
    for name, content in (
        ("a.csv", "name,price\nx,1\n"),
        ("a.jsonl", '{"name": 1}\n'),
        ("b.jsonl", "no json\n"),
        ("c.jsonl", "no line"),
        ("c.csv", "no"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ConfigError, match="name another file with -o, or replace it with --overwrite"):
            open_rows(str(tmp_path / name), COLUMNS, [])
        assert (tmp_path / name).read_text() == content


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet"])
def test_other_endings(name):
    with pytest.raises(ConfigError, match="it can be FILE.csv, FILE.jsonl, or FOLDER/ for one .txt a picture"):
        open_rows(name, COLUMNS, [])


def test_text_files_never_replace(tmp_path):
    (tmp_path / "x.txt").write_text("mine")
    rows = open_rows(str(tmp_path), COLUMNS, pictures("x.jpg", "deep/y.jpg"))
    assert rows.done == {"x.jpg"}
    rows.write([answer("deep/y.jpg", "a cat")])
    assert (tmp_path / "x.txt").read_text() == "mine"
    assert (tmp_path / "deep/y.txt").read_text() == "a cat\n"
    assert open_rows(str(tmp_path), COLUMNS, pictures("x.jpg"), overwrite=True).done == set()


def test_what_was_held_back_is_no_text_of_a_picture(tmp_path):
    """Its reason would be learned as a caption; what an earlier run wrote does not stand for it either."""
    silent = ("x.jpg", {"caption": "", "abstained": "confidence 0.31 is below 0.5"}, "[no caption: confidence ...]")
    rows = open_rows(f"{tmp_path}/texts/", COLUMNS, pictures("x.jpg", "y.jpg"))
    rows.write([silent, answer("y.jpg")])
    assert [file.name for file in (tmp_path / "texts").iterdir()] == ["y.txt"]
    assert open_rows(f"{tmp_path}/texts/", COLUMNS, pictures("x.jpg", "y.jpg")).done == {"y.jpg"}
    (tmp_path / "texts/x.txt").write_text("what a run that was less careful wrote")
    open_rows(f"{tmp_path}/texts/", COLUMNS, pictures("x.jpg"), overwrite=True).write([silent])
    assert not (tmp_path / "texts/x.txt").exists()


def test_captions_that_are_held_back_are_not_learned_from_next_time(tmp_path, monkeypatch, capsys):
    """Beside the pictures lie captions only; a later run asks again about the others."""
    photos, model = tmp_path / "photos", eight.model()
    eight.write_pictures(photos, captions=False)
    monkeypatch.setattr(model, "confidence", eight.confidence({"tokens": 1.0}, bias=-8.5))
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: model)
    sure = {name.stem: model.caption(str(name)).confidence for name in photos.iterdir()}
    least = (min(sure.values()) + max(sure.values())) / 2
    said = {name for name, one in sure.items() if one >= least}
    command = ["caption", "m", str(photos), "-o", str(photos), "--min-confidence", str(least)]
    assert cli.main(command) == 0 and 0 < len(said) < 8
    silent = 8 - len(said)
    assert f"8 written ({silent} of them without an answer: too unsure)" in capsys.readouterr().err
    assert {file.stem for file in photos.glob("*.txt")} == said
    assert {sample.key.removesuffix(".png") for sample in open_data(photos) if sample.fields["text"]} == said
    assert cli.main(command) == 0
    assert f"{silent} written ({silent} of them without an answer: too unsure), {len(said)} were there already" in (
        capsys.readouterr().err
    )


def test_two_pictures_of_one_stem(tmp_path):
    with pytest.raises(DataError, match="x.jpg and x.png would both have .*x.txt; use -o FILE.csv"):
        open_rows(f"{tmp_path}/", COLUMNS, pictures("x.jpg", "x.png"))


def test_a_file_where_a_folder_is_meant(tmp_path):
    (tmp_path / "texts").write_text("")
    with pytest.raises(ConfigError, match="is a file; it can be FILE.csv"):
        open_rows(f"{tmp_path}/texts", COLUMNS, [])


def test_to_json():
    assert (
        to_json({"a": float("nan"), "b": (1, Path("x")), "c": None, 3: "图"})
        == '{"a": null, "b": [1, "x"], "c": null, "3": "图"}'
    )


def test_a_real_kill(tmp_path):
    """A process that writes rows for ever is killed; every row that is there afterwards is whole."""
    path = tmp_path / "a.csv"
    code = (
        "import sys; from tuwen.command._rows import open_rows\n"
        "rows = open_rows(sys.argv[1], ['caption'], [])\n"
        "for i in range(10**9): rows.write([(f'{i}.jpg', {'caption': 'a dog\\n' * 99}, '')])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(eight.ROOT / "src")}
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], env=env)
    while not path.exists() or path.stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    rows = open_rows(str(path), ["caption"], [])
    rows.write([("last.jpg", {"caption": "b"}, "")])
    records = read(path)
    assert [r["image"] for r in records] == [f"{i}.jpg" for i in range(len(records) - 1)] + ["last.jpg"]
    assert io.StringIO(records[0]["caption"]).readline() == "a dog\n"


def test_pictures_that_were_made_are_files(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    rows = open_rows(f"{tmp_path}/out/", [], pictures("x.jpg", "deep/y.jpg"), made="made")
    rows.write([("x.jpg", {"made": pixels}, "shown"), ("deep/y.jpg", {"made": None}, "a word")])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/x.png")), pixels)
    assert (tmp_path / "out/deep/y.txt").read_text() == "a word\n"
    assert open_rows(f"{tmp_path}/out/", [], pictures("x.jpg"), made="made").done == {"x.jpg"}


def test_a_picture_in_json_is_a_png_in_base64():
    pixels = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
    data = base64.b64decode(json.loads(to_json({"a": (pixels,)}))["a"][0])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels[:, :, 0])


def test_pictures_do_not_replace_those_that_are_read(tmp_path):
    (tmp_path / "a.png").write_bytes(png(np.zeros((2, 2, 3), np.uint8)))
    pictures = [(str(tmp_path / "a.png"), Path("a.png"))]
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match=r"a.png would be replaced, and is read; name another folder than"):
            open_rows(f"{tmp_path}/", (), pictures, made="picture", overwrite=overwrite)


def drawn_files(folder, **options):
    return DrawnFiles(folder, {name: {"text": name, "seed": 3} for name in "ab"}, "pictures", 2, **options)


def test_pictures_of_texts(tmp_path):
    """Two of each; one text of which only the first is there is drawn again, one that has both is not."""
    folder, pixels = tmp_path / "new", np.zeros((4, 6, 3), np.uint8)
    rows = drawn_files(folder)
    assert not rows.done
    rows.write([("a", {"pictures": (pixels, pixels + 9)}, "")])
    (folder / "b-1.png").write_bytes(b"x")
    assert drawn_files(folder).done == {"a"} and drawn_files(folder, overwrite=True).done == set()
    image = Image.open(folder / "a-2.png")
    assert image.size == (6, 4) and image.getpixel((0, 0)) == (9, 9, 9) and image.text == {"text": "a", "seed": "3"}
    for wrong in ("a.png", "new/a-1.png"):
        with pytest.raises(ConfigError, match="is one file, and --texts makes many; name a folder, as in -o pictures/"):
            drawn_files(tmp_path / wrong)
