"""Confusion and reliability, by hand."""

from tests.report._read import Page

from tuwen.evaluation import Evaluation
from tuwen.report._look import Look
from tuwen.report.labels import confusion, reliability, section
from tuwen.types import Sample

ROWS = [
    {"key": "a", "label": "cat", "named": "cat", "probability": 0.95},
    {"key": "b", "label": "cat", "named": "dog", "probability": 0.95},
    {"key": "c", "label": "dog", "named": "dog", "probability": 0.55},
    {"key": "d", "label": "<dog>", "named": "dog", "probability": 1.0},
]


def test_confusion():
    read = Page(confusion(ROWS))
    assert read.text.endswith("<dog> cat dog <dog> (1) 0.00 0.00 1.00 cat (2) 0.00 0.50 0.50 dog (1) 0.00 0.00 1.00")


def test_reliability():
    """One at 0.55, right; three at 0.9 to 1, one of them right."""
    read = Page(reliability(ROWS))
    assert len(read.named("circle")) == 2
    assert "this model from 1 to 0.3333" in read.named("svg")[0]["aria-label"]
    assert reliability([]) == ""


def test_section():
    read = Page(section(Look(found=Evaluation(figures={}, rows=ROWS))))
    assert not read.wrong and read.text.index("Best cat probability 0.95") < read.text.index("it is <dog>")
    assert section(Look(found=Evaluation(figures={}, rows=[{"key": "a", "caption": "x"}]))) == ""


def test_several_routes_and_labels_found_by_text():
    rows = [
        {"key": "a", "label": "cat", "zero_shot_named": "dog", "zero_shot_probability": 0.9},
        {"key": "b", "label": "dog", "zero_shot_named": "dog", "zero_shot_probability": 0.7},
    ]
    read = Page(section(Look(found=Evaluation(figures={}, rows=rows))))
    assert read.text.startswith("zero shot") and "it is cat" in read.text


def test_several_labels_a_row():
    rows = [
        {"key": "a", "label": ["red", "large"], "named": {"red": 0.9}},
        {"key": "b", "label": [], "named": {}},
        {"key": "c", "label": ["blue"], "named": {"red": 0.8}},
    ]
    tables = {
        "classes": [{"label": "red", "num": 1, "precision": 0.5, "recall": 1.0, "f1": 0.667, "average_precision": None}]
    }
    read = Page(section(Look(found=Evaluation(figures={}, rows=rows, tables=tables))))
    assert "red 1 0.5 1 0.667" in read.text and not read.wrong
    order = [
        read.text.index(text) for text in ("Best nothing b", "Worst red it is blue c", "random red it is red, large a")
    ]
    assert order == sorted(order)


def test_a_row_of_words_alone_shows_them():
    row = {"key": "a", "label": "good", "named": "bad", "probability": 0.6}
    told = Sample("a", {"image": None, "text": ["a great film, isn't it"]})
    read = Page(section(Look(found=Evaluation(figures={}, rows=[row]), samples=[told])))
    assert "a great film, isn't it" in read.text and "[" not in read.text
