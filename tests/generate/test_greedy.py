"""Greedy writing on tables that can be read, and beside transformers."""

import math

import pytest
import torch
from tests.generate._gpt2 import decoder, generate, pictures
from tests.generate._table import Table, blank, random_table

from tuwen.errors import ConfigError
from tuwen.generate.greedy import Config


def table_of(*texts, length=6, vocabulary=8):
    """One picture a text: the right token has probability 0.65, every other 0.05."""
    chance = torch.full((len(texts), length, vocabulary, vocabulary), 0.05)
    for picture, text in enumerate(texts):
        for place, token in enumerate(text):
            chance[picture, place, :, token] = 0.65
    return Table(chance)


def test_it_reads_the_table():
    table = table_of((4, 5, 6, 2), (7, 2))
    texts = [w for (w,) in Config(max_tokens=6).build()(table, blank(2))]
    assert [w.tokens for w in texts] == [[4, 5, 6], [7]]
    assert [w.finished for w in texts] == [True, True]
    assert [w.logprob for w in texts] == pytest.approx([4 * math.log(0.65), 2 * math.log(0.65)])


def test_finished_rows_leave_the_batch():
    table = table_of((4, 2), (4, 5, 6, 7, 2), (2,), (5, 6, 2))
    texts = Config().build()(table, blank(4))
    assert [w.tokens for (w,) in texts] == [[4], [4, 5, 6, 7], [], [5, 6]]
    assert table.rows_seen == [4, 3, 2, 1, 1]


def test_max_tokens_cuts():
    table = table_of((4, 5, 6, 2))
    ((written,),) = Config(max_tokens=2).build()(table, blank(1))
    assert (written.tokens, written.finished) == ([4, 5], False)
    assert written.logprob == pytest.approx(2 * math.log(0.65))


def test_min_tokens_forbids_the_end():
    ((written,),) = Config(min_tokens=3).build()(table_of((2, 2, 2, 2)), blank(1))
    assert (len(written.tokens), written.finished) == (3, True)


@pytest.mark.parametrize("token", [0, 1, 3])
def test_special_tokens_are_never_written(token):
    ((written,),) = Config(min_tokens=3).build()(table_of((token, 4, token, 2)), blank(1))
    assert token not in written.tokens
    assert (written.tokens[1], len(written.tokens)) == (4, 3)
    # what is forbidden keeps its share of the probability
    assert written.logprob == pytest.approx(2 * math.log(0.65) + 2 * math.log(0.05))


def test_a_decoder_may_name_its_own_forbidden_tokens():
    table = table_of((3, 5, 2))
    table.never = (1, 5)
    ((written,),) = Config().build()(table, blank(1))
    assert written.tokens[0] == 3
    assert 5 not in written.tokens


def test_tokens_are_streamed_as_they_come():
    seen = []
    texts = Config().build()(table_of((4, 5, 2), (6, 2)), blank(2), emit=lambda row, token: seen.append((row, token)))
    assert seen == [(0, 4), (1, 6), (0, 5)]
    assert [w.tokens for (w,) in texts] == [[4, 5], [6]]


def test_cancelling_keeps_what_was_said():
    asked = iter([False, False, True])
    ((written,),) = Config().build()(table_of((4, 5, 6, 2)), blank(1), cancelled=lambda: next(asked))
    assert (written.tokens, written.finished) == ([4, 5], False)


def test_logprob_is_the_probability_of_the_text():
    table = random_table(pictures=6, seed=3)
    for picture, (written,) in enumerate(Config().build()(table, blank(6))):
        whole = (*written.tokens, *([2] if written.finished else []))
        assert written.logprob == pytest.approx(table.logprob(whole, picture), abs=1e-5)


@pytest.mark.parametrize("settings", [{"max_tokens": 20}, {"max_tokens": 6}, {"max_tokens": 20, "min_tokens": 5}])
def test_texts_are_those_of_transformers(settings):
    pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    from tuwen.decode._gpt2 import to_gpt2

    latent, _ = pictures(48)
    ours = [(w.tokens, w.finished) for (w,) in Config(**settings).build()(decoder(), latent)]
    renamed = {name.replace("_", "_new_"): value for name, value in settings.items()}
    theirs = [text[:2] for (text,) in generate(to_gpt2(decoder()), latent, **renamed)]
    assert ours == theirs
    assert len({len(tokens) for tokens, _ in ours}) >= 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_tokens": 0}, r"generate\.greedy\.max_tokens is 0; it is at least 1, for example max_tokens=30"),
        (
            {"min_tokens": 31, "max_tokens": 30},
            r"min_tokens is 31; it is from 0 to max_tokens, 30\. Set min_tokens=0 or a larger max_tokens",
        ),
        ({"min_tokens": -1}, r"min_tokens is -1; it is from 0"),
    ],
)
def test_lengths_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings).build()
