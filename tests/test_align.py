"""Which target belongs to which latent: missing sides, several captions of a picture, several things to make from."""

import pytest
import torch

from tuwen.errors import ShapeError
from tuwen.model import _of_given, align
from tuwen.types import Feed, Latent


def latent(*owner):
    return Latent(torch.arange(len(owner))[:, None].float(), owner_P=torch.tensor(owner))


def feed(*owner):
    """Values that say which they are, the mask too."""
    count = len(owner)
    return Feed(torch.arange(count)[:, None], torch.tensor(owner), torch.arange(count)[:, None] > 0)


def pairs(latent, target, rows):
    """(number of the latent, number of the target) of all that is made."""
    same, found = align(latent, target, rows)
    assert same is latent
    assert torch.equal(found.mask, found.data > 0)
    return list(zip(found.owner_P.tolist(), found.data[:, 0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("given", "made", "wanted"),
    [
        ((0, 1, 2), (0, 1, 2), [(0, 0), (1, 1), (2, 2)]),
        ((0, 1, 2), (0, 0, 2), [(0, 0), (0, 1), (2, 2)]),  # two captions of a picture, none, one
        ((0, 2), (1, 2, 2), [(1, 1), (1, 2)]),  # no picture in row 1
        ((0, 0, 2), (0, 1, 2), [(0, 0), (1, 0), (2, 2)]),  # one picture for both captions; row 1 has none
        ((0, 0, 2), (0, 0, 2), [(0, 0), (1, 1), (2, 2)]),  # each caption for itself
        ((1, 1), (0, 0, 1, 1), [(0, 2), (1, 3)]),
        ((0, 1, 1), (0,), [(0, 0)]),
        ((0, 0), (1, 2), []),
    ],
)
def test_what_is_made_from_what(given, made, wanted):
    assert pairs(latent(*given), feed(*made), 3) == wanted


def test_only_rows_with_something_given_are_made_by_a_fused_route():
    found = _of_given(feed(0, 1, 1, 2, 3), [latent(1), latent(1, 3)], 4)
    assert found.owner_P.tolist() == [1, 1, 3] and found.data[:, 0].tolist() == [1, 2, 4]
    assert torch.equal(found.mask, found.data > 0)
    whole = feed(0, 1)
    assert (
        _of_given(whole, [Latent(torch.zeros(2, 1))], 2) is whole
        and _of_given(whole, [latent(0), latent(1)], 2) is whole
    )


def test_two_of_one_and_three_of_the_other():
    with pytest.raises(ShapeError, match='from, and another number to make; set data.captions="one" to take one of'):
        align(latent(0, 0), feed(0, 0, 0), 1)


def test_latents_of_all_rows_are_left_alone():
    whole, target = Latent(torch.zeros(2, 1)), feed(0, 1)
    assert align(whole, target, 2) == (whole, target)
