"""A recipe survives JSON, and `--set` says what it can and cannot take."""

import json
from dataclasses import replace

import pytest

from tuwen.decode.text_transformer import Config as TextTransformer
from tuwen.errors import ConfigError, UnknownNameError
from tuwen.objective.caption import Config as Caption
from tuwen.recipe import FORMAT, Recipe, dump_part, load_part, name_of
from tuwen.space.projection import Config as Projection
from tuwen.types import Route


@pytest.fixture
def recipe():
    return Recipe(
        name="small",
        space={"image": Projection(width=32, pool="attention")},
        decode={"text": TextTransformer(width=32, heads=2)},
        objective={"caption": Caption(smoothing=0.1)},
        weight={"caption": 2.0},
        routes={"caption": Route(given=("image",), make="text")},
    )


def through_json(recipe):
    return json.loads(json.dumps(recipe.to_dict()))


def test_json_gives_the_same_recipe(recipe):
    again = Recipe.from_dict(through_json(recipe))
    assert again == recipe
    assert again.train.betas == (0.9, 0.98)
    assert again.routes["caption"].given == ("image",)


def test_json_carries_a_format_and_the_names_of_parts(recipe):
    raw = through_json(recipe)
    assert raw["format"] == FORMAT
    assert raw["decode"]["text"]["use"] == "text_transformer"


def test_a_variant_is_one_line(recipe):
    fast = replace(recipe, train=replace(recipe.train, lr=1.0))
    assert (fast.train.lr, recipe.train.lr) == (1.0, 1e-3)


@pytest.mark.parametrize(
    ("setting", "read", "value"),
    [
        ("train.lr=3e-4", lambda r: r.train.lr, 3e-4),
        ("train.steps=1e3", lambda r: r.train.steps, 1000),
        ("train.betas=0.8,0.9", lambda r: r.train.betas, (0.8, 0.9)),
        ("train.betas=(0.8, 0.9)", lambda r: r.train.betas, (0.8, 0.9)),
        ("train.precision=float32", lambda r: r.train.precision, "float32"),
        ("train.device=cuda:1", lambda r: r.train.device, "cuda:1"),
        ("weight.caption=0.5", lambda r: r.weight, {"caption": 0.5}),
        ("weight.other=3", lambda r: r.weight, {"caption": 2.0, "other": 3.0}),
        ("space.image.width=64", lambda r: (r.space["image"].width, r.space["image"].pool), (64, "attention")),
        ("space.text=projection", lambda r: r.space["text"], Projection()),
        (" train.lr =1", lambda r: r.train.lr, 1.0),
        ("train.seed=9007199254740993", lambda r: r.train.seed, 9007199254740993),
        ("train.steps=1e3", lambda r: r.train.steps, 1000),
    ],
)
def test_settings(recipe, setting, read, value):
    changed = recipe.with_setting(setting)
    assert read(changed) == value
    assert changed != recipe
    assert Recipe.from_dict(through_json(changed)) == changed


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("train.lr", r"--set takes path=value, got 'train.lr'; for example --set train.lr=1e-3"),
        ("trian.lr=1", r"'trian.lr' cannot be set. Did you mean 'train'\? Settings begin with: encode, space, fuse"),
        ("train=1", r"'train' cannot be set.* Settings begin with: "),
        ("train.lrr=1", r"train has no field 'lrr'; did you mean 'lr'.*\? Fields: epochs, steps"),
        ("train.lr=fast", r"train.lr is a number, got 'fast'"),
        ("train.steps=1.5", r"train.steps is a whole number, got '1.5'"),
        ("train.precision=bfloat", r"train.precision is one of auto, float32, bfloat16, got 'bfloat'.*'bfloat16'"),
        ("train.betas=0.9", r"train.betas is 2 values with commas between, got '0.9'"),
        ("train.betas=0.9,1", r"train.betas is \(0.9, 1.0\); two numbers from 0 to below 1"),
        ("train.lr=-1", r"train.lr is -1.0; it is 0 or more"),
        ("train.seed=-1", r"train.seed is -1; it is 0 or more"),
        ("train.batch=0", r"train.batch is 0; it is 1 or more"),
        ("train.betas=0.8,x", r"train.betas is a number, got 'x'"),
        ("weight.caption=heavy", r"weight.caption is a number, got 'heavy'"),
        ("space.imag.width=3", r"space of recipe 'small' has no 'imag'. Did you mean 'image'\? It has: image."),
        ("space.image.widht=3", r"space.image has no field 'widht'; did you mean 'width'.*\? Fields: width, embed"),
        ("space.image.pool=sum", r"space.image.pool is one of encoder, attention, mean, max, got 'sum'"),
        ("space.image.width.deep=3", r"'space.image.width.deep' is too deep; a setting is space.image.FIELD=VALUE"),
    ],
)
def test_a_setting_that_cannot_be(recipe, setting, text):
    with pytest.raises(ConfigError, match=text):
        recipe.with_setting(setting)


def test_a_setting_of_an_unknown_part(recipe):
    with pytest.raises(UnknownNameError, match=r"no space is called 'projektion'. Did you mean 'projection'"):
        recipe.with_setting("space.image=projektion")


def changed(recipe, *path, value):
    raw = through_json(recipe)
    at = raw
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("space", "image", "widht"), 3, r"space.image has no field 'widht'; did you mean 'width'"),
        (("spaec",), {}, r"recipe has no field 'spaec'; did you mean 'space'"),
        (("train", "zzz"), 3, r"train has no field 'zzz'. Fields: epochs, steps"),
        (("routes", "caption", "giben"), [], r"routes.caption has no field 'giben'; did you mean 'given'"),
        (
            ("format",),
            FORMAT + 1,
            rf"this recipe has format {FORMAT + 1}; this tuwen reads up to {FORMAT}. Upgrade: pip",
        ),
    ],
)
def test_a_stored_recipe_that_cannot_be(recipe, path, value, text):
    with pytest.raises(ConfigError, match=text):
        Recipe.from_dict(changed(recipe, *path, value=value))


def test_a_stored_part_needs_a_name(recipe):
    raw = through_json(recipe)
    del raw["space"]["image"]["use"]
    with pytest.raises(
        ConfigError, match=r"space.image does not say which part it is: it needs 'use'. `tuwen list space`"
    ):
        Recipe.from_dict(raw)


def test_a_stored_part_that_is_not_registered(recipe):
    with pytest.raises(UnknownNameError, match="no decode is called 'text_rn'"):
        Recipe.from_dict(changed(recipe, "decode", "text", "use", value="text_rn"))


def test_a_required_field_that_lacks(recipe):
    with pytest.raises(ConfigError, match=r"routes.caption: .*missing.*'given'"):
        Recipe.from_dict(changed(recipe, "routes", "caption", value={"make": "text"}))


def test_a_config_knows_its_part():
    assert name_of(Caption()) == ("objective", "caption")
    assert load_part("objective", "objective.caption", dump_part(Caption())) == Caption()


def test_a_config_from_nowhere_is_refused():
    with pytest.raises(ConfigError, match="belongs to no registered part"):
        name_of(Stray())


class Stray:
    """A Config of no part."""
