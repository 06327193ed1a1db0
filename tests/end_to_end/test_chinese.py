"""Captions in Chinese, from files to captions in a table: nothing in between takes spaces or Latin letters for granted."""

import csv

import pytest
from tests import eight
from tests.end_to_end import _trained

NAMES = dict(zip(eight.COLOURS, ["红色", "橙色", "黄色", "绿色", "蓝色", "紫色", "白色", "黑色"], strict=True))


@pytest.mark.parametrize("tokenizer", ["bpe", "word"])
def test_eight_pictures_are_named_in_chinese(tmp_path, tokenizer):
    """8 of 8 name their colour; by chance one would."""
    photos = tmp_path / "图片"
    for path in eight.write_pictures(photos, captions=False):
        path.with_suffix(".txt").write_text(f"一张{NAMES[path.stem]}的图片\n这是{NAMES[path.stem]}。\n", "utf-8")
    setting = f"decode.text.tokenizer={tokenizer}"
    done = _trained.train(photos, tmp_path / "model", "--steps", 100, "--set", setting)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "captions.csv"
    done = eight.tuwen("caption", tmp_path / "model", photos, "-o", out)
    assert done.returncode == 0, done.stderr
    with out.open(encoding="utf-8-sig", newline="") as file:
        said = {row["image"].rpartition("/")[2].removesuffix(".png"): row["caption"] for row in csv.DictReader(file)}
    assert said.keys() == NAMES.keys()
    assert all(NAMES[colour] in caption for colour, caption in said.items()), said
