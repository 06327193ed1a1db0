"""The drawn world: what is drawn, what is said, which pairs are held out, and the folder it is written to."""

import json
import subprocess
import sys
from collections import Counter
from hashlib import blake2b
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from tuwen.data import scenes
from tuwen.data._scene_draw import render
from tuwen.data._scene_language import describe
from tuwen.data._scene_world import COLOURS, SHAPES, UNSEEN, Scene, holds
from tuwen.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def drawn():
    return list(scenes.draw(scenes.Plan(train=400, val=20, test=60)))


def digest(samples) -> str:
    hasher = blake2b(digest_size=8)
    for one in samples:
        rest = {k: v for k, v in one.fields.items() if k != "image"}
        hasher.update(one.key.encode() + one.fields["image"].tobytes() + json.dumps(rest).encode())
    return hasher.hexdigest()


def test_a_sample_has_every_field(drawn):
    one = drawn[0]
    assert (one.key, one.split) == ("train-00000", "train")
    assert one.fields["image"].shape == (64, 64, 3) and one.fields["image"].dtype == np.uint8
    for sample in drawn:
        assert len(set(sample.fields["text"])) == 5
        assert len(sample.fields["question"]) == len(sample.fields["answer"]) == 4
        assert len(sample.fields["dialogue"]) == 3
        assert any(" it " in question for question, _ in sample.fields["dialogue"][1:])


def test_only_the_full_description_begins_with_a(drawn):
    for sample in drawn:
        full, *others = sample.fields["text"]
        assert full.startswith("a ") and not any(text.startswith(("a ", "an ")) for text in others)
    first = Counter(text.split()[0] for sample in drawn for text in sample.fields["text"])
    (top, most), (_, next_most) = first.most_common(2)
    assert top == "a" and most > 2.5 * next_most


def test_the_full_description_hardly_varies(drawn):
    usual = [describe(Scene.from_json(sample.fields["scene"])) for sample in drawn]
    same = [sample.fields["text"][0] == text for sample, text in zip(drawn, usual, strict=True)]
    assert np.mean(same) > 0.85
    assert max(len(text.split()) for text in usual) <= 45


def test_the_vocabulary_is_small(drawn):
    words = {word.strip(",:?.") for sample in drawn for text in sample.fields["text"] for word in text.split()}
    assert 60 < len(words) < 300


def test_held_out_pairs_occur_in_every_second_test_scene_only(drawn):
    pairs = {split: [] for split in scenes.SPLITS}
    for sample in drawn:
        pairs[sample.split].append({(t["shape"], t["colour"]) for t in sample.fields["scene"]["things"]})
    assert not any(UNSEEN & found for found in pairs["train"] + pairs["val"])
    assert [bool(UNSEEN & found) for found in pairs["test"]] == [True, False] * 30
    seen = Counter(pair for found in pairs["train"] for pair in found)
    assert {shape for shape, _ in seen} == set(SHAPES) and {colour for _, colour in seen} == set(COLOURS)
    assert len(seen) == len(SHAPES) * len(COLOURS) - len(UNSEEN)


def test_things_do_not_touch_and_have_different_names(drawn):
    nested = 0
    for sample in drawn:
        things = Scene.from_json(sample.fields["scene"]).things
        assert len({(t.shape, t.colour) for t in things}) == len(things)
        for i, a in enumerate(things):
            for b in things[:i]:
                inside = holds("inside", a, b) or holds("inside", b, a)
                nested += inside
                assert inside or a.place != b.place
    assert 0.1 < nested / len(drawn) < 0.4
    assert {len(s.fields["scene"]["things"]) for s in drawn} == {1, 2, 3}


def test_a_scene_survives_json_and_gives_the_same_picture(drawn):
    for sample in drawn[:50]:
        scene = Scene.from_json(json.loads(json.dumps(sample.fields["scene"])))
        assert scene.to_json() == sample.fields["scene"]
        assert np.array_equal(render(scene), sample.fields["image"])


def test_grounds_are_paler_than_any_colour_and_vary(drawn):
    corners = np.stack([sample.fields["image"][:2, :2].reshape(-1, 3).mean(0) for sample in drawn])
    assert np.median(corners.min(1)) > 200 and corners.std(0).min() > 5


def test_same_seed_same_scenes_and_a_scene_does_not_depend_on_their_number(drawn):
    assert digest(scenes.draw(scenes.Plan(train=30, val=0, test=0))) == digest(drawn[:30])
    assert digest(islice(scenes.read("scenes:1"), 30)) != digest(drawn[:30])


def test_another_process_draws_the_same(drawn):
    code = "from tuwen.data.scenes import draw_one; print(draw_one(0, 'train', 3).fields['text'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == str(drawn[3].fields["text"])


def test_the_word_scenes_is_recognised():
    assert scenes.recognise("scenes") and scenes.recognise("scenes:7:100")
    assert not scenes.recognise("scenes/photos") and not scenes.recognise("/home/me/scenes")
    assert scenes.plan("scenes:7:160") == scenes.Plan(seed=7, train=160, val=10, test=10)


@pytest.mark.parametrize("path", ["scenes:x", "scenes:1:0", "scenes:1:2:3", "scenes:"])
def test_a_wrong_spec_says_what_to_type(path):
    with pytest.raises(ConfigError, match=f"cannot be made from '{path}'; type 'scenes', 'scenes:SEED'"):
        scenes.read(path)


def test_a_dict_that_is_no_scene_is_named():
    with pytest.raises(DataError, match=r"must hold 'things' and 'background'.*got \['thing'\]"):
        Scene.from_json({"thing": []})


def test_writes_an_ordinary_folder(tmp_path):
    folder = tmp_path / "world"
    assert scenes.write(folder, "scenes:0:32") == 36
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert sorted(p.name for p in folder.iterdir()) == ["images", "metadata.jsonl"]
    assert Counter(row["split"] for row in rows) == {"train": 32, "val": 2, "test": 2}
    for row, sample in zip(rows, scenes.read("scenes:0:32"), strict=True):
        assert np.array_equal(np.asarray(Image.open(folder / row["file_name"])), sample.fields["image"])
        for field in ("text", "question", "answer", "dialogue", "scene"):
            assert row[field] == sample.fields[field]


def test_does_not_write_over_what_is_there_but_finishes_what_was_broken_off(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="already holds mine.txt; the drawn world is written to a new or empty"):
        scenes.write(tmp_path, "scenes:0:1")
    with pytest.raises(DataError, match="is a file; the drawn world needs a folder: tuwen data scenes -o"):
        scenes.write(tmp_path / "mine.txt", "scenes:0:1")
    broken = tmp_path / "broken"
    (broken / "images").mkdir(parents=True)
    (broken / "metadata.jsonl.part").write_text("{")
    assert scenes.write(broken, "scenes:0:1") == 3
