"""Contrastive search: by hand, and its limits."""

import math

import pytest
import torch
from tests.generate._gpt2 import decoder, pictures
from tests.generate._table import Spoken, blank

from tuwen.errors import ConfigError
from tuwen.generate._prompt import Begun
from tuwen.generate.contrastive import Config
from tuwen.generate.greedy import Config as Greedy

PIECES = ["", "", "", "", " a", " b", " c"]


def looping(vectors=None):
    """After anything: word 4 with 0.6, word 5 with 0.3, word 6 with 0.1; at the sixth place the end."""
    chance = torch.zeros(6, 7, 7)
    chance[:5, :, 4], chance[:5, :, 5], chance[:5, :, 6] = 0.6, 0.3, 0.1
    chance[5, :, 2] = 1.0
    return Spoken(chance, PIECES, vectors)


def test_by_hand():
    """Likeness is 1 for a word that was said and 0 for others; penalty 0.4, worth = 0.6 p - 0.4 likeness.

    At first a: 0.36 > b: 0.18. Then a: 0.36 - 0.4 < b: 0.18; then c: 0.06 > a: -0.04; then all were said: a.
    """
    ((written,),) = Config(candidates=3, penalty=0.4).build()(looping(), blank(1))
    assert written.tokens == [4, 5, 6, 4, 4]
    assert written.logprob == pytest.approx(3 * math.log(0.6) + math.log(0.3) + math.log(0.1), abs=1e-4)
    assert written.finished


def test_a_small_penalty_does_not_outweigh_the_probability():
    """0.8 * 0.6 - 0.2 = 0.28 for a again, against 0.8 * 0.3 = 0.24 for b."""
    ((written,),) = Config(candidates=3, penalty=0.2).build()(looping(), blank(1))
    assert written.tokens == [4] * 5


def test_likeness_counts_and_not_the_token():
    """b stands where a stands: when a was said, b is no better and c is taken."""
    vectors = torch.eye(7)
    vectors[5] = vectors[4]
    ((written,),) = Config(candidates=3, penalty=0.4).build()(looping(vectors), blank(1))
    assert written.tokens[:3] == [4, 6, 4]


def test_only_candidates_are_tried():
    ((written,),) = Config(candidates=2, penalty=0.4).build()(looping(), blank(1))
    assert 6 not in written.tokens and written.tokens[:2] == [4, 5]


@pytest.mark.parametrize("settings", [{"penalty": 0.0}, {"candidates": 1}], ids=str)
def test_its_limits_are_greedy(settings):
    latent, _ = pictures(24)
    greedy = Greedy(max_tokens=24).build()(decoder(), latent)
    found = Config(max_tokens=24, **settings).build()(decoder(), latent)
    assert [(w.tokens, w.finished) for (w,) in found] == [(w.tokens, w.finished) for (w,) in greedy]


def test_it_repeats_less_than_greedy():
    latent, _ = pictures(48)

    def repeats(config):
        return sum(len(w.tokens) - len(set(w.tokens)) for (w,) in config.build()(decoder(), latent))

    assert repeats(Config(max_tokens=16, penalty=0.6)) < repeats(Greedy(max_tokens=16)) / 2


def test_what_the_prompt_said_counts():
    begun = Begun(looping(), [4, 5])
    ((written,),) = Config(candidates=3, penalty=0.4).build()(begun, blank(1))
    assert written.tokens[:2] == [6, 4]


def test_pictures_of_many_lengths_are_written_as_alone():
    latent, _ = pictures(16)
    method = Config(max_tokens=20, penalty=0.1).build()
    together = method(decoder(), latent)
    assert [found[0].tokens for found in together] == [
        method(decoder(), latent.rows(torch.tensor([i])))[0][0].tokens for i in range(16)
    ]
    assert len({len(found[0].tokens) for found in together}) > 3


def test_more_candidates_than_words_cost_nothing():
    every, most = ([Config(candidates=k).build()(looping(), blank(1))] for k in (7, 10**12))
    assert [one[0][0].tokens for one in every] == [one[0][0].tokens for one in most]


def test_more_candidates_than_words():
    ((written,),) = Config(candidates=12, penalty=0.4).build()(looping(), blank(1))
    assert written.tokens == [4, 5, 6, 4, 4]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidates": 0}, r"generate\.contrastive\.candidates is 0; it is at least 1, for example candidates=5"),
        ({"penalty": 1.2}, r"penalty is 1\.2; it is from 0 \(greedy\) to 1, for example penalty=0\.6"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings).build()
