"""Pictures inside a page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from tests.report._read import Page

from tuwen.errors import DataError
from tuwen.report.pictures import card, picture


def decoded(address):
    kind, data = address.removeprefix("data:image/").split(";base64,")
    return kind, Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_small_picture_stays_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    [image] = Page(picture(pixels, 'a "red" <circle>')).named("img")
    kind, back = decoded(image["src"])
    assert image["alt"] == 'a "red" <circle>' and kind == "png"
    assert np.array_equal(np.asarray(back), pixels)


def test_a_large_picture_is_made_smaller():
    noise = np.random.default_rng(0).integers(0, 255, (400, 800, 3), np.uint8)
    kind, back = decoded(Page(picture(noise, "noise", side=200)).named("img")[0]["src"])
    assert kind == "jpeg" and back.size == (200, 100)


def test_a_file_that_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(DataError, match="a.jpg cannot be read as an image"):
        picture(str(tmp_path / "a.jpg"), "x")


def test_card():
    read = Page(card(said="<b>", key="row 1", score="CIDEr 1.00", more=("a", "<i>")))
    assert read.text == "<b> CIDEr 1.00 a <i> row 1" and not read.wrong
