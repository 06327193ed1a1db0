from dataclasses import replace

import pytest
import torch
from tests.contract._parts import latent

from tuwen.errors import ConfigError, ShapeError
from tuwen.fuse.attention import Config
from tuwen.types import Widths

WIDTHS = {"image": Widths(12, 10), "text": Widths(8, 6)}


def test_tokens_stand_side_by_side_and_the_mask_says_which_are_there():
    part = Config.tiny().build(WIDTHS)
    image = replace(latent(1), owner_P=torch.tensor([1]))
    text = replace(latent(2, 8, 6, tokens=5, masked=True), owner_P=torch.tensor([0, 1]))
    made = part({"image": image, "text": text}, 2)
    assert made.tokens.shape == (2, 12, 16)
    assert made.mask.sum(1).tolist() == [4, 12]
    assert not made.tokens[~made.mask].any()


def test_a_gradient_through_a_row_with_nothing_is_finite():
    part = Config.tiny().build(WIDTHS)
    part({"image": replace(latent(1), owner_P=torch.tensor([1]))}, 2).pooled.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in part.parameters() if p.grad is not None)


def test_a_field_without_tokens_is_refused():
    part = Config.tiny().build(WIDTHS)
    with pytest.raises(
        ShapeError, match=r"fuse\.attention reads tokens; image gave none\. `mean` fuses pooled vectors\."
    ):
        part({"image": replace(latent(1), tokens=None)}, 1)


def test_a_width_that_does_not_divide_names_the_nearest():
    with pytest.raises(ConfigError, match=r"width 10 is no multiple of heads 4\. Set width=8\."):
        Config(width=10).build(WIDTHS)
