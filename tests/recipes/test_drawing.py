"""Recipes that draw from texts can be built for pictures of every size."""

import pytest

from tuwen.model import CrossModal
from tuwen.recipes import drawing
from tuwen.types import Facts, Sample


@pytest.mark.parametrize("side", [3, 8, 21, 28, 32, 33, 36, 37, 40, 41, 64, 480])
@pytest.mark.parametrize("name", ["flow", "flow_distilled", "latent_flow", "gpt_vqvae"])
def test_every_side_can_be_built(name, side):
    rows = [Sample("0", {"text": ["a red circle"]})]
    CrossModal.create(getattr(drawing, name)(Facts(num_train=9, num_captions=9, picture_side=side)), rows)
