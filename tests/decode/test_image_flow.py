"""A flow learns to draw what a text says, tells it from other texts, and is steered by guidance."""

import pytest
import torch
from tests import eight
from tests.contract._parts import latent

from tuwen.decode.image_flow import Config
from tuwen.encode import text_transformer
from tuwen.errors import ConfigError
from tuwen.model import CrossModal
from tuwen.objective import flow
from tuwen.recipe import Recipe, Train
from tuwen.task._pictures import make
from tuwen.types import Feed, Route, Widths

COLOURS = list(eight.COLOURS)


def recipe() -> Recipe:
    return Recipe(
        name="flow",
        encode={"text": text_transformer.Config.tiny()},
        decode={"image": Config(side=8, patch=1, widths=(16, 32), look=4, heads=2)},
        objective={"flow": flow.Config()},
        routes={"draw": Route(given=("text",), make="image")},
        train=Train(optimiser="muon", lr=3e-3),
    )


@pytest.fixture(scope="module")
def model():
    return eight.learn(CrossModal.create(recipe(), eight.samples()), 150)


def drawn_right(model, guidance=2.0) -> float:
    """The share of colours of which a picture is drawn that is nearer to it than to the others."""
    texts = [f"a {colour} picture" for colour in COLOURS]
    answers = model.draw(texts, guidance=guidance, steps=10)
    mean_K3 = torch.tensor([list(answer.pictures[0].reshape(-1, 3).mean(0)) for answer in answers])
    truth_K3 = torch.tensor([list(sample.fields["image"].reshape(-1, 3).mean(0)) for sample in eight.samples()])
    return float((torch.cdist(mean_K3, truth_K3).argmin(1) == torch.arange(len(COLOURS))).float().mean())


def test_it_draws_what_is_said(model):
    """Chance is 1 in 8."""
    assert drawn_right(model) >= 0.75
    assert drawn_right(model, guidance=0.0) <= 0.4  # as if nothing were said


def test_it_learns_nothing_from_texts_of_other_pictures():
    rows = eight.samples()
    moving = [
        type(row)(row.key, {**row.fields, "text": other.fields["text"]})
        for shift in (1, 2, 3, 5)
        for row, other in zip(rows, rows[shift:] + rows[:shift], strict=True)
    ]
    torch.manual_seed(0)
    assert drawn_right(eight.learn(CrossModal.create(recipe(), rows), 60, moving)) <= 0.4


def test_seeds_decide(model):
    first, again, other = (model.draw("a red picture", steps=3, seed=seed).pictures[0] for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    four = model.draw("a red picture", num=4, steps=3, seed=1).pictures
    assert len(four) == 4 and abs(four[0].astype(int) - first.astype(int)).max() <= 1


def test_a_text_alone_is_drawn_as_beside_others(model):
    texts = ["a red picture", "this is blue", "a green picture"]
    together = model.draw(texts, steps=3)
    alone = [model.draw(text, steps=3) for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert abs(one.pictures[0].astype(int) - other.pictures[0].astype(int)).max() <= 1


def test_guidance_leads_away_from_saying_nothing():
    torch.manual_seed(0)
    part = Config.tiny().build(Widths(12, 10)).eval()
    given, x = latent(2, tokens=5), torch.randn(2, 3, 8, 8)
    with_text, without = (part.velocity(x, 0.3, given, guidance) for guidance in (1.0, 0.0))
    torch.testing.assert_close(
        part.velocity(x, 0.3, given, 2.5), without + 2.5 * (with_text - without), atol=1e-5, rtol=1e-4
    )
    other = latent(2, tokens=5, seed=9)
    torch.testing.assert_close(part.velocity(x, 0.3, other, 0.0), without)  # nothing is said either way


def test_the_loss_is_the_same_each_time_outside_training():
    torch.manual_seed(0)
    part = Config.tiny().build(Widths(12, 10)).eval()
    pixels, mask = part.prepare(Config.tiny().example(3))
    target = Feed(pixels, torch.arange(3), mask)
    first, again = (part(latent(3), target) for _ in range(2))
    assert torch.equal(first.prediction, again.prediction) and torch.equal(first.target, again.target)
    part.train()
    assert not torch.equal(part(latent(3), target).target, first.target)


def test_moments_are_spread_over_a_batch():
    part = Config.tiny().build(Widths(12, 10))
    t_P = part._moments(1000, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert t_P.min() > 0 and t_P.max() < 1
    assert t_P.median().item() == pytest.approx(0.5, abs=0.01)
    assert ((t_P > 0.2689) & (t_P < 0.7311)).float().mean().item() == pytest.approx(0.683, abs=0.01)  # one deviation


def test_a_side_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match=r"side is 30; patch 2 and 3 widths make a multiple of 8\. Set side=32"):
        Config(side=30).build(Widths(8, 8))
    with pytest.raises(ConfigError, match="no multiples of heads, 4"):
        Config(side=64, widths=(10,), patch=1).build(Widths(8, 8))


def test_settings_of_a_flow_are_refused_elsewhere(model):
    with pytest.raises(ConfigError, match=r"method is 'eular'\. Did you mean 'euler'"):
        model.draw("a red picture", method="eular")
    with pytest.raises(ConfigError, match="steps is 0; it is at least 1"):
        model.draw("a red picture", steps=0)


def test_a_line_between_two_texts_begins_with_one_noise(model):
    with torch.inference_mode():
        given = model.latent(
            "text", model.batch([type(eight.samples()[0])("0", {"text": "a red picture"})]).inputs["text"]
        )
        same = given.rows(torch.zeros(3, dtype=torch.int64))
        made = make(model, "draw", same, alike=True)
    torch.testing.assert_close(made[0], made[2], atol=1e-4, rtol=1e-4)
