"""Diverse beam search: its groups differ as they are told to, and without a cost they are beam searches."""

import pytest
import torch
from tests.generate._gpt2 import decoder, pictures
from tests.generate._table import Table, blank, random_table

from tuwen.errors import ConfigError
from tuwen.generate.beam import Config as Beam
from tuwen.generate.diverse import Config


def three_words():
    """Words 4, 5 and 6 with 0.5, 0.3 and 0.2, then the end."""
    chance = torch.full((3, 8, 8), 1e-6)
    chance[0, :, 4], chance[0, :, 5], chance[0, :, 6] = 0.5, 0.3, 0.2
    chance[1:, :, 2] = 1.0
    return Table(chance)


def test_without_a_cost_each_group_is_a_beam_search():
    table = random_table(pictures=6, length=6, vocabulary=9, seed=3)
    wanted = Beam(beams=2, best=2).build()(table, blank(6))
    found = Config(beams=6, groups=3, diversity=0.0, best=6).build()(table, blank(6))
    for one, other in zip(wanted, found, strict=True):
        assert [(w.tokens, w.finished) for w in one] == [(w.tokens, w.finished) for w in other], "each text once"


def test_one_group_is_beam_search():
    latent, _ = pictures(20)
    wanted = Beam(beams=4, best=4, max_tokens=16).build()(decoder(), latent)
    assert Config(beams=4, groups=1, best=4, max_tokens=16).build()(decoder(), latent) == wanted


@pytest.mark.parametrize(("diversity", "first_words"), [(0.4, [4, 4, 5]), (0.6, [4, 5, 4]), (1.0, [4, 5, 6])])
def test_by_hand(diversity, first_words):
    """ln(0.5 / 0.3) is 0.51 and ln(0.5 / 0.2) is 0.92: what the second and third group choose follows from the cost.

    With 0.4 the second group pays 0.4 for word 4 and still takes it, the third would pay 0.8 and does not; with 0.6 the
    third pays 0.6 for word 4 or for word 5, and word 4 is worth more.
    """
    config = Config(beams=3, diversity=diversity, best=3)
    (texts,) = config.build()(three_words(), blank(1))
    assert [w.tokens[0] for w in texts] == list(dict.fromkeys(sorted(first_words)))
    assert [w.logprob for w in texts] == pytest.approx(
        [{4: -0.6931, 5: -1.2040, 6: -1.6094}[w.tokens[0]] for w in texts], abs=1e-3
    ), "the cost is in no score"


def test_groups_differ():
    latent, _ = pictures(32)

    def words(diversity):
        texts = Config(beams=4, diversity=diversity, best=4, max_tokens=16).build()(decoder(), latent)
        return sum(len({token for w in found for token in w.tokens}) for found in texts) / len(texts)

    plain = Beam(beams=4, best=4, max_tokens=16).build()(decoder(), latent)
    beam = sum(len({token for w in found for token in w.tokens}) for found in plain) / len(plain)
    assert words(0.0) < beam < words(1.0) < words(4.0)


def test_the_first_group_does_not_see_the_others():
    latent, _ = pictures(12)
    (plain, found) = (
        method.build()(decoder(), latent)
        for method in (Beam(beams=2, max_tokens=16), Config(beams=6, groups=3, best=6, max_tokens=16, diversity=2.0))
    )
    assert all(one[0].tokens in [w.tokens for w in many] for one, many in zip(plain, found, strict=True))


def test_the_best_of_each_group_comes_before_second_ones():
    latent, _ = pictures(12)
    texts = Config(beams=6, groups=3, best=3, max_tokens=16, diversity=3.0).build()(decoder(), latent)
    for found in texts:
        assert found[0].score() >= found[1].score()
        assert len({tuple(w.tokens) for w in found}) == 3


def test_pictures_that_are_done_leave_the_batch():
    chance = torch.full((3, 6, 8, 8), 0.02)
    for picture, length in enumerate((1, 5, 3)):
        chance[picture, :length, :, 4] = 0.86
        chance[picture, length:, :, 2] = 0.86
    table = Table(chance)
    texts = Config(beams=2, length_penalty=0.0, diversity=0.1).build()(table, blank(3))
    assert [w.tokens for (w,) in texts] == [[4], [4] * 5, [4] * 3]
    assert (table.rows_seen[0], table.rows_seen[-1]) == (6, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"beams": 6, "groups": 4},
            r"generate\.diverse\.groups is 4; it divides the number of beams, 6: 0 .*, 1, 2, 3, 6",
        ),
        ({"groups": -1}, r"groups is -1; it divides the number of beams"),
        ({"diversity": -0.1}, r"generate\.diverse\.diversity is -0\.1; it is 0 or more, for example diversity=0\.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings).build()
