"""The encoder of a classifier follows the size of the pictures."""

import json

import pytest

from tuwen.recipe import Recipe
from tuwen.recipes.recognition import classifier
from tuwen.types import Facts


@pytest.mark.parametrize(("side", "size", "stride"), [(8, 32, 1), (28, 32, 1), (64, 64, 2), (500, 128, 2)])
def test_sizes(side, size, stride):
    image = classifier(Facts(num_train=1000, picture_side=side)).encode["image"]
    assert (image.size, image.stride) == (size, stride)
    image.build()


def test_json_gives_the_same_recipe():
    recipe = classifier(Facts(num_train=1000))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_few_rows_are_seen_more_often():
    assert classifier(Facts(num_train=100)).train.epochs > classifier(Facts(num_train=100_000)).train.epochs >= 4
