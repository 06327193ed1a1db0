"""Captions judged: against numbers by hand, the metrics, and the drawn world."""

import pytest
import torch
from tests import eight
from tests.test_evaluation import batches

from tuwen.data.scenes import draw_one
from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.judge.captions import caption_rates, truth_rates
from tuwen.types import Sample


def test_shuffled_gap_by_hand():
    """Recomputed with the pictures moved by one row, on the first caption of each."""
    model, rows = eight.model(), [Sample(s.key, {**s.fields, "text": s.fields["text"][:1]}) for s in eight.samples()]
    gap = evaluate(model, batches(model, rows), method=Greedy()).figures["shuffled_gap"]
    turned = [
        Sample(a.key, {"image": b.fields["image"], "text": a.fields["text"]})
        for a, b in zip(rows, rows[-1:] + rows[:-1], strict=True)
    ]

    def nats(some):
        decoded = model(model.batch(some, targets=True)).routes["caption"]
        return torch.nn.functional.cross_entropy(decoded.prediction, decoded.target).item()

    with torch.no_grad():
        assert gap == pytest.approx(nats(turned) - nats(rows), rel=1e-3)


def test_a_column_that_happens_to_be_called_scene():
    rows = [Sample(s.key, {**s.fields, "scene": "beach"}) for s in eight.samples()]
    figures = evaluate(eight.model(), batches(eight.model(), rows), method=Greedy()).figures
    assert "bleu_4" in figures and "statement_truth" not in figures


def test_statements_of_scenes():
    """A model that knows only plain colours says little that is true of a scene; the references say nothing else."""
    rows = [draw_one(0, "val", i) for i in range(3)]
    model = eight.model()
    found = evaluate(model, batches(model, rows), method=Greedy())
    assert found.figures["statement_truth"] <= 1 and "statement_recall" in found.figures
    assert not any("unseen" in name for name in found.figures), "no unseen pair occurs in val"
    right = truth_rates([one.fields["text"][0] for one in rows], [one.fields["scene"] for one in rows])
    assert right.figures["statement_truth"] == right.figures["statement_recall"] == 1
    low, high = right.intervals()["statement_truth"]
    assert low == high == 1
    test = [draw_one(0, "test", i) for i in range(4)]
    assert "unseen_truth" in truth_rates([t.fields["text"][0] for t in test], [t.fields["scene"] for t in test]).figures


def test_caption_rates_are_those_of_the_metrics():
    from tuwen.metric._captions import score_captions

    captions = ["a red picture", "this is a blue dog that runs", "no word in common"]
    references = [["a red picture of a thing", "red"], ["this is a blue dog that walks"], ["other things"]]
    found, wanted = caption_rates(captions, references).figures, score_captions(captions, references).scores
    assert found.keys() == wanted.keys() and all(found[name] == pytest.approx(wanted[name]) for name in wanted)
