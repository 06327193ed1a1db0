"""Every file in encode/ passes this; a new encoder needs no test of its own to be held to it."""

import pytest
import torch
from tests.contract._parts import again, alike, every, flags, make, make_config, same, survives_json, without_gradient

from tuwen.types import Latent


@pytest.fixture(params=every("encode"))
def config(request):
    return make_config(request.param)


@pytest.fixture
def values(config):
    return config.example(4)


@pytest.fixture
def part(config, values):
    return make(config.build, values)


def run(part, values) -> Latent:
    return part(*part.prepare(values))


def real_tokens(latent: Latent, row: int) -> torch.Tensor:
    return latent.tokens[row] if latent.mask is None else latent.tokens[row][latent.mask[row]]


def test_outputs_have_the_widths_that_the_part_says(part, values):
    latent = run(part, values)
    assert latent.pooled.shape == (4, part.widths.pooled)
    assert latent.tokens.shape[::2] == (4, part.widths.tokens)
    assert latent.mask is None or latent.mask.shape == latent.tokens.shape[:2]
    assert latent.grid is None or torch.Size(latent.grid).numel() == latent.tokens.shape[1]


def test_what_is_prepared_can_be_cached_and_moved(part, values):
    data, mask = part.prepare(values)
    assert data.device.type == "cpu" and len(data) == 4
    assert data.dtype in (torch.uint8, torch.int64, torch.float32)
    assert mask is None or (mask.dtype == torch.bool and len(mask) == 4)


def test_every_trainable_parameter_gets_a_gradient(part, values):
    trainable = [p for p in part.parameters() if p.requires_grad]
    assert trainable or part.frozen
    assert without_gradient(part.train(), run(part, values)) == []


def test_rows_do_not_see_each_other(part, values):
    whole = run(part, values)
    for row in range(4):
        alone = run(part, values[row : row + 1])
        torch.testing.assert_close(whole.pooled[row], alone.pooled[0], atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(real_tokens(whole, row), real_tokens(alone, 0), atol=1e-4, rtol=1e-3)


def test_different_values_have_different_latents(part, values):
    pooled = run(part, values).pooled
    assert not torch.allclose(pooled[0], pooled[1], atol=1e-4)


def test_config_survives_json(config):
    assert survives_json(config, "encode")


def test_a_restored_part_gives_the_same(config, part, values):
    same(run(again(part, config.build), values), run(part, values), atol=0, rtol=0)


def test_the_same_seed_gives_the_same(config, part, values):
    same(run(make(config.build, values), values), run(part, values), atol=0, rtol=0)


def test_bfloat16_agrees_with_float32(part, values):
    with torch.autocast("cpu", torch.bfloat16):
        low = run(part, values)
    alike(run(part, values), low)


@pytest.mark.parametrize("training", [True, False])
def test_the_training_flag_is_left_alone(part, values, training):
    before = flags(part.train(training))
    run(part, values)
    assert flags(part) == before


def test_a_frozen_part_finishes_what_the_cache_stored(part, values):
    if not getattr(part, "frozen", False):
        pytest.skip("not a frozen encoder")
    assert not any(flags(part.train())), "a frozen encoder stays in eval mode"
    assert not any(p.requires_grad for p in part.parameters())
    data, mask = part.prepare(values)
    features = part.features(data, mask)
    assert not features.requires_grad
    same(part.finish(features, mask), part(data, mask), atol=0, rtol=0)
    alike(part(data, mask), part.finish(features.half(), mask))
