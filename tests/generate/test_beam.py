"""Beam search against exhaustive search, by hand, and beside transformers: the same texts, scores and order."""

import math

import pytest
import torch
from tests.generate._gpt2 import decoder, generate, pictures
from tests.generate._table import Table, blank, random_table

from tuwen.errors import ConfigError
from tuwen.generate.beam import Config
from tuwen.generate.greedy import Config as Greedy
from tuwen.types import Latent

EVERY_TEXT = 1365
"""Texts of 4 words and an end in at most 5 tokens: 1 + 4 + 16 + 64 that end early, 256 * 5 of full length."""


@pytest.fixture(scope="module")
def gpt2():
    pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    from tuwen.decode._gpt2 import to_gpt2

    return to_gpt2(decoder())


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_a_beam_wide_enough_finds_the_best_of_all_texts(length_penalty):
    table = random_table(pictures=2, length=5, vocabulary=6, seed=1)
    table.never = (1,)
    method = Config(beams=EVERY_TEXT, best=20, max_tokens=5, length_penalty=length_penalty).build()
    for picture, found in enumerate(method(table, blank(2))):
        every = table.every_text(5, allowed=[0, 2, 3, 4, 5], picture=picture)
        assert len(every) == EVERY_TEXT
        every.sort(key=lambda text: -text[1] / len(text[0]) ** length_penalty)
        whole = [tuple(w.tokens) + (2,) * w.finished for w in found]
        assert whole == [text for text, _ in every[:20]]
        assert [w.logprob for w in found] == pytest.approx([logprob for _, logprob in every[:20]], abs=1e-4)


def garden_path():
    """Word 4 is the likelier beginning (0.6 against 0.4) of the less likely text (0.6 * 0.5 against 0.4 * 0.9)."""
    chance = torch.full((3, 6, 6), 1e-6)
    chance[0, 1, 4], chance[0, 1, 5] = 0.6, 0.4
    chance[1, 4, 4], chance[1, 4, 5] = 0.5, 0.5
    chance[1, 5, 5], chance[1, 5, 0] = 0.9, 0.1  # padding is never written, so its share is lost
    chance[2, :, 2] = 1.0
    return Table(chance)


def test_two_beams_see_through_a_garden_path():
    (greedy,) = Greedy().build()(garden_path(), blank(1))[0]
    (first, second) = Config(beams=2, best=2).build()(garden_path(), blank(1))[0]
    assert greedy.tokens[0] == 4
    assert (first.tokens, first.finished) == ([5, 5], True)
    assert math.exp(first.logprob) == pytest.approx(0.36, abs=1e-4)
    assert math.exp(second.logprob) == pytest.approx(0.30, abs=1e-4)


def test_one_beam_without_length_penalty_is_greedy():
    table = random_table(pictures=16, length=8, vocabulary=9, seed=5)
    beam = Config(beams=1, length_penalty=0.0).build()(table, blank(16))
    greedy = Greedy().build()(table, blank(16))
    assert [w.tokens for (w,) in beam] == [w.tokens for (w,) in greedy]
    assert len({tuple(w.tokens) for (w,) in greedy}) > 8


def as_transformers(settings, beams):
    renamed = {
        "max_tokens": "max_new_tokens",
        "min_tokens": "min_new_tokens",
        "no_repeat_ngram": "no_repeat_ngram_size",
    }
    return {renamed.get(name, name): value for name, value in settings.items()} | {
        "num_beams": beams,
        "num_return_sequences": beams,
    }


def both(gpt2, latent, beams, settings):
    ours = Config(beams=beams, best=beams, **settings).build()(decoder(), latent)
    return ours, generate(gpt2, latent, **as_transformers(settings, beams))


def assert_same(ours, theirs, length_penalty):
    for mine, other in zip(ours, theirs, strict=True):
        assert [(w.tokens, w.finished) for w in mine] == [text[:2] for text in other]
        scores = [w.logprob / (len(w.tokens) + w.finished) ** length_penalty for w in mine]
        assert scores == pytest.approx([text[2] for text in other], abs=1e-4)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_all_texts_are_those_of_transformers(gpt2, beams, length_penalty):
    latent, _ = pictures(40, seed=beams)
    ours, theirs = both(gpt2, latent, beams, {"max_tokens": 20, "length_penalty": length_penalty})
    assert_same(ours, theirs, length_penalty)
    assert len({tuple(texts[0].tokens) for texts in ours}) > 20
    assert len({len(texts[0].tokens) for texts in ours}) >= 4, "the test needs rows that finish early and late"


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 5},
        {"max_tokens": 1},
        {"max_tokens": 20, "min_tokens": 7},
        {"max_tokens": 9, "min_tokens": 9},
        {"max_tokens": 20, "no_repeat_ngram": 1},
        {"max_tokens": 20, "no_repeat_ngram": 2},
        {"max_tokens": 20, "length_penalty": -1.0},
    ],
    ids=str,
)
def test_settings_mean_what_they_mean_in_transformers(gpt2, settings):
    latent, _ = pictures(32, seed=9)
    ours, theirs = both(gpt2, latent, 4, settings)
    assert_same(ours, theirs, settings.get("length_penalty", 1.0))


def test_masked_memory_is_that_of_transformers(gpt2):
    latent, _ = pictures(12)
    latent = Latent(latent.pooled, latent.tokens, torch.arange(7) < torch.arange(12)[:, None] % 7 + 1)
    ours, theirs = both(gpt2, latent, 3, {"max_tokens": 20})
    assert_same(ours, theirs, 1.0)


def test_no_run_of_tokens_comes_twice():
    latent, _ = pictures(32)
    plain = Config().build()(decoder(), latent)
    strict = Config(no_repeat_ngram=2).build()(decoder(), latent)

    def repeats(texts):
        runs = [list(zip(w.tokens, w.tokens[1:], strict=False)) for (w,) in texts]
        return sum(len(run) != len(set(run)) for run in runs)

    assert repeats(plain) > 5
    assert repeats(strict) == 0


def test_pictures_that_are_done_leave_the_batch():
    chance = torch.full((3, 6, 8, 8), 0.02)
    for picture, length in enumerate((1, 5, 3)):
        chance[picture, :length, :, 4] = 0.86
        chance[picture, length:, :, 2] = 0.86
    table = Table(chance)
    texts = Config(beams=2, length_penalty=0.0).build()(table, blank(3))
    assert [w.tokens for (w,) in texts] == [[4], [4] * 5, [4] * 3]
    assert table.rows_seen[0] == 6
    assert table.rows_seen[-1] == 2


def test_tokens_of_the_best_text_are_emitted():
    seen = {}
    table = random_table(pictures=5, seed=2)
    texts = Config(beams=3).build()(table, blank(5), emit=lambda row, token: seen.setdefault(row, []).append(token))
    assert seen == {row: found[0].tokens for row, found in enumerate(texts) if found[0].tokens}


def test_cancelling_gives_the_best_so_far():
    table = random_table(pictures=3, length=9, vocabulary=9, seed=4)
    asked = iter([False, False, True])
    for picture, found in enumerate(Config(beams=4, best=4).build()(table, blank(3), cancelled=lambda: next(asked))):
        scores = [w.logprob / (len(w.tokens) + w.finished) for w in found]
        assert scores == sorted(scores, reverse=True)
        assert all(len(w.tokens) == 2 or w.finished for w in found)
        for w in found:
            assert w.logprob == pytest.approx(table.logprob((*w.tokens, *[2] * w.finished), picture), abs=1e-5)


def test_there_are_no_more_texts_than_can_be():
    """Two words, then the end: 4 texts, though 6 are asked for."""
    chance = torch.full((3, 6, 6), 1e-30)
    chance[:2, :, 4], chance[:2, :, 5] = 0.3, 0.7
    chance[2, :, 2] = 1.0
    chance[:2, :, 2] = 0.0
    (found,) = Config(beams=6, best=6, max_tokens=3).build()(Table(chance), blank(1))
    likely = [w for w in found if w.logprob > -50]
    assert likely == found[:4]
    assert likely[0].tokens == [5, 5]
    assert {tuple(w.tokens) for w in likely} == {(5, 5), (4, 5), (5, 4), (4, 4)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beams": 0}, r"generate\.beam\.beams is 0; it is at least 1, for example beam=5"),
        (
            {"beams": 3, "best": 4},
            r"generate\.beam\.best is 4; it is from 1 to the number of beams, 3\. Set best=1 or beam=4",
        ),
        ({"length_penalty": float("nan")}, r"generate\.beam\.length_penalty is nan; it is from -10 to 10"),
        ({"length_penalty": 1000.0}, r"length_penalty is 1000\.0; it is from -10 to 10, for example length_penalty=1"),
        ({"best": 0}, r"generate\.beam\.best is 0; it is from 1 to the number of beams, 5"),
        ({"no_repeat_ngram": -1}, r"no_repeat_ngram is -1; it is 0 .* or more, for example no_repeat=3"),
        (
            {"prompt": "A Red dog", "without": ("red",)},
            r"prompt is 'A Red dog'; it holds 'red', which is in without; take it",
        ),
        ({"max_tokens": 0}, r"generate\.beam\.max_tokens is 0; it is at least 1"),
        ({"min_tokens": 40, "max_tokens": 30}, r"generate\.beam\.min_tokens is 40; it is from 0 to max_tokens, 30"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings).build()
