"""Labels: one or several, numbers and names."""

import numpy as np
import pytest

from tuwen.data._labels import class_names, label_of, names_in
from tuwen.errors import DataError


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("cat", "cat"),
        (" a b ", "a b"),
        ("cat | dog|cat", ["cat", "dog"]),
        (["b", 2, None, ""], ["b", "2"]),
        ('["b", "a"]', ["b", "a"]),
        ("[sic]", "[sic]"),
        ([], []),
        (7, "7"),
        (7.0, "7"),
        (0.5, "0.5"),
        (float("nan"), None),
        ("", None),
        (None, None),
        (True, "True"),
    ],
)
def test_a_label_is_text(value, wanted):
    assert label_of(value) == wanted


def test_numbers_stand_for_names():
    names = ["zero", "one"]
    assert [label_of(value, names) for value in (1, "0", 1.0, [0, 1], "2", -1, "x")] == [
        "one", "zero", "one", ["zero", "one"], "2", "-1", "x",
    ]  # fmt: skip


def test_names_of_classes(tmp_path):
    assert class_names("a, b c,d") == ["a", "b c", "d"] and class_names("") == []
    file = tmp_path / "names"
    file.write_text("T-shirt, long\r\n\nBag\n")
    assert class_names(str(file)) == ["T-shirt, long", "Bag"]
    file.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"names cannot be read as names of classes: .*It holds one name a line"):
        names_in(file)


def test_labels_as_data_frames_write_them():
    assert label_of("['cat', 'dog']") == ["cat", "dog"] and label_of("[1, 2]", ["a", "b", "c"]) == ["b", "c"]
    assert label_of(np.array(["cat", "dog"])) == ["cat", "dog"] and label_of(np.int64(3)) == "3"
    assert label_of("[no list") == "[no list" and label_of("[a]") == "[a]"
