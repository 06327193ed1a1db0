import numpy as np
import pytest
import torch

from tuwen.encode._image import moved, normalised, squares
from tuwen.errors import DataError
from tuwen.types import Located


def test_pixels_are_normalised_channel_by_channel():
    # (255 / 255 - 0.5) / 0.25 = 2; (51 / 255 - 0.2) / 0.5 = 0; (0 - 0.1) / 1 = -0.1
    data = torch.tensor([255, 51, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    x = normalised(data, (0.5, 0.2, 0.1), (0.25, 0.5, 1.0))
    torch.testing.assert_close(x[0, :, 1, 2], torch.tensor([2.0, 0.0, -0.1]))
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_the_data_is_not_written_to():
    data = torch.full((2, 3, 4, 4), 9, dtype=torch.uint8)
    normalised(data, (0.5,) * 3, (0.5,) * 3)
    assert (data == 9).all()


def test_a_located_picture_is_refused_with_its_row():
    picture = np.zeros((20, 20, 3), dtype=np.uint8)
    with pytest.raises(DataError, match=r"row 7 of train\.csv"):
        squares([Located(picture, "row 7 of train.csv", max_pixels=100)], 8, "squash")
    assert squares([Located(picture), picture], 8, "squash").shape == (2, 3, 8, 8)


def test_no_picture_is_an_empty_batch():
    assert squares([], 8, "crop").shape == (0, 3, 8, 8)


def test_moved_pictures_are_mirrored_and_shifted_copies():
    picture = torch.arange(12, dtype=torch.uint8).view(1, 1, 3, 4)
    rows, columns = torch.arange(3), torch.arange(4)
    torch.manual_seed(0)
    found = {tuple(one.flatten().tolist()) for one in moved(picture.expand(2000, 1, 3, 4), flip=True, shift=1)}
    expected = {
        tuple(picture[0, 0][(rows + y).clamp(0, 2)][:, (order + x).clamp(0, 3)].flatten().tolist())
        for y in (-1, 0, 1)
        for x, order in ((x * sign, order) for x in (-1, 0, 1) for sign, order in ((1, columns), (-1, columns.flip(0))))
    }
    assert found == expected and len(expected) == 18


def test_what_is_not_moved_stays():
    picture = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8)
    assert torch.equal(moved(picture, flip=False, shift=0), picture)
    torch.manual_seed(0)
    for one, flipped in zip(picture, moved(picture, flip=True, shift=0), strict=True):
        assert torch.equal(flipped, one) or torch.equal(flipped, one.flip(-1))


def test_grey_pictures_stay_as_they_are_and_colours_weigh_as_the_eye_does():
    """Red, green and blue are 76, 150 and 29 of 255."""
    shades = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert squares([shades], 16, "squash", 1)[0, 0].tolist() == shades.tolist()
    colours = [np.full((4, 4, 3), rgb, np.uint8) for rgb in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    assert squares(colours, 4, "squash", 1)[:, 0, 0, 0].tolist() == [76, 150, 29]
    assert squares([], 8, "crop", 1).shape == (0, 1, 8, 8)
