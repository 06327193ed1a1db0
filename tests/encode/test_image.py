import numpy as np
import pytest
import torch

from tuwen.encode._image import normalised, squares
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
