"""The recipes that learn to draw from a critic: what they are made of for which pictures."""

from dataclasses import replace

import pytest
import torch

from tuwen.model import CrossModal
from tuwen.objective import adversarial, clip_guidance
from tuwen.recipes.adversarial import clip_gan, text_gan
from tuwen.types import Facts, Sample

CLOTHES = Facts(num_train=50_000, num_captions=50_000, picture_side=28, picture_channels=1, words_per_caption=1.1)
SCENES = Facts(num_train=8_000, num_captions=32_000, picture_side=64)


def begun(recipe):
    """Its model, and its critic, which fits what the model draws."""
    model = CrossModal.create(recipe, [Sample("a", {"text": ["a red dog"]})])
    side, channels = recipe.decode["image"].side, recipe.decode["image"].channels
    picture = torch.zeros(side, side, 3, dtype=torch.uint8).numpy()
    rows = [Sample(str(i), {"text": [f"{i} dogs"], "image": picture}) for i in range(2)]
    batch = model.batch(rows, targets=True)
    objective = recipe.objective["adversarial"].build()
    made = model(batch)
    objective.begin(made)
    assert objective.against(made, batch).values["critic"].isfinite()
    assert made.routes["draw"].prediction.shape == (2, channels, side, side)
    return model


def test_clothes_are_drawn_in_grey_at_their_size():
    recipe = text_gan(CLOTHES)
    assert (recipe.decode["image"].side, recipe.decode["image"].channels) == (28, 1)
    assert recipe.decode["image"].noise > 0 and recipe.train.ema > 0 and recipe.train.metric == "drawn_distance"
    begun(recipe)


def test_scenes_are_drawn_in_colour_from_their_words():
    recipe = text_gan(SCENES)
    assert (recipe.decode["image"].side, recipe.decode["image"].read) == (64, "tokens")
    begun(recipe)


@pytest.mark.parametrize("side", [3, 8, 16, 21, 27, 32, 33, 480])
def test_every_side_can_be_built(side):
    begun(text_gan(replace(CLOTHES, picture_side=side)))


def test_clip_gan_is_text_gan_and_a_guide():
    plain, guided = text_gan(SCENES), clip_gan(SCENES)
    assert isinstance(guided.objective["clip_guidance"], clip_guidance.Config)
    assert isinstance(guided.objective["adversarial"], adversarial.Config)
    assert replace(guided, name="text-gan", objective=plain.objective, weight=plain.weight) == plain
    named = guided.with_setting("objective.clip_guidance.source=matches")
    assert named.objective["clip_guidance"].source == "matches"


def test_few_pictures_are_changed_before_the_critic_sees_them():
    assert text_gan(SCENES).objective["adversarial"].changes
    assert not text_gan(CLOTHES).objective["adversarial"].changes
