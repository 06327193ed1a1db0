"""What a step is given: pictures and captions with their owners, also where some are missing."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tuwen.data._config import Data
from tuwen.decode import image_dense
from tuwen.encode import image_cnn
from tuwen.text_part import pad
from tuwen.train.cache import Cached
from tuwen.train.feed import Ahead, Source, cut, shortened, spread
from tuwen.train.plan import Plan
from tuwen.types import Sample, Widths


class Words:
    """Stands for a text encoder and a decoder: one number a letter."""

    def prepare(self, values):
        return pad([[ord(letter) for letter in value] for value in values])


@pytest.fixture
def source(tmp_path):
    """Four rows: whole; no picture; no captions; whole, with the picture of the first."""
    shade = {i: np.full((16, 16, 3), 50 * i, np.uint8) for i in range(4)}
    rows = [
        Sample("a", {"image": shade[0], "text": ["a", "bb"]}),
        Sample("b", {"image": None, "text": ["ccc"]}),
        Sample("c", {"image": shade[2], "text": []}),
        Sample("d", {"image": shade[0], "text": ["d", "ee", "fff"]}),
    ]
    part = image_cnn.Config.tiny().build()
    options = Data(cache=str(tmp_path / "cache"))
    cached = Cached("image", part, options)
    cached.build(rows, lambda data: data, skip=lambda row, error: pytest.fail(str(error)), progress=lambda *_: None)
    recipe = SimpleNamespace(data=options)
    model = SimpleNamespace(encoders={"image": part, "text": Words()}, decoders={"text": Words()}, recipe=recipe)
    return Source(model, rows, {"image": cached})


def texts(feed):
    rows = zip(feed.data.tolist(), feed.mask.tolist(), strict=True)
    return ["".join(chr(n) for n, real in zip(row, mask, strict=True) if real) for row, mask in rows]


def test_all_captions_with_their_owners(source):
    batch = source.batch([(3, -1), (1, -1), (0, -1)])
    assert batch.keys == ["d", "b", "a"]
    assert texts(batch.targets["text"]) == ["d", "ee", "fff", "ccc", "a", "bb"]
    assert batch.targets["text"].owner_P.tolist() == [0, 0, 0, 1, 2, 2]
    assert texts(batch.inputs["text"]) == texts(batch.targets["text"])
    assert batch.inputs["image"].owner_P.tolist() == [0, 2]
    assert batch.inputs["image"].data[:, 0, 0, 0].tolist() == [0, 0]


def test_one_caption_is_the_one_of_its_number(source):
    batch = source.batch([(0, 1), (3, 2), (3, 0)])
    assert texts(batch.targets["text"]) == ["bb", "fff", "d"]
    assert batch.targets["text"].owner_P.tolist() == [0, 1, 2]
    assert batch.raw[1].fields["text"] == ["fff"]
    assert source.samples[3].fields["text"] == ["d", "ee", "fff"]  # not changed


def test_detailed_takes_the_longest_beside_the_one_of_its_number(source):
    source.options = Data(captions="detailed")
    batch = source.batch([(0, 0), (3, 2), (3, 0), (1, 0)])
    assert texts(batch.targets["text"]) == ["bb", "a", "fff", "fff", "d", "ccc"]
    assert batch.targets["text"].owner_P.tolist() == [0, 0, 1, 2, 2, 3]


def test_long_captions_lose_words_where_they_are_to(source):
    said = "a red star at the left and a blue circle"
    source.samples = [replace(source.samples[0], fields={"text": [said]}), source.samples[1]]
    batch = source.batch([(0, 0), (0, 0), (1, 0), (0, -1)], lost=[(0.5, 6), (0.0, 1), (0.5, 6), (0.5, 6)])
    whole, few = [said], ["a red star at the left and a blue"]
    assert [one.fields["text"] for one in batch.raw] == [few, whole, ["ccc"], whole]


def test_of_a_shortened_text_a_word_stays():
    assert shortened("one two three four five six seven eight", 0.9999, seed=1) == "one"
    assert shortened("seven words are few words as such", 0.9999, seed=1) == "seven words are few words as such"


def test_a_shortened_text_loses_its_share_in_runs_of_words():
    words = [str(place) for place in range(400)]
    kept = [[int(word) for word in shortened(" ".join(words), 0.6, seed=seed).split()] for seed in range(40)]
    assert np.mean([len(one) for one in kept]) == pytest.approx(160, abs=8)
    runs = [np.diff(one)[np.diff(one) > 1] - 1 for one in kept]
    assert np.mean(np.concatenate(runs)) == pytest.approx(4, abs=0.2)


def test_a_clause_without_words_is_none():
    for text in ("a photo of a dog, , brown, sitting in the park", "colour: , size: , , shape: , name: , ,", ", " * 30):
        assert all(shortened(text, 0.5, seed) for seed in range(100))


def test_a_limited_look_is_spread_over_all_rows():
    """Rows often stand sorted by class."""
    assert spread(2500, 5) == [0, 500, 1000, 1500, 2000] and spread(3) == [0, 1, 2] and spread(0, 5) == []


@pytest.mark.parametrize(
    ("clauses", "join"),
    [
        (["a b c d e", "f g h", "i j, k", "l m"], "; "),
        (["a 1.5 b c", "d e:f g", "h i"], ". "),
        (["一只小红星", "左边有圆", "右边是黑色的"], "，"),
    ],
)
def test_a_shortened_text_of_several_clauses_keeps_some_in_a_row(clauses, join):
    text, parts = join.join(clauses), [part for clause in clauses for part in clause.split(", ")]
    seen = {shortened(text, 0.1, seed).strip(",;.，") for seed in range(400)}
    assert set(parts) <= seen, "each is there alone, and whole"
    words = set(text.replace(",", " ").replace(";", " ").replace(". ", " ").split()) if join != "，" else {text}
    assert all(word.strip(",;.") in words or word in text for one in seen for word in one.split())
    assert all(len(one) > 0 and one[-1] not in ",;，" for one in seen)


def test_a_row_that_loses_nothing_is_read_as_it_is(tmp_path):
    long = "a red star at the left, a blue circle at the right, the star is left of the circle"
    options = Data(captions="longest_first", cache=str(tmp_path))
    model = SimpleNamespace(encoders={}, decoders={}, recipe=SimpleNamespace(data=options))
    source = Source(model, [Sample("a", {"text": [long]})], {})
    assert {source._with_caption(0, 0, (0.0, seed)).fields["text"][0] for seed in range(20)} == {long}
    assert len({source._with_caption(0, 0, (0.3, seed)).fields["text"][0] for seed in range(20)}) > 10


def test_a_part_of_a_batch_is_as_long_as_its_longest(source):
    batch = source.batch([(0, 0), (3, -1)])
    first, second = cut(batch, 2)
    assert batch.inputs["text"].data.shape == (4, 3)
    assert first.inputs["text"].data.tolist() == [[97]] and second.targets["text"].mask.sum(1).tolist() == [1, 2, 3]


def test_what_is_missing_is_marked(source):
    batch = source.batch([(0, 0), (1, 0), (2, -1)])
    assert batch.present["image"].tolist() == [True, False, True]
    assert batch.present["text"].tolist() == [True, True, False]
    assert batch.inputs["image"].owner_P.tolist() == [0, 2]
    assert batch.inputs["image"].data[:, 0, 0, 0].tolist() == [0, 100]


def test_a_batch_without_any_picture_or_caption(source):
    batch = source.batch([(1, 0)])
    assert "image" not in batch.inputs
    assert batch.present["image"].tolist() == [False]
    assert "text" not in source.batch([(2, -1)]).targets


def test_lengths_are_characters(source):
    assert source.lengths() == [[1, 2], [3], [], [1, 2, 3]]


def test_in_order_with_a_limit(source):
    assert [batch.keys for batch in source.in_order(3)] == [["a", "b", "c"], ["d"]]
    assert [batch.keys for batch in source.in_order(2, limit=3)] == [["a", "b"], ["c"]]
    assert [batch.keys for batch in source.in_order(2, limit=2)] == [["a", "c"]]


def test_cut_keeps_owners_and_flags(source):
    whole = source.batch([(3, -1), (1, -1), (0, -1), (2, -1)])
    first, second = cut(whole, 2)
    assert (first.keys, second.keys) == (["d", "b"], ["a", "c"])
    assert texts(second.targets["text"]) == ["a", "bb"]
    assert second.targets["text"].owner_P.tolist() == [0, 0]
    assert second.inputs["image"].owner_P.tolist() == [0, 1]
    assert second.present["text"].tolist() == [True, False]
    assert first.inputs["image"].owner_P.tolist() == [0]
    assert [len(part) for part in cut(whole, 3)] == [2, 2]
    assert [len(part) for part in cut(whole, 9)] == [1, 1, 1, 1]
    assert cut(whole, 1) == [whole]


class Slow:
    """A source that takes its time, and tells which batches it was asked for."""

    def __init__(self, source):
        self.source, self.asked = source, []

    def batch(self, items, views, lost):
        self.asked.append(items)
        time.sleep(0.002)
        return self.source.batch(items, views, lost)


@pytest.mark.parametrize("first", [0, 5])
def test_ahead_gives_what_the_plan_says_from_any_step(source, first):
    plan = Plan(source.lengths(), batch=2, captions="one", seed=0)
    slow = Slow(source)
    ahead = Ahead(slow, plan)
    got = [ahead.take(step) for step in range(first, first + 6)]
    ahead.close()
    other = Plan(source.lengths(), batch=2, captions="one", seed=0)
    for step, batch in enumerate(got, first):
        direct = source.batch(other.items(step))
        assert batch.keys == direct.keys
        assert [sample.fields["text"] for sample in batch.raw] == [sample.fields["text"] for sample in direct.raw]
        for name, feed in direct.inputs.items():
            assert torch.equal(batch.inputs[name].data, feed.data)
    assert slow.asked[:6] == [other.items(step) for step in range(first, first + 6)]


def test_a_step_sees_one_view_of_each_picture_in_inputs_and_targets(tmp_path):
    """Shades 1 to 4 from left to right: a row of pixels tells which view it is."""
    pixels = np.repeat(np.array([40, 80, 120, 160], np.uint8), 4)[None, :, None] * np.ones((16, 1, 3), np.uint8)
    rows = [Sample(f"{i}", {"image": pixels + np.uint8(i), "text": ["a"]}) for i in range(4)]
    encoder = image_cnn.Config.tiny().build()
    decoder = image_dense.Config.tiny().build(Widths(4, 4))
    options = Data(cache=str(tmp_path), views=("mirror",))
    caches = [Cached("image", part, options) for part in (encoder, decoder)]
    for one in caches:
        one.build(rows, lambda data: data, skip=pytest.fail, progress=lambda *_: None, learned=4)
    model = SimpleNamespace(
        encoders={"image": encoder}, decoders={"image": decoder}, recipe=SimpleNamespace(data=options)
    )
    source = Source(model, rows, {"image": caches[0]}, {"image": caches[1]})
    plan = Plan(source.lengths(), batch=4, captions="one", seed=0, views=2)
    ahead, seen = Ahead(source, plan), []
    for step in range(30):
        batch = ahead.take(step)
        given, made = (feed.data[:, 0, 0].int() for feed in (batch.inputs["image"], batch.targets["image"]))
        mirrored = (given[:, 0] > given[:, -1]).tolist()
        assert mirrored == (made[:, 0] > made[:, -1]).tolist() == [view == 1 for view in plan.views(step)]
        seen += mirrored
    ahead.close()
    assert 35 < sum(seen) < 85  # of 120; a half by chance, and 4.5 standard deviations
    plain = source.batch([(row, -1) for row in range(4)]).inputs["image"].data[:, 0, 0].int()
    assert (plain[:, 0] < plain[:, -1]).all()


def test_ahead_passes_an_error_on(source):
    def broken(items, views, lost):
        raise ValueError("no such row")

    ahead = Ahead(SimpleNamespace(batch=broken), Plan([[1]] * 4, batch=2, captions="one", seed=0))
    with pytest.raises(ValueError, match="no such row"):
        ahead.take(0)
    ahead.close()


def test_pictures_to_make_are_read_from_their_cache(source):
    """The decoder's own pixels, for the rows that have a picture; what encoders read is not touched."""
    part = image_dense.Config.tiny().build(Widths(4, 4))
    cached = Cached("image", part, source.options)
    cached.build(source.samples, lambda data: data, skip=pytest.fail, progress=lambda *_: None)
    model = SimpleNamespace(
        encoders={"image": source.caches["image"].part, "text": Words()},
        decoders={"image": part, "text": Words()},
        recipe=SimpleNamespace(data=source.options),
    )
    part.prepare = lambda values: pytest.fail("a cached picture is not prepared again")
    batch = Source(model, source.samples, source.caches, {"image": cached}).batch([(2, -1), (1, -1), (0, -1)])
    made, given = batch.targets["image"], batch.inputs["image"]
    assert made.data.shape == (2, 1, 8, 8) and given.data.shape == (2, 3, 16, 16)
    assert made.owner_P.tolist() == given.owner_P.tolist() == [0, 2]
    assert made.data[:, 0, 0, 0].tolist() == [100, 0] and batch.present["image"].tolist() == [True, False, True]
