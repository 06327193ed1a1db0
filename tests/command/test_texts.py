"""A file of texts: every format, names of what is made of each, rows without a text."""

import json

import pytest

from tuwen.command._texts import find_texts
from tuwen.errors import DataError

ROWS = [("00001-a-red-circle", "A red circle"), ("00002-红色的圆", "红色的圆")]


def written(path, text):
    path.write_text(text, "utf-8")
    return str(path)


def test_every_format(tmp_path):
    rows = [{"id": 7, "text": text} for _, text in ROWS]
    for name, text in {
        "a.txt": "A red circle\n红色的圆\n",
        "a.csv": "id,text\n7,A red circle\n7,红色的圆\n",
        "a.tsv": "id\tcaption\n7\tA red circle\n7\t红色的圆\n",
        "a.jsonl": "\n".join(map(json.dumps, rows)),
        "a.json": json.dumps([{"text": [row["text"], "another"]} for row in rows]),
    }.items():
        assert find_texts(written(tmp_path / name, text), "stop") == (ROWS, {}), name


def test_only_the_end_of_a_line_ends_it(tmp_path):
    file = written(tmp_path / "a.txt", "\ufeffa red\u2028circle\x0c\r\na dog\r\n")
    assert [text for _, text in find_texts(file, "stop")[0]] == ["a red\u2028circle\x0c", "a dog"]


def test_names_are_those_of_files(tmp_path):
    file = written(tmp_path / "a.txt", f"../up & down?\n\n{'long ' * 30}\n!!!\n")
    assert [name for name, _ in find_texts(file, "stop")[0]] == [
        "00001-up-down", "00003-long-long-long-long-long-long-long-long", "00004"
    ]  # fmt: skip


def test_rows_without_a_text(tmp_path):
    file = written(tmp_path / "a.csv", "id,text\n1,a dog\n2,\n3,a cat\n")
    with pytest.raises(
        DataError, match=r"row 2 of a.csv has no text. Give it one. Leave such rows out with --on-error skip."
    ):
        find_texts(file, "stop")
    found, left_out = find_texts(file, "skip")
    assert found == [("00001-a-dog", "a dog"), ("00003-a-cat", "a cat")]
    assert left_out == {"row 2 of a.csv": "row 2 of a.csv has no text. Give it one."}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "\n \n", "a.txt holds no text; it needs one a line, or a column `text`"),
        ("a.docx", "x", "a.docx ends in '.docx'; texts are read from .csv, .json,"),
        ("a.csv", "id,size\n1,2\n", "a.csv: cannot tell which column holds texts. Columns: id, size. Call one `text`."),
        ("a.jsonl", '{"text": "a"\n', "row 1 of a.jsonl is not JSON"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        find_texts(written(tmp_path / name, text), "stop")
    with pytest.raises(DataError, match="there is no file 'no-such.txt'; --texts is FILE.txt with a text a line"):
        find_texts("no-such.txt", "stop")
