"""Choosing a reader, splits by content, leaks, facts, fingerprint, options that cannot work."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tuwen.data._config import Data
from tuwen.data._dataset import Dataset, open_data
from tuwen.data._split import SMALL
from tuwen.data._words import count_words
from tuwen.errors import ConfigError, DataError, UnknownNameError


def picture(number):
    """A small picture; another number is another content."""
    return np.full((2, 3, 3), [number % 256, number // 256, 7], np.uint8)


def rows(count, **more):
    return [{"image": picture(i), "text": f"caption {i}", **more} for i in range(count)]


def side_of(data):
    return {sample.fields["text"][0]: name for name in data.splits for sample in data.split(name)}


def test_a_list_of_rows_is_data():
    data = open_data([{"image": picture(1), "text": ["a", "b"]}, {"image": None, "text": "c", "label": 3}])
    assert len(data) == 2 and data.fields == ("image", "text", "label")
    assert data[0].fields["text"] == ["a", "b"] and data[1].fields["label"] == "3"
    assert open_data(data) is data and data.name == "rows"


@pytest.mark.parametrize("count", [2, 3, 8, 9, 50, SMALL, SMALL + 1, 600])
def test_some_rows_validate_and_some_are_left(count):
    splits = open_data(rows(count)).splits
    assert sum(splits.values()) == count and splits["train"] >= 1 and splits["val"] >= 1
    if count >= 50:
        assert abs(splits["val"] / count - 0.1) < 0.06 and abs(splits["test"] / count - 0.1) < 0.06


def test_one_row_trains():
    assert open_data(rows(1)).splits == {"train": 1}
    assert len(open_data(rows(1)).split("val")) == 0


@pytest.mark.parametrize("count", [20, 400])
def test_sides_follow_the_picture_not_the_caption_or_the_order(count):
    table = rows(count)
    sides = side_of(open_data(table))
    assert side_of(open_data(table[::-1])) == sides
    renamed = [{**row, "text": row["text"].replace("caption", "other")} for row in table]
    assert side_of(open_data(renamed)) == {key.replace("caption", "other"): side for key, side in sides.items()}


@pytest.mark.parametrize("count", [20, 400])
def test_identical_pictures_stay_on_one_side(count):
    table = [{"image": picture(i // 4), "text": f"caption {i}"} for i in range(count)]
    sides = side_of(open_data(table))
    by_picture = [{sides[f"caption {i}"] for i in range(start, start + 4)} for start in range(0, count, 4)]
    assert all(len(names) == 1 for names in by_picture) and len(set(sides.values())) > 1
    assert not open_data(table).problems


def test_more_pictures_move_no_picture_of_a_large_set():
    before, after = side_of(open_data(rows(300))), side_of(open_data(rows(500)))
    assert all(after[key] == side for key, side in before.items())


def test_rows_without_pictures_are_split_by_their_key():
    table = [{"text": f"words number {i}"} for i in range(20)]
    assert open_data(table).splits == {"train": 16, "val": 2, "test": 2}


def test_val_is_carved_from_train_where_the_data_has_none():
    table = [{**row, "split": "test" if i < 10 else "train"} for i, row in enumerate(rows(60))]
    data = open_data(table)
    assert data.splits == {"train": 45, "val": 5, "test": 10}
    assert {s.split for s in data.split("val")} == {"val"}
    assert open_data(table, Data(val=0)).splits == {"train": 50, "test": 10}
    assert open_data([{**row, "split": "test"} for row in rows(4)]).splits == {"test": 4}
    blank = [{**row, "split": "test" if i < 10 else ""} for i, row in enumerate(rows(60))]
    assert open_data(blank).splits == data.splits, "a blank is as good as train"
    assert open_data(blank, Data(val=0)).splits == {"train": 50, "test": 10}
    assert open_data([{**row, "split": "" if i else "val"} for i, row in enumerate(rows(9))]).splits["val"] == 1


def test_the_datas_own_sides_may_leak_and_that_is_said():
    table = [{**row, "split": "train"} for row in rows(5)] + [{"image": picture(3), "text": "again", "split": "val"}]
    [problem] = open_data(table).problems
    assert str(problem) == (
        "row 4 (train) and row 6 (val) are the same picture on two sides: a leak. Figures of such a split are too "
        "good: move them to one side, or drop the split column."
    )


def test_an_unknown_part():
    with pytest.raises(
        DataError, match=r"rows has no part 'tset'; it has train \(6 rows\), val \(1 rows\), test \(1 rows\)"
    ):
        open_data(rows(8)).split("tset")


def test_a_part_keeps_its_side():
    data = open_data(rows(50))
    val = data.split("val")
    assert isinstance(val, Dataset) and val.splits == {"val": len(val)} and val.split("val").splits == val.splits
    assert isinstance(data[:5], Dataset) and side_of(data[:5]).items() <= side_of(data).items()


def test_facts():
    table = [{"image": np.zeros((40 + i, 80, 3), np.uint8), "text": ["a b", "c d e f"]} for i in range(5)]
    facts = open_data(table, Data(val=0, test=0)).facts()
    assert (facts.num_train, facts.num_captions, facts.fields) == (5, 10, ("image", "text"))
    assert (facts.picture_side, facts.words_per_caption, facts.split) == (42, 3.0, {"train": 5})


def test_facts_count_the_labels_to_train_on():
    table = [{"image": picture(i), "label": label} for i, label in enumerate(["cat", "dog|cat", None])]
    assert open_data(table, Data(val=0, test=0)).facts().num_labels == 2
    assert open_data(rows(3)).facts().num_labels == 0


def test_a_sound_without_a_picture_has_a_content_too(tmp_path):
    for i in range(40):
        (tmp_path / f"{i}.wav").write_bytes(bytes([i // 2]))
    table = [{"audio": str(tmp_path / f"{i}.wav"), "text": f"sound {i}"} for i in range(40)]
    sides = side_of(open_data(table))
    assert (
        all(sides[f"sound {i}"] == sides[f"sound {i + 1}"] for i in range(0, 40, 2)) and len(set(sides.values())) == 3
    )
    told = [{**table[0], "split": "train"}, {**table[1], "split": "val"}]
    [problem] = open_data(told).problems
    assert "are the same sound on two sides: a leak" in str(problem)


def test_words_of_scripts_without_spaces():
    """A vowel sign is of its letter."""
    assert [count_words(text) for text in ("a red circle", "红色的圆", "a 红圆", "สีแดง", "une fête")] == [3, 4, 3, 4, 2]


def test_the_fingerprint_follows_keys_fields_and_contents():
    def of(**change):
        return open_data([{"image": picture(1), "text": "a", "label": 1, **change}]).fingerprint()

    assert of() == of() and len({of(), of(image=picture(2)), of(text="b"), of(label=2), of(image=None)}) == 5


def test_the_fingerprint_does_not_follow_the_place(tmp_path):
    from PIL import Image

    prints = set()
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        Image.fromarray(picture(1)).save(tmp_path / place / "a.png")
        prints.add(open_data(tmp_path / place).fingerprint())
    assert len(prints) == 1


def test_keys_are_unique():
    from tuwen.types import Sample

    data = open_data(rows(3))
    assert len({s.key for s in data}) == 3
    from tuwen.data._clean import clean

    twins = [Sample("a", {"text": "x"}), Sample("a", {"text": "y"})]
    assert [s.key for s in clean(twins, Data(), [])] == ["a", "a#2"]


def test_a_caption_that_is_no_text():
    with pytest.raises(DataError, match="row 1 has a caption that is no text: bytes. Give a string"):
        open_data([{"text": b"bytes", "image": picture(1)}], Data(text_column="text"))


def test_no_rows_at_all():
    with pytest.raises(DataError, match=r"the list holds no rows that can be used\."):
        open_data([])


def test_what_is_not_there(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(
        DataError, match=r"there is no file or folder '.*photso'\. Did you mean '.*photos'\? Layouts that can be"
    ):
        open_data(tmp_path / "photso")


def test_what_no_reader_recognises(tmp_path):
    (tmp_path / "a.xyz").write_text("?")
    with pytest.raises(
        DataError, match=r"a\.xyz is a file of 1 bytes that no reader recognises\. Layouts that can be read"
    ):
        open_data(tmp_path / "a.xyz")
    with pytest.raises(DataError, match=r"is a folder that no reader recognises; it holds a\.xyz\."):
        open_data(tmp_path)
    with pytest.raises(UnknownNameError, match="no data is called 'tabel'. Did you mean 'table'"):
        open_data(tmp_path, reader="tabel")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"on_error": "ignore"}, "data.on_error is 'ignore'; it can be 'raise' or 'skip'"),
        ({"captions": "two"}, "data.captions is 'two'; it can be one, longest_first, detailed, all"),
        ({"val": 0.6, "test": 0.4}, "data.val=0.6 and data.test=0.4 leave nothing to train on"),
        ({"val": -0.1}, "data.val=-0.1"),
        ({"max_pixels": 0}, "data.max_pixels is 0; it is 1 or more"),
    ],
)
def test_options_that_cannot_work(change, message):
    with pytest.raises(ConfigError, match=message):
        Data(**change)


def test_a_dropped_in_reader_is_a_new_format(tmp_path, monkeypatch):
    from tuwen import data as folder
    from tuwen import registry

    (tmp_path / "lines.py").write_text(
        '"""One caption a line."""\nfrom pathlib import Path\nfrom tuwen.types import Sample\n'
        "def recognise(path): return float(path.endswith('.lines'))\n"
        "def read(path, options, problems):\n"
        "    lines = Path(path).read_text().splitlines()\n"
        "    yield from (Sample(str(i), {'text': line}) for i, line in enumerate(lines))\n"
    )
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    assert "lines" in registry.names("data")
    file = Path(tmp_path / "a.lines")
    file.write_text("one\ntwo\n")
    assert Counter(s.fields["text"][0] for s in open_data(file)) == {"one": 1, "two": 1}


@pytest.mark.parametrize(("shapes", "channels"), [([(9, 9), (9, 9, 1)], 1), ([(9, 9), (9, 9, 3)], 3), ([], 3)])
def test_facts_say_whether_all_pictures_are_grey(shapes, channels):
    table = [{"image": np.zeros(shape, np.uint8)} for shape in shapes] or [{"image": None, "text": "a word"}]
    assert open_data(table, Data(val=0, test=0)).facts().picture_channels == channels
