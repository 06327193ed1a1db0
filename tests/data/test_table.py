"""Tables: formats, columns by name and by content, captions of one picture together, broken lines."""

import builtins
import json

import numpy as np
import pytest
from PIL import Image

from tuwen.data._config import Data
from tuwen.data._dataset import open_data
from tuwen.data._files import split_name
from tuwen.errors import DataError, MissingExtraError

SKIP = Data(on_error="skip")


@pytest.fixture
def folder(tmp_path):
    """Pictures photos/0.jpg to photos/3.jpg."""
    (tmp_path / "photos").mkdir()
    for i in range(4):
        Image.fromarray(np.full((6, 8, 3), i * 60, np.uint8)).save(tmp_path / f"photos/{i}.jpg")
    return tmp_path


def table(folder, text, name="train.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def captions(data):
    return {sample.key: sample.fields["text"] for sample in data}


WANTED = {"photos/0.jpg": ["red, a bus", "a bus"], "photos/1.jpg": ["a\ncat"]}


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_quotes_and_a_byte_order_mark(folder, mark):
    text = f'filepath{mark}title\nphotos/0.jpg{mark}"red, a bus"\nphotos/0.jpg{mark}a bus\nphotos/1.jpg{mark}"a\ncat"\n'
    named = Data(image_column="filepath")  # a mark left in the first name would hide it
    assert captions(open_data(table(folder, b"\xef\xbb\xbf" + text.encode()), named)) == WANTED
    assert captions(open_data(table(folder, text.replace("\n", "\r\n").encode("utf-16"), "wide.csv")))["photos/0.jpg"]


def test_every_format_gives_the_same(folder):
    rows = [
        {"image": "photos/0.jpg", "caption": ["red, a bus", "a bus"], "price": 3},
        {"image": "photos/1.jpg", "caption": ["a\ncat"], "price": 4},
    ]
    lines = "\n".join(map(json.dumps, rows))
    files = [table(folder, json.dumps(rows), "a.json"), table(folder, lines, "b.jsonl"), table(folder, lines, "c.json")]
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.Table.from_pylist(rows), folder / "d.parquet")
    for file in [*files, folder / "d.parquet"]:
        data = open_data(file)
        assert captions(data) == WANTED and [s.fields["price"] for s in data] == [3, 4]
    assert open_data(rows, Data(root=str(folder))).fingerprint() == open_data(files[0]).fingerprint()


def test_parquet_with_pictures_inside(folder):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    raw = (folder / "photos/0.jpg").read_bytes()
    rows = [{"image": {"bytes": raw, "path": "0.jpg"}, "text": "a bus"}, {"image": None, "text": "only words"}]
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    data = open_data(folder / "a.parquet")
    assert data[0].fields["image"] == raw and data[0].key == "0.jpg"
    assert data[1].fields["image"] is None and data[1].fields["text"] == ["only words"]


def test_parquet_without_its_extra(folder, monkeypatch):
    file = table(folder, b"PAR1....", "a.parquet")
    real = builtins.__import__

    def blocked(name, *rest):
        if name == "pyarrow":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(
        MissingExtraError, match=r"reading a.parquet needs the extra 'parquet': pip install 'tuwen\[parquet\]'"
    ):
        open_data(file)


def test_a_broken_parquet_file(folder):
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet: "):
        open_data(table(folder, b"PAR1 nothing more", "a.parquet"))


def test_numbered_columns_and_listed_cells_are_joined(folder):
    text = "image,caption_0,caption_1\nphotos/0.jpg,one,two\nphotos/1.jpg,three,\n"
    assert captions(open_data(table(folder, text))) == {"photos/0.jpg": ["one", "two"], "photos/1.jpg": ["three"]}
    text = 'image,raw\nphotos/0.jpg,"[""one"", ""two""]"\nphotos/1.jpg,"[\'a\', \'b\']"\nphotos/2.jpg,[sic] a dog\n'
    assert list(captions(open_data(table(folder, text))).values()) == [["one", "two"], ["a", "b"], ["[sic] a dog"]]


def test_columns_are_guessed_by_content(folder):
    text = "nr,wo,kind,was\n" + "".join(f"{i},photos/{i}.jpg,Animals and Plants,a thing {i}\n" for i in range(4))
    data = open_data(table(folder, text))
    assert captions(data)["photos/2.jpg"] == ["a thing 2"] and data.fields == ("image", "text", "nr", "kind")


def test_a_name_without_pictures_loses_to_one_with_them(folder):
    text = "image,file_name,caption\n17,photos/0.jpg,one\n18,photos/1.jpg,two\n"
    data = open_data(table(folder, text))
    assert captions(data)["photos/0.jpg"] == ["one"] and data[0].fields["image"].name == "0.jpg"
    assert data[0].fields["image_"] == "17"
    assert captions(open_data(table(folder, "id,filepath,title\n1,photos/0.jpg,one\n"))) == {"photos/0.jpg": ["one"]}


def test_labels_and_questions_are_no_captions_and_stay_rows(folder):
    text = "image,question,answer\nphotos/0.jpg,what?,bus\nphotos/0.jpg,colour?,red\nphotos/1.jpg,what?,cat\n"
    data = open_data(table(folder, text))
    assert [s.fields["question"] for s in data] == ["what?", "colour?", "what?"] and data.fields[0] == "image"
    assert "text" not in data.fields and not data.problems
    assert len({s.key for s in data}) == 3
    data = open_data(table(folder, "image,label\nphotos/0.jpg,bus\nphotos/1.jpg,cat\n"))
    assert data.fields == ("image", "label")


@pytest.mark.parametrize("column", ["label", "labels", "Class", "category"])
def test_labels_are_one_or_several(folder, column):
    text = f"image,caption,{column}\nphotos/0.jpg,a,bus\nphotos/1.jpg,b,cat|dog\nphotos/2.jpg,c,\nphotos/3.jpg,d, 4 \n"
    data = open_data(table(folder, text))
    assert [s.fields["label"] for s in data] == ["bus", ["cat", "dog"], None, "4"]
    assert data.fields == ("image", "text", "label")
    rows = [{"image": "photos/0.jpg", column: value} for value in (["b", "a", "b"], 3, 2.0, '["x", "y"]', float("nan"))]
    found = [s.fields["label"] for s in open_data(rows, Data(root=str(folder)))]
    assert found == [["b", "a"], "3", "2", ["x", "y"], None]


def test_the_column_of_labels_can_be_named(folder):
    text = "image,label,kind,caption\nphotos/0.jpg,9,1,one\nphotos/0.jpg,9,1,two\nphotos/1.jpg,8,0,three\n"
    first, second = open_data(table(folder, text), Data(label_column="kind", classes="cat,dog"))
    assert (first.fields["label"], first.fields["text"], second.fields["label"]) == ("dog", ["one", "two"], "cat")
    assert first.fields["label_"] == "9"


def test_questions_answers_and_sounds(folder):
    (folder / "sounds").mkdir()
    (folder / "sounds/0.wav").write_bytes(b"RIFF")
    text = "Audio_Path,Questions,answers,category\nsounds/0.wav,who?,george,7\n"
    [sample] = open_data(table(folder, text))
    assert sample.fields["audio"] == folder / "sounds/0.wav" and sample.key == "sounds/0.wav"
    assert [sample.fields[name] for name in ("question", "answer", "label")] == ["who?", "george", "7"]
    [sample] = open_data(table(folder, "path,text\n0.wav,a digit\n"))  # by its ending, in a folder beside
    assert sample.fields["audio"] == folder / "sounds/0.wav" and sample.fields["text"] == ["a digit"]
    with pytest.raises(DataError, match=r"gone\.wav \(row 1 of train\.csv\) is not there\. Set data\.root"):
        open_data(table(folder, "audio,text\ngone.wav,a digit\n"))
    rows = [{"image": None, "question": ["a?", "b?"], "answer": ["x", "y"]}]
    assert open_data(rows)[0].fields["answer"] == ["x", "y"]


def test_columns_that_differ_between_rows_of_a_picture_become_lists(folder):
    text = "image,text,nr,size\nphotos/0.jpg,one,1,9\nphotos/0.jpg,two,2,9\nphotos/1.jpg,three,3,8\n"
    first, second = open_data(table(folder, text))
    assert (first.fields["nr"], first.fields["size"]) == (["1", "2"], "9")
    assert (second.fields["nr"], second.fields["size"]) == (["3"], "8")


def test_a_missing_picture_or_caption_cell_is_normal(folder):
    data = open_data(table(folder, "image,text\nphotos/0.jpg,\n,only words\nphotos/1.jpg\n"))
    assert [(s.fields["image"] is None, s.fields["text"]) for s in data] == [
        (False, []),
        (True, ["only words"]),
        (False, []),
    ]


def test_pictures_are_found_in_a_folder_beside_or_below_root(folder):
    text = "image,text\n0.jpg,one\n1.jpg,two\n"
    assert open_data(table(folder, text))[0].fields["image"] == folder / "photos/0.jpg"
    (folder / "tables").mkdir()
    elsewhere = table(folder / "tables", text)
    assert len(open_data(elsewhere, Data(root=str(folder / "photos")))) == 2
    windows = table(folder, "image,text\nphotos\\0.jpg,one\n")
    assert open_data(windows)[0].fields["image"] == folder / "photos/0.jpg"


def test_a_folder_with_tables_called_as_splits(folder):
    for i, split in enumerate(("train", "dev", "test")):
        table(folder, f"image,text\nphotos/{i}.jpg,of {split}\n", f"{split}.csv")
    data = open_data(folder)
    assert data.splits == {"train": 1, "val": 1, "test": 1} and data.split("val")[0].fields["text"] == ["of dev"]


def test_a_folder_with_one_table(folder):
    table(folder, "image,caption\nphotos/0.jpg,one\n", "captions.txt")
    (folder / "notes.txt").write_text("nothing")
    (folder / "notes.txt").unlink()
    assert captions(open_data(folder / "captions.txt")) == {"photos/0.jpg": ["one"]}


def test_split_column(folder):
    text = (
        "image,text,split\nphotos/0.jpg,a,Training\nphotos/1.jpg,b,valid\nphotos/2.jpg,c,test\nphotos/3.jpg,d,extra\n"
    )
    assert open_data(table(folder, text)).splits == {"train": 1, "val": 1, "test": 1, "extra": 1}
    data = open_data(table(folder, text.replace("split", "part")), Data(split_column="part"))
    assert data.splits == {"train": 1, "val": 1, "test": 1, "extra": 1} and data.fields == ("image", "text")
    assert [split_name(word) for word in ("restval", "dev", "", None)] == ["train", "val", None, None]


# ---- bad input


@pytest.mark.parametrize(
    ("option", "wrong", "near"),
    [
        ("image_column", "imge", "image"),
        ("text_column", "captoin", "caption"),
        ("split_column", "splt", "split"),
        ("label_column", "labbel", "label"),
    ],
)
def test_a_column_that_is_not_there(folder, option, wrong, near):
    file = table(folder, "image,caption,split,label\nphotos/0.jpg,a,train,cat\n")
    message = (
        rf"^train\.csv has no column '{wrong}'\. Did you mean '{near}'.*Columns: image, caption, split, label\. Set"
    )
    with pytest.raises(DataError, match=message):
        open_data(file, Data(**{option: wrong}))


def test_columns_that_cannot_be_guessed(folder):
    with pytest.raises(
        DataError, match=r"cannot tell which column holds pictures or captions\. Columns: x, y\. Set data\.image"
    ):
        open_data(table(folder, "x,y\n1,2\n"))


def test_addresses_are_refused(folder):
    for column in ("image", "url"):
        file = table(folder, f"{column},caption\nhttps://example.org/0.jpg,a bus\n")
        with pytest.raises(
            DataError, match=rf"column '{column}' holds addresses \(https://example\.org/0\.jpg\).*Download them"
        ):
            open_data(file)


OPEN = 'image,text\nphotos/0.jpg,one\nphotos/1.jpg,"never closed\nphotos/2.jpg,two\nphotos/3.jpg,three\n'


@pytest.mark.parametrize("text", [OPEN, OPEN.replace("two", '"two"')])
def test_an_open_quote_names_the_line_where_it_opened(folder, text):
    file = table(folder, text)
    with pytest.raises(
        DataError, match=r'^train\.csv, line 3 has an open quote: .*never closed\. Close the quote.*on_error="skip"'
    ):
        open_data(file)
    data = open_data(file, SKIP)  # the line is lost, the rest is not
    assert list(captions(data)) == ["photos/0.jpg", "photos/2.jpg", "photos/3.jpg"]
    assert [p.left_out for p in data.problems] == [True]


def test_too_many_cells(folder):
    file = table(folder, "image,text\nphotos/0.jpg,a dog, running\nphotos/1.jpg,b\n")
    with pytest.raises(
        DataError, match="row 1 of train.csv has too many cells: 3 cells for 2 columns. Put quotes around"
    ):
        open_data(file)
    assert list(captions(open_data(file, SKIP))) == ["photos/1.jpg"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", r"a\.csv is empty\. It needs a line of column names"),
        ("a.csv", b"image,text\n", r"a\.csv has no rows below its header"),
        ("a.csv", b"text,text\na,b\n", r"a\.csv has two columns called 'text'\. Rename one"),
        ("a.csv", b"image,text\na.jpg,caf\xe9\n", r"a\.csv, line 2: byte 0xe9 is not UTF-8\. Save the file as UTF-8"),
        ("a.csv", b'"image,text\na.jpg,b\n', r"a\.csv, line 1 has an open quote"),
        ("a.json", b'[{"image": "a.jpg",\n "text" "b"}]', r"a\.json, line 2: not JSON, .*Correct that line"),
        ("a.json", b"[{}, 3]", r"row 2 of a\.json is no object: it is 3\. A row is an object"),
        ("a.jsonl", b'{"image": 1}\n{"image"\n', r"row 2 of a\.jsonl is not JSON: .*Each line holds one whole object"),
    ],
)
def test_broken_tables(folder, name, content, message):
    with pytest.raises(DataError, match=message):
        open_data(table(folder, content, name))


def test_captions_of_missing_pictures(folder):
    file = table(folder, "image,text\nphotos/0.jpg,a\nphotos/9.jpg,b\nphotos/9.jpg,c\n")
    with pytest.raises(DataError) as error:
        open_data(file)
    assert str(error.value) == (
        f"{folder}/photos/9.jpg (row 2 of train.csv) is not there. Set data.root to the folder that the paths start "
        'from. Skip such rows with data.on_error="skip".'
    )
    data = open_data(file, SKIP)
    assert list(captions(data)) == ["photos/0.jpg"] and "row 2 of train.csv" in data.problems[0].where


def test_a_caption_of_10_000_words(folder):
    file = table(folder, f"image,text\nphotos/0.jpg,short\nphotos/0.jpg,{'word ' * 10_000}\n")
    message = r"row 2 of train\.csv has a caption that is too long: 10,000 words, 'word .*data\.max_words=1000 .*skip"
    with pytest.raises(DataError, match=message):
        open_data(file)
    data = open_data(file, SKIP)
    assert captions(data) == {"photos/0.jpg": ["short"]} and data.problems[0].left_out
    assert len(open_data(file, Data(max_words=10_000))[0].fields["text"]) == 2


def test_an_empty_caption_is_dropped_and_listed(folder):
    file = table(folder, "image,text\nphotos/0.jpg,a\nphotos/0.jpg,  \nphotos/1.jpg,b\n")
    data = open_data(file)
    assert captions(data) == {"photos/0.jpg": ["a"], "photos/1.jpg": ["b"]}
    assert [str(p) for p in data.problems] == [
        "row 2 of train.csv has an empty caption. It was dropped, the row stays; write one or remove it."
    ]


@pytest.mark.parametrize(("mark", "name"), [(",", "a.csv"), ("\t", "a.tsv")])
def test_a_table_without_names_of_columns(folder, mark, name):
    file = table(folder, "".join(f"photos/{i}.jpg{mark}number {i}\n" for i in range(3)), name)
    with pytest.raises(
        DataError, match=r"begins with a row and not with the names of its columns \(photos/0.jpg, number"
    ):
        open_data(file)


def test_blank_lines_above_the_names_of_columns(folder):
    data = open_data(table(folder, "\n \nimage;caption\nphotos/0.jpg;one\nphotos/1.jpg;two\n"))
    assert captions(data) == {"photos/0.jpg": ["one"], "photos/1.jpg": ["two"]} and not data.problems


def test_bytes_where_a_path_is_meant(folder):
    file = table(folder, json.dumps({"image": "iVBORw0KGgo" * 60, "text": "a dog"}) + "\n", "a.jsonl")
    with pytest.raises(DataError, match=r"iVBO.*\.\.\. \(\d+ characters\) \(row 1 of a.jsonl\) is not there") as caught:
        open_data(file)
    assert len(str(caught.value)) < 400


def test_half_a_character(folder):
    text = '{"image": "photos/0.jpg", "text": ["bad \\ud83d emoji", "good \\ud83d\\ude00"]}\n'
    with pytest.raises(
        DataError, match=r"row 1 of a.jsonl has a caption with half a character: 'bad .* emoji'. Write it"
    ):
        open_data(table(folder, text, "a.jsonl"))
    assert captions(open_data(table(folder, text, "a.jsonl"), SKIP)) == {"photos/0.jpg": ["good 😀"]}


def test_a_label_with_half_a_character_stands_as_it_can_be_written(folder):
    """The name of a folder in another encoding, say: a model directory could not be written."""
    text = '{"image": "photos/0.jpg", "text": "a", "label": "caf\\udce9"}\n'
    found = open_data(table(folder, text, "a.jsonl"))
    assert [row.fields["label"] for row in found] == ["caf\\udce9"]
    assert ["has a label with half a character" in str(one) for one in found.problems] == [True]


def test_several_pictures_in_a_row_are_refused():
    rows = [{"image": [np.zeros((8, 8, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)], "text": "two"}]
    rows += [{"image": np.full((8, 8, 3), i, np.uint8), "text": "one"} for i in range(4)]
    with pytest.raises(DataError, match=r"has several pictures: 2 of them\. Give each a row of its own"):
        open_data(rows)
    assert len(open_data(rows, SKIP)) == 4
