"""Pictures and texts through one space: four ways, learned also where one side is missing, asked with one side."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from tests import eight
from tests.test_evaluation import batches

import tuwen
from tuwen.directory import save
from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.model import CrossModal
from tuwen.recipe import Train
from tuwen.recipes.autoencoding import multimodal_autoencoder
from tuwen.space.bottleneck import Bottleneck
from tuwen.types import Facts, Sample

FACTS = Facts(num_train=8, num_captions=16, picture_side=16, words_per_caption=3.0)
WAYS = ("reconstruct", "repeat", "caption", "draw")
STEPS = 60


def recipe(facts=FACTS):
    """The recipe with small parts; every row with all its texts."""
    base = multimodal_autoencoder(facts)
    text = {"width": 32, "heads": 2, "layers": 1, "vocabulary": 300}
    return replace(
        base,
        encode={
            "image": replace(base.encode["image"], stem=8, widths=(8, 16)),
            "text": replace(base.encode["text"], **text),
        },
        space={name: replace(config, width=24) for name, config in base.space.items()},
        decode={
            "image": replace(base.decode["image"], widths=(16, 8)),
            "text": replace(base.decode["text"], **text),
        },
        train=Train(seed=3),
    )


def rows():
    return eight.samples(16)


def one_sided(sides):
    """The eight, each whole or with one side of it only."""
    kept = {"whole": ("image", "text"), "picture": ("image",), "text": ("text",)}
    return [
        Sample(one.key, {"image": None, "text": [], **{f: one.fields[f] for f in kept[side]}}, "train")
        for one, side in zip(rows(), sides, strict=True)
    ]


@functools.cache
def model(sides=("whole",) * 8):
    return eight.learn(CrossModal.create(recipe(), rows()), STEPS, one_sided(sides))


def judged(model, samples=None):
    return evaluate(model, batches(model, samples or rows()), method=Greedy())


def test_it_learns_all_four_ways():
    """Chance: the mean picture, captions of another row, one of eight pictures."""
    found = judged(model())
    for name in ("mse", "draw_mse"):
        assert found.figures[name] < found.chance[name] / 4, name
    assert found.figures["bleu_1"] > 0.95 > found.chance["bleu_1"] + 0.2 and found.figures["shuffled_gap"] > 0.3
    assert (
        found.figures["repeat"] < 0.7 and found.figures["caption"] < 0.7
    )  # two captions of each: ln(2) for the first word
    assert found.figures["i2t_r1"] > 0.9 and found.chance["i2t_r1"] == pytest.approx(1 / 8)
    assert found.figures["alignment"] < 0.2


def test_before_learning_it_knows_nothing():
    found = judged(CrossModal.create(recipe(), rows()).eval())
    assert found.figures["mse"] > found.chance["mse"] * 0.9 and found.figures["alignment"] > 0.7
    assert found.figures["caption"] > 3


def test_without_its_space_it_learns_nothing(monkeypatch):
    """Broken on purpose: all that goes in lies in one place."""
    monkeypatch.setattr(Bottleneck, "forward", lambda part, latent: latent.at(torch.zeros(len(latent), 24)))
    found = judged(eight.learn(CrossModal.create(recipe(), rows()), STEPS, rows()))
    assert (
        found.figures["mse"] > found.chance["mse"] * 0.9 and found.figures["draw_mse"] > found.chance["draw_mse"] * 0.9
    )
    assert abs(found.figures["shuffled_gap"]) < 1e-4 and found.figures["i2t_r1"] < 0.3


def test_what_is_missing_is_learned_from_the_rest():
    """Of the eight, three are whole, three pictures alone, two texts alone: a row learns the ways that it has."""
    sides = ("whole", "picture", "text", "whole", "picture", "text", "whole", "picture")
    learned = model(sides)
    for one, side in zip(rows(), sides, strict=True):
        if side != "text":
            assert learned.reconstruct(one.fields["image"]).error < 0.02
        if side == "whole":
            assert one.key in learned.reconstruct(one.fields["image"], make="text").text
        if side != "picture":
            batch = learned.batch([Sample("0", {"text": one.fields["text"]})], targets=True)
            with torch.no_grad():
                made = learned(batch)
            assert set(made.routes) == {"repeat"}
            assert (
                torch.nn.functional.cross_entropy(made.routes["repeat"].prediction, made.routes["repeat"].target) < 0.7
            )


@pytest.mark.parametrize("side", ["picture", "text"])
def test_a_batch_of_one_side_alone(side):
    """Only its own way is gone; every weight on it learns, and no other."""
    fresh = CrossModal.create(recipe(), rows()).train()
    batch = fresh.batch(one_sided((side,) * 8), targets=True)
    made = fresh(batch)
    own = {"picture": "reconstruct", "text": "repeat"}[side]
    assert set(made.routes) == {own} and len(made.latents) == 1
    terms = [objective(made, batch).values for objective in (c.build() for c in fresh.recipe.objective.values())]
    values = {name: value for term in terms for name, value in term.items()}
    assert set(values) == {own}
    values[own].backward()
    field = {"picture": "image", "text": "text"}[side]
    moved = {name.split(".")[1] for name, weight in fresh.named_parameters() if weight.grad is not None}
    assert moved == {field}


def test_missing_rows_change_no_other_row():
    """Rows that are whole have the same terms beside rows of one side as alone, in evaluation."""
    learned = model()
    whole, mixed = one_sided(("whole",) * 3 + ("picture",) * 3 + ("text",) * 2)[:3], None
    mixed = [*whole[:1], Sample("p", {"image": rows()[5].fields["image"], "text": []}), *whole[1:]]
    mixed.insert(2, Sample("t", {"image": None, "text": ["a pink picture"]}))
    with torch.no_grad():
        alone, among = (learned(learned.batch(some, targets=True)) for some in (whole, mixed))
    for way in ("caption", "draw"):
        torch.testing.assert_close(among.routes[way].prediction, alone.routes[way].prediction, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(among.routes[way].target, alone.routes[way].target)


@pytest.mark.parametrize("sides", [("picture",) * 8, ("text",) * 8, ("whole", "picture", "text") * 2 + ("text",) * 2])
def test_judging_rows_of_one_side(sides):
    """What cannot be judged has no figure; nothing else breaks."""
    found = judged(model(), one_sided(sides)).figures
    assert ("mse" in found) == any(side != "text" for side in sides)
    assert ("draw_mse" in found) == ("whole" in sides) == ("alignment" in found)


def test_a_loaded_one_fills_the_missing_side(tmp_path):
    save(model(), tmp_path / "m")
    loaded = tuwen.load(tmp_path / "m")
    assert {"caption", "draw", "match", "reconstruct"} <= set(loaded.can())
    picture = rows()[0].fields["image"]
    asked = ({"text": "a red picture"}, {"image": picture}, {"image": picture, "make": "text"})
    for options in (*asked, {"text": "a red picture", "make": "text"}):
        a, b = loaded.reconstruct(**options), model().reconstruct(**options)
        assert np.array_equal(a.made, b.made) and (a.text, a.error) == (b.text, b.error)
    drawn = loaded.reconstruct(text="a red picture")
    assert np.abs(drawn.made.mean((0, 1)) - eight.COLOURS["red"]).max() < 40 and drawn.error is None
    assert np.array_equal(loaded.draw("a red picture").pictures[0], drawn.made)
    assert "red" in loaded.reconstruct(picture, make="text").text


def test_a_picture_and_its_text_lie_together():
    """Each of the eight lies nearer to its own texts than to others."""
    learned = model()
    images = learned.encode([one.fields["image"] for one in rows()])
    texts = learned.encode([eight.texts(one.key)[0] for one in rows()])
    assert images.shape == texts.shape == (8, 24)
    assert ((images @ texts.T).argmax(1) == torch.arange(8)).sum() >= 7  # chance: one


@pytest.mark.parametrize("side", [8, 16, 28, 32, 64, 480])
def test_it_can_be_built_for_every_side(side):
    built = CrossModal.create(multimodal_autoencoder(replace(FACTS, picture_side=side)), rows())
    assert {part.widths.pooled for part in built.spaces.values()} == {256}
    assert built.decoders["image"].side == min(64, side)


def test_both_sides_go_into_one_space_of_one_width():
    for a, b in combinations(multimodal_autoencoder(FACTS).space.values(), 2):
        assert a == b
