"""Errors of pixels and words by hand."""

import math

import pytest
import torch

from tuwen.errors import ConfigError
from tuwen.objective.reconstruction import Config, pixel_nats
from tuwen.types import Batch, Decoded, Made

BATCH = Batch(["a"], {})


def term(decoded, **options):
    return Config(**options).build()(Made(routes={"reconstruct": decoded}), BATCH).values["reconstruction"].item()


def pictures():
    """Two pixels: 0.5 that should be 1, and 0.9 that should be 0.9."""
    logits = torch.tensor([0.0, math.log(9)]).view(1, 1, 1, 2)
    return Decoded(logits.sigmoid(), torch.tensor([1.0, 0.9]).view(1, 1, 1, 2), logits=logits)


def test_by_hand():
    """Squared (0.25 + 0) / 2; absolute 0.5 / 2; bernoulli (ln 2 + 0.9 ln(1 / 0.9) + 0.1 ln 10) / 2."""
    assert term(pictures()) == pytest.approx(0.125)
    assert term(pictures(), kind="absolute") == pytest.approx(0.25)
    by_hand = (math.log(2) - 0.9 * math.log(0.9) - 0.1 * math.log(0.1)) / 2
    assert term(pictures(), kind="bernoulli") == pytest.approx(by_hand)


def test_the_level_of_a_picture_may_count_for_less():
    """Differences -0.5 and 0, mean -0.25: without their mean -0.25 and 0.25; with half of it -0.375 and 0.125."""
    assert term(pictures(), level=0.0) == pytest.approx(0.0625)
    assert term(pictures(), level=0.5) == pytest.approx((0.375**2 + 0.125**2) / 2)
    assert term(pictures(), kind="absolute", level=0.5) == pytest.approx((0.375 + 0.125) / 2)


def test_words_cost_what_they_cost_as_captions():
    """Four words that are equally probable: ln 4."""
    decoded = Decoded(torch.zeros(3, 4), torch.tensor([0, 1, 3]))
    assert term(decoded, kind="words") == pytest.approx(math.log(4))


def test_similar_pictures_cost_nothing():
    picture = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert term(Decoded(picture, picture), kind="ssim") == pytest.approx(0, abs=1e-6)
    assert term(Decoded(1 - picture, picture), kind="ssim") > 0.9


def test_the_best_pixel_is_the_target_itself():
    """Cross-entropy with a soft target is least at the target, where it is its entropy."""
    target = torch.full((1, 1, 1, 1), 0.3)
    at = [Decoded(target, target, logits=torch.logit(torch.full_like(target, p))) for p in (0.2, 0.3, 0.4)]
    costs = [pixel_nats(one).item() for one in at]
    assert costs[1] == min(costs) and costs[1] == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7))


def test_terms_have_the_name_they_are_given():
    made = Made(routes={"image": pictures()})
    assert Config(route="image", term="pixels").build()(made, BATCH).values.keys() == {"pixels"}


def test_a_likelihood_needs_logits():
    with pytest.raises(
        ConfigError, match="this decoder does not give; set decode.image.output=sigmoid, or the objective"
    ):
        term(Decoded(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)), kind="bernoulli")
