"""Every file in fuse/ passes this: any field may be missing, for some rows or for all."""

from dataclasses import replace

import pytest
import torch
from tests.contract._parts import (
    again,
    alike,
    every,
    flags,
    latent,
    make,
    make_config,
    same,
    survives_json,
    without_gradient,
)

from tuwen.errors import ConfigError, ShapeError
from tuwen.types import Latent, Widths

ROWS = 4
"""Row 0 has both fields, row 1 a picture, row 2 nothing, row 3 two texts."""


@pytest.fixture(params=every("fuse"))
def config(request):
    return make_config(request.param)


@pytest.fixture
def build(config):
    return lambda: config.build({"image": Widths(12, 10), "text": Widths(8, 6)})


@pytest.fixture
def part(build):
    return make(build, [])


def given() -> dict[str, Latent]:
    image = replace(latent(2), owner_P=torch.tensor([0, 1]))
    text = replace(latent(3, 8, 6, tokens=5, seed=2, masked=True), owner_P=torch.tensor([0, 3, 3]))
    return {"image": image, "text": text}


def test_outputs_have_the_widths_that_the_part_says(part):
    made = part(given(), ROWS)
    assert made.pooled.shape == (ROWS, part.widths.pooled)
    assert made.tokens.shape[::2] == (ROWS, part.widths.tokens)
    assert made.mask is None or made.mask.shape == made.tokens.shape[:2]
    assert made.owner_P is None


def test_a_row_with_nothing_is_zeros(part):
    made = part(given(), ROWS)
    assert not made.pooled[2].any() and not made.tokens[2].any()
    assert made.pooled[[0, 1, 3]].any(1).all()


def test_a_field_that_the_whole_batch_lacks_changes_nothing_for_the_others(part):
    both, text = part(given(), ROWS), part({"text": given()["text"]}, ROWS)
    torch.testing.assert_close(both.pooled[3], text.pooled[3], atol=1e-5, rtol=1e-4)
    assert not text.pooled[1].any()


def test_the_first_of_several_values_counts(part):
    latents = given()
    fewer = latents | {"text": latents["text"].rows(torch.tensor([0, 1]))}
    same(part(latents, ROWS), part(fewer, ROWS), atol=1e-6, rtol=1e-5)


def test_the_order_of_the_fields_does_not_matter(part):
    latents = given()
    turned = {"text": latents["text"], "image": latents["image"]}
    torch.testing.assert_close(part(latents, ROWS).pooled, part(turned, ROWS).pooled, atol=1e-6, rtol=1e-5)


def test_values_without_owners_are_one_a_row(part):
    bare = {"image": latent(ROWS), "text": latent(ROWS, 8, 6, tokens=5)}
    owned = {name: replace(one, owner_P=torch.arange(ROWS)) for name, one in bare.items()}
    same(part(bare, ROWS), part(owned, ROWS), atol=0, rtol=0)


def test_rows_do_not_see_each_other(part):
    whole = part(given(), ROWS)
    alone = part({"image": replace(given()["image"].rows(torch.tensor([1])), owner_P=torch.tensor([0]))}, 1)
    torch.testing.assert_close(whole.pooled[1], alone.pooled[0], atol=1e-5, rtol=1e-4)


def test_what_is_masked_is_not_seen(part):
    latents = given()
    changed = latents["text"].tokens.clone()
    changed[~latents["text"].mask] = 100.0
    other = latents | {"text": replace(latents["text"], tokens=changed)}
    torch.testing.assert_close(part(latents, ROWS).pooled, part(other, ROWS).pooled)


def test_every_trainable_parameter_gets_a_gradient(part):
    assert without_gradient(part.train(), part(given(), ROWS)) == []


def test_a_field_that_it_was_not_built_for_is_refused(part):
    with pytest.raises(ShapeError, match=r"fuses the fields image, text; got audio\. Give at least one of them\."):
        part({"audio": latent(ROWS)}, ROWS)
    with pytest.raises(ShapeError, match="got none"):
        part({}, ROWS)


def test_no_field_is_refused(config):
    with pytest.raises(ConfigError, match="has no field to fuse"):
        config.build({})


def test_config_survives_json(config):
    assert survives_json(config, "fuse")


def test_a_restored_part_gives_the_same(build, part):
    same(again(part, build)(given(), ROWS), part(given(), ROWS), atol=0, rtol=0)


def test_the_same_seed_gives_the_same(build, part):
    same(make(build, [])(given(), ROWS), part(given(), ROWS), atol=0, rtol=0)


def test_bfloat16_agrees_with_float32(part):
    with torch.autocast("cpu", torch.bfloat16):
        low = part(given(), ROWS)
    alike(part(given(), ROWS), low)


@pytest.mark.parametrize("training", [True, False])
def test_the_training_flag_is_left_alone(part, training):
    before = flags(part.train(training))
    part(given(), ROWS)
    assert flags(part) == before
