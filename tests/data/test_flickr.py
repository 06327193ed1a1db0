"""Flickr8k and Flickr30k as handed out: forms of the captions, lists of splits, broken lines."""

import numpy as np
import pytest
from PIL import Image

from tuwen.data import flickr
from tuwen.data._config import Data
from tuwen.data._dataset import _recognise, open_data
from tuwen.errors import DataError

SKIP = Data(on_error="skip")
TOKEN = "1_a.jpg#0\tA dog , running .\n1_a.jpg#1\tA pet .\n2_b.jpg#0\tA cat .\n"
PIPED = (
    "image_name| comment_number| comment\n1_a.jpg| 0| A dog , running .\n1_a.jpg| 1   A pet .\n2_b.jpg| 0| A cat .\n"
)
COMMA = 'image,caption\n1_a.jpg,"A dog , running ."\n1_a.jpg,A pet .\n2_b.jpg,A cat .\n'
WANTED = {"1_a.jpg": ["A dog , running .", "A pet ."], "2_b.jpg": ["A cat ."]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Flicker8k_Dataset").mkdir()
    for i, name in enumerate(WANTED):
        Image.fromarray(np.full((6, 8, 3), i * 60, np.uint8)).save(tmp_path / "Flicker8k_Dataset" / name)
    return tmp_path


def captions(data):
    return {sample.key: sample.fields["text"] for sample in data}


@pytest.mark.parametrize(
    ("name", "text"),
    [("Flickr8k.token.txt", TOKEN), ("results_20130124.token", TOKEN), ("results.csv", PIPED), ("captions.txt", COMMA)],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_form_of_the_captions(folder, name, text, end):
    (folder / name).write_bytes(text.replace("\n", end).encode())
    assert _recognise(str(folder)) == "flickr" and captions(open_data(folder)) == WANTED
    assert captions(open_data(folder / name)) == WANTED  # of a table too, where that is surer
    assert captions(open_data(folder / name, reader="flickr")) == WANTED


def test_captions_and_lists_in_a_folder_of_their_own(folder):
    text = folder / "Flickr8k_text"
    text.mkdir()
    (text / "Flickr8k.token.txt").write_text(TOKEN)
    (text / "Flickr8k.lemma.token.txt").write_text("1_a.jpg#0\tdog run\n")
    (text / "Flickr_8k.devImages.txt").write_text("2_b.jpg\n")
    (text / "readme.txt").write_text("what is here\n")
    data = open_data(folder)
    assert captions(data) == WANTED and data.splits == {"val": 1, "unlisted": 1}
    (text / "Flickr_8k.trainImages.txt").write_text("1_a\r\n")  # Flickr30k's lists have no endings
    assert open_data(folder).splits == {"train": 1, "val": 1}
    assert data[0].where == "line 1 of Flickr8k.token.txt"


def test_a_table_stays_a_table(folder):
    file = folder / "train.csv"
    file.write_text(COMMA)
    assert _recognise(str(file)) == "table" and flickr.recognise(str(folder / "missing.txt")) == 0
    (folder / "val.txt").write_text("2_b.jpg\n")
    assert _recognise(str(file)) == "flickr" and open_data(file).splits == {"val": 1, "unlisted": 1}


def test_pictures_below_root(folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("elsewhere") / "a.token.txt"
    file.write_text(TOKEN)
    assert len(open_data(file, Data(root=str(folder)))) == 2
    with pytest.raises(DataError, match=r"1_a\.jpg \(line 1 of a\.token\.txt\) is not there\. Set data\.root"):
        open_data(file)


def test_broken_lines_and_files(folder):
    file = folder / "Flickr8k.token.txt"
    file.write_text(TOKEN + "\nno tab here\n")
    message = (
        r"line 5 of Flickr8k\.token\.txt is no caption of a picture: 'no tab here'\. A line is .*on_error=\"skip\""
    )
    with pytest.raises(DataError, match=message):
        open_data(folder)
    data = open_data(folder, SKIP)
    assert captions(data) == WANTED and [p.left_out for p in data.problems] == [True]
    file.write_bytes(TOKEN.encode() + b"1_a.jpg#2\tcaf\xe9\n")
    with pytest.raises(DataError, match=r"Flickr8k\.token\.txt, line 4: byte 0xe9 is not UTF-8"):
        open_data(folder)
    (folder / "none.csv").write_text("image,caption\n")
    with pytest.raises(DataError, match=r"none\.csv has no captions\. A line of them: 1000268201\.jpg#0"):
        open_data(folder / "none.csv", reader="flickr")
    with pytest.raises(DataError, match=r"holds no captions of Flickr's forms\. A line of them"):
        open_data(folder / "Flicker8k_Dataset", reader="flickr")
