"""The rows that a verb looks at."""

import pytest
from tests import eight

from tuwen.command._read import read_rows
from tuwen.errors import ConfigError, DataError


@pytest.fixture
def photos(tmp_path):
    eight.write_pictures(tmp_path / "photos")
    return str(tmp_path / "photos")


def test_parts_and_first_rows(photos):
    recipe = eight.recipe()
    assert len(read_rows("embed", recipe, photos, split="", settings=(), rows=0)) == 8
    assert len(read_rows("embed", recipe, photos, split="val", settings=("data.val=0.5",), rows=0)) == 4
    assert len(read_rows("embed", recipe, photos, split="val", settings=("data.val=0.5",), rows=3)) == 3


def test_mistakes(photos):
    recipe = eight.recipe()
    with pytest.raises(ConfigError, match="--set train.lr=1 has no effect here; embed takes settings of the data"):
        read_rows("embed", recipe, photos, split="", settings=("train.lr=1",), rows=0)
    with pytest.raises(DataError, match="has no rows in its part 'val'; it has train, test. Name one with --split."):
        read_rows("embed", recipe, photos, split="val", settings=("data.val=0",), rows=0)
