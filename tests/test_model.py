"""Vectors of pictures and texts in the shared space, asked of a model itself."""

import pytest
import torch
from tests import eight

from tuwen.errors import CannotError

IMAGES = [sample.fields["image"] for sample in eight.samples()]


@pytest.mark.parametrize("field", ["image", "text", ""])
def test_vectors_of_nothing_are_none(field):
    assert eight.model().encode([], field=field).shape == (0, eight.model().encode(IMAGES[0]).shape[1])


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_model_stays_as_it_was(training):
    model = eight.model()
    try:
        first, second = (model.train(training).encode(IMAGES) for _ in range(2))
        assert model.training == training and all(part.training == training for part in model.modules())
    finally:
        model.eval()
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(len(IMAGES)))


def test_a_text_longer_than_what_was_learned_is_cut():
    long, cut = (eight.model().encode("red " * num) for num in (5000, 4000))
    torch.testing.assert_close(long, cut)


def test_batches_change_nothing():
    torch.testing.assert_close(eight.model().encode(IMAGES, batch=3), eight.model().encode(IMAGES))


def test_what_it_cannot_encode_is_named():
    with pytest.raises(CannotError, match="no encoder of 'sound'; it encodes: image, text"):
        eight.model().encode("a", field="sound")
