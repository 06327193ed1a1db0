"""Tables of figures and coloured grids."""

import re

from tests.report._read import Page

from tuwen.report.tables import figures_table, heat


def test_figures():
    read = Page(figures_table({"cider": 1.2345678, "recall": 0.5}, {"recall": (0.4, 0.6)}, {"recall": 0.1}))
    assert read.text == "figure value 95 % interval chance 0 to 1 cider 1.235 recall 0.5 0.4 to 0.6 0.1"
    assert len(read.named("svg")) == 1, "only what lies between 0 and 1, beside something to compare it with"
    value, chance = read.named("circle")[0]["cx"], read.named("line")[2]["x1"]
    assert (float(value), float(chance)) == (60.0, 16.0), "5 + 110 * 0.5 and 5 + 110 * 0.1"
    assert figures_table({}, {}, {}) == ""


def test_outside_of_0_to_1_has_no_bar():
    assert not Page(figures_table({"a": 0.5, "b": 0.5}, {"a": (0.4, 1.2)}, {"b": 3.0})).named("svg")


def test_heat():
    drawn = heat([[1.0, -0.001], [0.5, 1.0]], ["x", "<y>"], ["a", "b"], own=[[0], [0]])
    cells = Page(drawn).named("td")[1:]
    share = [int(re.search(r"(\d+)%", cell["style"])[1]) for cell in cells]
    assert share[0] == share[3] == 90 and share[1] == 0 < share[2] < 90
    assert [cell.get("class") for cell in cells] == ["own best", None, "own", "best"]
    assert "<y>" in Page(drawn).text and "-0.00" not in drawn


def test_heat_of_one_value():
    assert "0%" in Page(heat([[2.0]], ["x"], ["a"])).named("td")[1]["style"]
