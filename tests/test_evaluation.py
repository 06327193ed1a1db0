"""Judging a model: against numbers by hand, a model that knows nothing, and what is not there."""

import pytest
import torch
from tests import drawing, eight

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


def test_it_says_of_which_figures_the_smallest_is_best(found):
    assert {"loss", "caption", "contrastive", "nats_per_token", "i2t_median_rank"} <= found.less
    assert not {"cider", "recall", "i2t_r1"} & found.less


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


def test_captions_are_those_of_the_task(found):
    model = eight.model()
    responses = model.caption([one.fields["image"] for one in eight.samples()], beam=1)
    assert [one["caption"] for one in found.rows] == [response.caption for response in responses]
    assert [one["logprob"] for one in found.rows] == pytest.approx(
        [response.logprob for response in responses], abs=2e-3
    )
    assert found.rows[0]["key"] == "red" and found.rows[0]["references"] == eight.texts("red")


def test_beam_is_the_default():
    from tuwen.task.caption import Request, run

    rows = eight.samples()[:2]
    found = evaluate(eight.model(), batches(eight.model(), rows), shuffled=False)
    responses = run(eight.model(), [Request(image=one.fields["image"], beam=5) for one in rows])
    assert [one["caption"] for one in found.rows] == [response.caption for response in responses]


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
    assert [one["key"] for one in found.rows] == ["red", "no text", "green", "blue", "purple", "white", "black"]
    assert found.figures["num_captions"] == 7 and found.figures["bleu_1"] > 0.99


def test_no_rows():
    assert evaluate(eight.model(), []).figures == {}


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


def test_intervals_hold_the_figure(found):
    for name, (low, high) in found.intervals.items():
        assert low - 1e-9 <= found.figures[name] <= high + 1e-9, name
    assert {"bleu_4", "cider", "recall", "i2t_r1"} <= found.intervals.keys()


def test_what_counts_in_training_only_is_no_figure():
    """The pictures that a distilled model learned from were its own; of real ones the same formula is another figure."""
    model = drawing.distilled(few=3)
    found = evaluate(model, [model.batch(eight.samples(8), targets=True)])
    assert "flow" in found.figures and "distillation" not in found.figures
    assert found.figures["loss"] == found.figures["flow"]
