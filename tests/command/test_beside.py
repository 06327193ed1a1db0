"""Captions of another system in a file."""

import json

import pytest

from tuwen.command._beside import captions_of, read_captions
from tuwen.command._extra import Extra
from tuwen.errors import DataError
from tuwen.evaluation import Evaluation
from tuwen.judge._rates import beside
from tuwen.judge.captions import caption_rates


def evaluation(name="{}"):
    rows = [{"key": name.format(i), "caption": f"a dog {i}", "references": [f"a dog {i} runs", "x"]} for i in range(6)]
    rates = [caption_rates([row["caption"] for row in rows], [row["references"] for row in rows])]
    return Evaluation(figures={}, rows=rows, num_rows=6, rates=rates)


def write(path, value):
    path.write_text(json.dumps(value))
    return str(path)


def test_captions_of_a_report_and_of_results(tmp_path):
    report = write(
        tmp_path / "r.json", {"figures": {}, "rows": [{"key": str(i), "caption": "a cow"} for i in range(7)]}
    )
    results = write(tmp_path / "c.json", [{"image_id": i, "caption": "a cow"} for i in range(7)])
    assert read_captions(report) == read_captions(results) == {str(i): "a cow" for i in range(7)}
    ours, extra = evaluation(), Extra(names=("diversity",))
    extra.add(ours, {})
    theirs = captions_of(report, ours, extra, {})
    assert not theirs.chance, "what chance gives is not asked of the other"
    found = beside(report, ours.rates, theirs.rates)
    assert found.name == report and found.figures["distinct_captions"] == pytest.approx(1 / 6)
    assert found.differences["rouge_l"] > 0.2 and found.intervals["rouge_l"][0] > 0
    assert (
        found.differences.keys()
        == found.intervals.keys()
        == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"}
    )


def test_other_rows_are_refused(tmp_path):
    results = write(tmp_path / "c.json", [{"image_id": i, "caption": "a cow"} for i in range(1, 5)])
    with pytest.raises(
        DataError,
        match="has no caption for 2 of 6 rows, such as 0, 5; rows are called 0, 1, 2 and ids there 1, 2, 3; a comparison "
        "takes the same rows",
    ):
        captions_of(results, evaluation(), Extra(), {})
    with pytest.raises(DataError, match="nowhere.json cannot be read"):
        captions_of(str(tmp_path / "nowhere.json"), evaluation(), Extra(), {})


@pytest.mark.parametrize(
    ("name", "ids", "way"),
    [
        ("{}", range(7), ""),
        ("val2014/COCO_val2014_00000000010{}.jpg", range(100, 107), "by the number at the end of their names"),
        ("{}.png", [f"{i}" for i in range(7)], "without folder and ending"),
        ("p/x.y{}", [f"q/x.y{i}.jpg" for i in range(7)], "without folder and ending"),
        ("a{}.jpg", [f"a0{i}.png" for i in range(7)], "by the number at the end of their names"),
    ],
)
def test_ids_meet_the_names_of_pictures(tmp_path, name, ids, way):
    """COCO's results say 42 of COCO_val2014_000000000042.jpg."""
    results = write(tmp_path / "c.json", [{"image_id": one, "caption": f"cow {i}"} for i, one in enumerate(ids)])
    theirs = captions_of(results, evaluation(name), Extra(), {})
    assert [row["caption"] for row in theirs.rows] == [f"cow {i}" for i in range(6)]
    assert [row["key"] for row in theirs.rows] == [name.format(i) for i in range(6)]
    said = f"its ids meet the rows {way}: {ids[0]} is {name.format(0)}"
    spare = f"1 of its captions are of no row here and do not count, such as {ids[6]}"
    assert theirs.notes == ([said, spare] if way else [spare])


def test_ids_that_could_be_several_rows_are_refused(tmp_path):
    """cat_3 and dog_3 are both 3; and of two lists that lack some, what is said is of the way that lacks fewest."""
    results = write(tmp_path / "c.json", [{"image_id": i, "caption": "a cow"} for i in range(7)])
    ours = evaluation("cat_{}.jpg")
    ours.rows[2]["key"] = "dog_3.jpg"
    with pytest.raises(
        DataError,
        match=r"c.json has no caption for 2 of 6 rows, such as dog_3.jpg, cat_3.jpg; rows are called cat_0.jpg, cat_1.jpg, "
        r"dog_3.jpg and ids there 0, 1, 2; a comparison",
    ):
        captions_of(results, ours, Extra(), {})
    results = write(tmp_path / "d.json", [{"image_id": f"{i}.{end}", "caption": "a"} for i in range(6) for end in "ab"])
    with pytest.raises(DataError, match="d.json has no caption for 6 of 6 rows, such as 0.jpg"):
        captions_of(results, evaluation("{}.jpg"), Extra(), {})


def test_a_report_with_a_byte_order_mark(tmp_path):
    report = tmp_path / "r.json"
    report.write_text(json.dumps({"rows": [{"key": "1", "caption": "a cow"}, {"key": "2", "label": "x"}]}), "utf-8-sig")
    assert read_captions(str(report)) == {"1": "a cow"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"caption": "a cow"}], "c.json: row 0 has no key; name a report that `tuwen evaluate` wrote"),
        ([{"key": "a"}, 3], "c.json: row 1 has no key"),
        ([{"key": "a", "caption": 3}], "c.json: the caption of row 'a' is int, not text"),
    ],
)
def test_a_report_of_another_shape_is_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_captions(write(tmp_path / "c.json", {"rows": rows}))


def test_a_row_twice_is_refused(tmp_path):
    both = [{"image_id": 4, "caption": "a cow"}, {"image_id": "4", "caption": "a dog"}]
    rows = {"rows": [{"key": "a", "caption": "a cow"}, {"key": "a", "caption": "a dog"}]}
    for value, name in ((both, "4"), (rows, "a")):
        with pytest.raises(DataError, match=f"c.json has 1 rows twice, such as '{name}'; leave one caption of each"):
            read_captions(write(tmp_path / "c.json", value))
