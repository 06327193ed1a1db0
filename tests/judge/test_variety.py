"""How drawn pictures differ, and how near they are to real ones: by hand, and a model that draws one picture of everything."""

import pytest
import torch
from tests import eight
from tests.test_evaluation import batches

from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.judge import variety
from tuwen.judge.variety import distance, energy_distance
from tuwen.model import CrossModal
from tuwen.recipes.adversarial import text_gan
from tuwen.types import Facts, Sample

FACTS = Facts(num_train=8, picture_side=16)


@pytest.fixture
def model():
    recipe = text_gan(FACTS)
    for setting in ("encode.text.width=16", "fuse.words.width=16", "decode.image.widths=8", "decode.image.heads=2"):
        recipe = recipe.with_setting(setting)
    return CrossModal.create(recipe, rows()).eval()


def rows(texts=None, level=None):
    """The eight pictures, or grey ones of these levels."""
    found = eight.samples(16)
    for place, one in enumerate(found):
        one.fields["text"] = [texts[place] if texts else one.fields["text"][0]]
        if level:
            one.fields["image"][:] = level[place]
    return found


def figures(model, samples, **more):
    found = evaluate(model, batches(model, samples), method=Greedy(), objectives={})
    return found.figures, found.chance


def drawing(monkeypatch, model, make):
    """The model draws (text number, seed) -> a level of grey."""
    batch = model.batch(rows(), targets=True)
    known = model(batch).latents["draw"].pooled

    def fake(latent, *, generator=None):
        text = torch.cdist(latent.pooled, known).argmin(1)
        level = make(text.float(), float(generator.initial_seed() if generator else 0))
        return level[:, None, None, None].expand(-1, 3, 16, 16)

    monkeypatch.setattr(model.decoders["image"], "make", fake)


LEVEL = [0, 51, 102, 153, 204, 255, 0, 255]
"""Two neighbours differ by 0.2 five times, by 1 twice, and the last from the first by 1: 4 / 8 = 0.5 on the mean."""


def test_spreads_by_hand(monkeypatch, model):
    """A drawn picture is a tenth of its text's number, and 0.05 brighter with other noise."""
    drawing(monkeypatch, model, lambda text, seed: text / 10 + (0.05 if seed else 0.0))
    texts = [one.fields["text"][0] for one in rows()]
    found, chance = figures(model, rows(level=LEVEL))
    assert found["drawn_spread"] == pytest.approx((7 * 0.1 + 0.7) / 8 / 0.5, abs=1e-4)
    assert found["text_spread"] == pytest.approx((7 * 0.1 + 0.7) / 8 / 0.5, abs=1e-4), "the noise is the same"
    assert "noise_spread" not in found, "no two rows have one text"
    assert chance["drawn_spread"] == chance["text_spread"] == 0.0
    twice = [texts[0], texts[1]] * 4
    found, _ = figures(model, rows(twice, LEVEL))
    assert found["noise_spread"] == pytest.approx(0.05 / ((4 * 0.4 + 0.4 + 0.4) / 6), abs=1e-3)


def test_one_picture_of_everything_has_no_spread_and_is_as_far_as_chance(monkeypatch, model):
    mean = sum(LEVEL) / 8 / 255
    drawing(monkeypatch, model, lambda text, seed: torch.full_like(text, mean))
    found, chance = figures(model, rows(level=LEVEL))
    assert found["drawn_spread"] == found["text_spread"] == 0.0
    assert (
        found["drawn_distance"] == pytest.approx(chance["drawn_distance"], rel=1e-4) and found["drawn_distance"] > 0.2
    )


def test_real_pictures_drawn_are_at_no_distance(monkeypatch, model):
    drawing(monkeypatch, model, lambda text, seed: torch.tensor(LEVEL)[text.long()] / 255)
    found, chance = figures(model, rows(level=LEVEL))
    assert found["drawn_spread"] == pytest.approx(1.0) and found["drawn_distance"] < 0.05 * chance["drawn_distance"]


def test_one_text_for_all_rows_says_nothing_of_texts(model):
    found, _ = figures(model, rows(["a picture"] * 8))
    assert "text_spread" not in found and "noise_spread" in found
    assert "text_spread" in figures(model, rows())[0]


def test_a_new_model_draws_nearly_the_same_of_everything(model):
    found, _ = figures(model, rows())
    assert found["drawn_spread"] < 0.3 and found["text_spread"] < 0.3


def test_rows_without_a_picture_are_left_out(model):
    some = [*rows()[:4], Sample("x", {"text": ["red"]})]
    assert figures(model, some)[0] == figures(model, rows()[:4])[0]
    assert "drawn_spread" not in figures(model, rows()[:1])[0]


def test_able(model):
    assert variety.able(model) and not variety.able(eight.model())


def test_a_critic_of_patches_says_nothing_of_what_is_drawn(model):
    model.recipe = model.recipe.with_setting("objective.adversarial.patches=true")
    assert not variety.able(model)


# -- the distance ------------------------------------------------------------------------------------------------------


def clouds(num, seed, level=0.5, spread=0.2):
    """Pictures of noise around a level."""
    return level + spread * torch.randn(num, 1, 12, 12, generator=torch.Generator().manual_seed(seed))


def test_two_halves_of_one_cloud_are_at_no_distance():
    """Unbiased: over some draws the mean is 0 within its error, and half of the draws are below it."""
    found = torch.tensor([distance(clouds(40, 2 * i), clouds(40, 2 * i + 1)) for i in range(20)])
    assert abs(found.mean()) < 3 * found.std() / 20**0.5 and (found < 0).any()


def test_what_differs_in_light_or_spread_or_texture_is_far():
    real = clouds(60, 0)
    near = abs(distance(real, clouds(60, 1)))
    smooth = torch.nn.functional.avg_pool2d(clouds(60, 1, spread=0.6), 3, 1, 1)
    for other in (clouds(60, 1, level=0.6), clouds(60, 1, spread=0.1), smooth, real[:1].expand(60, -1, -1, -1)):
        assert distance(real, other) > 5 * near


def test_the_energy_distance_by_hand():
    """Of 0 and 2, 2 apart, to 1 and 3, 2 apart: 1, 3, 1 and 1 make 1.5 on the mean, (3 - 2 - 2) / 2; unbiased, so it may
    be below 0."""
    one, other = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]])
    assert energy_distance(one, other) == pytest.approx(-0.5) == energy_distance(other, one)
    assert energy_distance(one, one + 10) == pytest.approx((2 * 10 - 4) / 2)
