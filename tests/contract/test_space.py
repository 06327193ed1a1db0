"""Every file in space/ passes this."""

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
    one_row,
    same,
    survives_json,
    without_gradient,
)

from tuwen.types import Widths


@pytest.fixture(params=every("space"))
def config(request):
    return make_config(request.param)


@pytest.fixture
def build(config):
    return lambda: config.build(Widths(12, 10))


@pytest.fixture
def part(build):
    return make(build, [])


def test_outputs_have_the_widths_that_the_part_says(part):
    made = part(latent(3))
    assert made.pooled.shape == (3, part.widths.pooled)
    assert made.tokens is None or made.tokens.shape[::2] == (3, part.widths.tokens)


def test_what_is_known_of_the_values_is_kept(part):
    given = replace(latent(3, masked=True), owner_P=torch.tensor([0, 0, 1]), grid=(1, 7))
    made = part(given)
    assert made.owner_P is given.owner_P
    if made.tokens is not None and made.tokens.shape[1] == 7:
        assert made.grid == (1, 7) and torch.equal(made.mask, given.mask)


def test_every_trainable_parameter_gets_a_gradient(part):
    assert without_gradient(part.train(), part(latent(3))) == []


def test_rows_do_not_see_each_other(part):
    given = latent(3, masked=True)
    whole = part(given)
    for row in range(3):
        alone = part(one_row(given, row))
        torch.testing.assert_close(alone.pooled[0], whole.pooled[row], atol=1e-5, rtol=1e-4)
        if whole.tokens is not None:
            torch.testing.assert_close(alone.tokens[0], whole.tokens[row], atol=1e-5, rtol=1e-4)


def test_config_survives_json(config):
    assert survives_json(config, "space")


def test_a_restored_part_gives_the_same(build, part):
    same(again(part, build)(latent(3)), part(latent(3)), atol=0, rtol=0)


def test_the_same_seed_gives_the_same(build, part):
    same(make(build, [])(latent(3)), part(latent(3)), atol=0, rtol=0)


def test_bfloat16_agrees_with_float32(part):
    with torch.autocast("cpu", torch.bfloat16):
        low = part(latent(3))
    alike(part(latent(3)), low)


@pytest.mark.parametrize("training", [True, False])
def test_the_training_flag_is_left_alone(part, training):
    before = flags(part.train(training))
    part(latent(3))
    assert flags(part) == before
