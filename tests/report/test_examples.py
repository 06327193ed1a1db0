"""Which rows are shown."""

import pytest

from tuwen.report._html import tag
from tuwen.report.examples import examples, pick


@pytest.mark.parametrize("count", range(1, 30))
def test_no_row_stands_twice_and_order_is_kept(count):
    scores = [float((7 * i) % 31) for i in range(count)]
    picked = pick(scores)
    every = [i for rows in picked.values() for i in rows]
    assert len(every) == len(set(every)) and len(picked["best"]) <= 6
    assert max(scores) == scores[picked["best"][0]]
    if picked["worst"]:
        assert scores[picked["worst"][0]] == min(scores), "the worst stands first"


def test_all_18_of_many():
    assert [len(rows) for rows in pick([float(i) for i in range(100)]).values()] == [6, 6, 6]


def test_headings():
    rows = [{"key": str(i)} for i in range(3)]
    drawn = examples(rows, [0.0, 1.0, 2.0], lambda row, score: tag("p", row["key"], score), about="size")
    assert drawn.index("Best") < drawn.index("<p>22.0</p>") < drawn.index("Worst") < drawn.index("<p>00.0</p>")
    assert "3 rows, ordered by size." in drawn
    assert examples([], [], lambda row, score: tag("p"), about="") == ""
