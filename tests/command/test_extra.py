"""Metrics by name: what can be asked for, what is lacking, and what they add to an evaluation."""

from types import SimpleNamespace

import pytest
from tests import eight
from tests.metric._java import java

from tuwen.command._extra import Extra
from tuwen.errors import ConfigError, UnknownNameError
from tuwen.evaluation import Evaluation

ROWS = [
    {"key": "1", "caption": "a dog", "references": ["a dog runs"]},
    {"key": "2", "caption": "a cat", "references": ["the cow"]},
    {"key": "3", "caption": "a bird", "references": []},
]


def found():
    return Evaluation(figures={"cider": 1.0}, rows=[dict(row) for row in ROWS], num_rows=3)


def test_a_metric_adds_figures_intervals_and_chance():
    evaluation = found()
    Extra.open("rouge, diversity", "", "cpu").add(evaluation, {})
    assert evaluation.figures["cider"] == 1.0 and evaluation.figures["distinct_captions"] == 1.0
    low, high = evaluation.intervals["rouge_l"]
    assert low <= evaluation.figures["rouge_l"] <= high and evaluation.chance["rouge_l"] < evaluation.figures["rouge_l"]
    assert evaluation.notes == []


def test_java_is_asked_once_and_not_for_chance(tmp_path, monkeypatch):
    java(tmp_path, "meteor", monkeypatch)
    evaluation = found()
    Extra.open("meteor", "", "cpu").add(evaluation, {})
    # of the two rows with references: "a dog" is in "a dog runs", "a" and "cat" are not in "the cow"
    assert evaluation.figures["meteor"] == 0.5 and evaluation.intervals["meteor"] == (0.0, 1.0)
    assert "meteor" not in evaluation.chance


def test_one_that_fails_half_way_leaves_the_others(tmp_path, monkeypatch):
    java(tmp_path, "broken", monkeypatch)
    evaluation = found()
    Extra.open("meteor,rouge", "", "cpu").add(evaluation, {})
    assert "rouge_l" in evaluation.figures and "meteor" not in evaluation.figures
    assert len(evaluation.notes) == 1 and evaluation.notes[0].startswith(
        "meteor gives no figure: metric.meteor: its Java program ended with status 3"
    )


def test_a_metric_that_looks_asks_the_model_that_was_named():
    extra = Extra.open("clipscore", str(eight.directory()), "cpu")
    samples = eight.samples()
    rows = [{"key": s.key, "caption": s.fields["text"][0], "references": s.fields["text"]} for s in samples]
    evaluation = Evaluation(figures={}, rows=rows, num_rows=8)
    extra.add(evaluation, {s.key: s.fields["image"] for s in samples})
    assert extra.looks and evaluation.figures["clipscore"] > evaluation.chance["clipscore"] + 0.5
    assert "ref_clipscore" in evaluation.intervals


def test_each_picture_and_text_is_looked_at_once():
    """Two evaluations with chance are four rounds over the same pictures."""
    samples, asked = eight.samples(), []
    extra = Extra.open("clipscore", str(eight.directory()), "cpu")
    own, extra.embedder.embedder = extra.embedder.embedder, SimpleNamespace()
    extra.embedder.embedder.images = lambda values: asked.extend(map(id, values)) or own.images(values)
    extra.embedder.embedder.texts = lambda values: asked.extend(values) or own.texts(values)
    rows = [{"key": s.key, "caption": s.fields["text"][0], "references": s.fields["text"]} for s in samples]
    first, second = (Evaluation(figures={}, rows=some, num_rows=8) for some in (rows, [dict(row) for row in rows]))
    for evaluation in (first, second):
        extra.add(evaluation, {s.key: s.fields["image"] for s in samples})
    assert first.figures == second.figures and first.figures["clipscore"] > first.chance["clipscore"] + 0.5
    texts = {text for s in samples for text in s.fields["text"]}
    assert len(asked) == len(set(asked)) == 8 + len(texts)


def test_a_model_for_drawn_pictures_alone():
    extra = Extra.open("rouge", str(eight.directory()), "cpu", draws=True)
    assert extra.embedder is not None and not extra.looks
    assert Extra.open("", "", "cpu", draws=True).embedder is None


@pytest.mark.parametrize(
    ("names", "clip", "error", "message"),
    [
        ("metor", "", UnknownNameError, "no metric is called 'metor'. Did you mean 'meteor'"),
        (
            "recall",
            "",
            ConfigError,
            "--metrics recall scores no captions. It can be bleu, cider, clipscore, diversity, me",
        ),
        (
            "clipscore",
            "",
            ConfigError,
            "--metrics clipscore needs a model that matches pictures and texts; name a model",
        ),
        (
            "",
            "m",
            ConfigError,
            "--clip m has no effect without a metric that looks at pictures; add --metrics clipscore",
        ),
        ("clipscore", "/no/such", ConfigError, "metric.clipscore: there is no folder '/no/such'"),
    ],
)
def test_what_cannot_be_asked_for_is_named(names, clip, error, message):
    with pytest.raises(error) as caught:
        Extra.open(names, clip, "cpu")
    assert message in str(caught.value)
