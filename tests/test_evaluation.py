"""Judging a model: against numbers by hand, a model that knows nothing, and what is not there."""

import math

import numpy as np
import pytest
import torch
from tests import eight

from tuwen._figures import Rates, caption_rates, recall_rates, truth_rates
from tuwen.data.scenes import draw_one
from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.model import CrossModal
from tuwen.types import Sample


def batches(model, rows=None, size=8):
    rows = eight.samples() if rows is None else rows
    return [model.batch(rows[start : start + size], targets=True) for start in range(0, len(rows), size)]


@pytest.fixture(scope="module")
def found():
    return evaluate(eight.model(), batches(eight.model()), method=Greedy(), bootstrap=True)


@pytest.fixture(scope="module")
def new():
    return CrossModal.create(eight.recipe(), eight.samples()).eval()


def test_a_model_that_knows_the_pictures(found):
    """Chance: one of eight pictures."""
    assert found.figures["bleu_1"] > 0.99 and found.chance["bleu_1"] < 0.7
    assert found.figures["i2t_r1"] == found.figures["t2i_r1"] == 1 and found.chance["i2t_r1"] == pytest.approx(1 / 8)
    assert found.figures["shuffled_gap"] > 0.5
    assert found.figures["contrastive"] < 0.1 < found.chance["contrastive"]
    assert found.figures["distinct_captions"] == 1 and found.figures["commonest_share"] == 1 / 8
    assert found.figures["recall"] == 1


def test_a_model_that_knows_nothing(new):
    """A new one is near chance, and a wrong picture costs it nothing."""
    found = evaluate(new, batches(new), method=Greedy(max_tokens=3))
    assert found.figures["nats_per_token"] == pytest.approx(found.chance["nats_per_token"], abs=0.1)
    assert abs(found.figures["shuffled_gap"]) < 0.05
    assert found.figures["recall"] < 0.9


def test_loss_is_the_weighted_sum(found):
    assert found.figures["loss"] == pytest.approx(found.figures["caption"] + found.figures["contrastive"])
    weighed = evaluate(
        eight.model(), batches(eight.model()), method=Greedy(), weight={"caption": 0.0, "contrastive": 3.0}
    )
    assert weighed.figures["loss"] == pytest.approx(3 * found.figures["contrastive"], rel=1e-4)


def test_terms_are_those_of_the_objectives(found):
    model = eight.model()
    batch = batches(model)[0]
    with torch.no_grad():
        made = model(batch)
        for name, config in model.recipe.objective.items():
            assert found.figures[name] == pytest.approx(config.build()(made, batch).values[name].item(), rel=1e-5)


def test_means_are_over_rows_however_they_are_batched(found):
    """5 + 3 rows: what is a mean over tokens and what is collected over all rows comes out the same."""
    model = eight.model()
    other = evaluate(model, batches(model, size=5), method=Greedy())
    for name in ("nats_per_token", "bleu_1", "cider", "i2t_r1", "t2i_median_rank", "distinct_captions"):
        assert other.figures[name] == pytest.approx(found.figures[name], rel=1e-4), name


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


def test_captions_are_those_of_the_task(found):
    model = eight.model()
    responses = model.caption([one.fields["image"] for one in eight.samples()], beam=1)
    assert [one["caption"] for one in found.captions] == [response.caption for response in responses]
    assert [one["logprob"] for one in found.captions] == pytest.approx(
        [response.logprob for response in responses], abs=2e-3
    )
    assert found.captions[0]["key"] == "red" and found.captions[0]["references"] == eight.texts("red")


def test_beam_is_the_default():
    from tuwen.task.caption import Request, run

    rows = eight.samples()[:2]
    found = evaluate(eight.model(), batches(eight.model(), rows), shuffled=False)
    responses = run(eight.model(), [Request(image=one.fields["image"], beam=5) for one in rows])
    assert [one["caption"] for one in found.captions] == [response.caption for response in responses]


def test_only_what_the_model_can():
    matcher, writer = eight.model(captions=False, steps=1), eight.model(match=False, steps=1)
    match = evaluate(matcher, batches(matcher), method=Greedy())
    write = evaluate(writer, batches(writer), method=Greedy())
    assert "i2t_r1" in match.figures and not {"bleu_1", "caption", "shuffled_gap"} & match.figures.keys()
    assert "bleu_1" in write.figures and not {"i2t_r1", "contrastive"} & write.figures.keys()


def test_rows_without_captions_or_pictures():
    """They are normal input: captioned without a score, or left out."""
    model, rows = eight.model(), eight.samples()
    rows[1] = Sample("no text", {"image": rows[1].fields["image"], "text": []})
    rows[2] = Sample("no picture", {"image": None, "text": ["a word"]})
    found = evaluate(model, batches(model, rows), method=Greedy())
    assert [one["key"] for one in found.captions] == ["red", "no text", "green", "blue", "purple", "white", "black"]
    assert found.figures["num_captions"] == 7 and found.figures["bleu_1"] > 0.99


def test_no_rows():
    assert evaluate(eight.model(), []).figures == {}


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


def test_the_model_is_left_as_it_was():
    model = eight.model()
    before = torch.get_rng_state()
    evaluate(model, batches(model), method=Greedy())
    assert not model.training and torch.equal(before, torch.get_rng_state())
    model.train()
    try:
        evaluate(model, batches(model), method=Greedy())
        assert model.training
    finally:
        model.eval()


# -- figures with intervals ---------------------------------------------------------------------------------------


def test_intervals_hold_the_figure(found):
    for name, (low, high) in found.intervals.items():
        assert low - 1e-9 <= found.figures[name] <= high + 1e-9, name
    assert {"bleu_4", "cider", "recall", "i2t_r1"} <= found.intervals.keys()


def test_interval_of_a_mean_is_that_of_theory():
    """Share 0.3 of 400: 0.3 +- 1.96 sqrt(0.3 * 0.7 / 400) = 0.255 to 0.345."""
    hits = np.repeat([1.0, 0.0], [120, 280])
    rates = Rates(rows_NM=np.column_stack([hits, np.ones(400)]), of=lambda sums: {"share": sums[0] / sums[1]}, more={})
    low, high = rates.intervals()["share"]
    assert (low, high) == pytest.approx((0.255, 0.345), abs=0.008)
    assert rates.intervals() == rates.intervals(), "same seed, same interval"


def test_caption_rates_are_those_of_the_metrics():
    from tuwen.metric._captions import score_captions

    captions = ["a red picture", "this is a blue dog that runs", "no word in common"]
    references = [["a red picture of a thing", "red"], ["this is a blue dog that walks"], ["other things"]]
    found, wanted = caption_rates(captions, references).figures, score_captions(captions, references).scores
    assert found.keys() == wanted.keys() and all(found[name] == pytest.approx(wanted[name]) for name in wanted)


def test_recall_by_hand():
    """Two pictures, four texts; the second picture's texts look like the first one."""
    image = torch.eye(2)
    text = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    rates, chance = recall_rates(image, text, torch.tensor([4, 7]), torch.tensor([4, 4, 7, 7]))
    figures = rates.figures
    assert figures["i2t_r1"] == pytest.approx((2 / 3 + 1) / 2), (
        "picture 4: two of three tied are its own; picture 7: sure"
    )
    assert figures["t2i_r1"] == 0.75 and figures["t2i_r5"] == 1
    assert chance["t2i_r1"] == 0.5 and chance["i2t_r1"] == 0.5
    low, high = rates.intervals()["t2i_r1"]
    assert (low, high) == (0.5, 1.0), "the rows are pictures: their texts are drawn together"


def test_recall_leaves_out_texts_without_a_picture():
    rates, _ = recall_rates(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), torch.tensor([1, 3]))
    assert rates.figures["t2i_r1"] == 0 and len(rates.rows_NM) == 1
    assert recall_rates(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), torch.tensor([2, 3])) is None


def test_chance_of_the_contrastive_loss(found):
    """8 pictures with 2 texts each: (ln(1 + 14) + ln(8)) / 2."""
    assert found.chance["contrastive"] == pytest.approx((math.log(15) + math.log(8)) / 2)
