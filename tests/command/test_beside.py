"""Captions of another system in a file."""

import json

import pytest

from tuwen.command._beside import captions_of, read_captions
from tuwen.command._extra import Extra
from tuwen.errors import DataError
from tuwen.evaluation import Evaluation
from tuwen.judge._rates import beside
from tuwen.judge.captions import caption_rates


def evaluation():
    rows = [{"key": str(i), "caption": f"a dog {i}", "references": [f"a dog {i} runs", "x"]} for i in range(6)]
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
        DataError, match=r"has no caption for 2 of 6 rows, such as 0, 5; a comparison takes the same rows"
    ):
        captions_of(results, evaluation(), Extra(), {})
    with pytest.raises(DataError, match="nowhere.json cannot be read"):
        captions_of(str(tmp_path / "nowhere.json"), evaluation(), Extra(), {})
