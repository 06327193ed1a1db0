"""Minimum Bayes risk: the consensus is picked, by words or by meaning."""

import pytest
import torch
from tests.generate._table import Spoken, blank

from tuwen.errors import ConfigError
from tuwen.generate.mbr import Config, _by_embedding, _by_words

PIECES = ["", "", "", "", " a", " dog", " cat", " runs", " sits", " blue"]


def table():
    """ "a dog runs", "a dog sits", "a cat runs", ... or, with 0.3, "blue blue blue": the one text that is likeliest."""
    chance = torch.full((4, 10, 10), 1e-9)
    chance[0, 1, 4], chance[0, 1, 9] = 0.7, 0.3
    chance[1, 4, 5], chance[1, 4, 6], chance[1, 9, 9] = 0.6, 0.4, 1.0
    for noun in (5, 6):
        chance[2, noun, 7], chance[2, noun, 8] = 0.6, 0.4
    chance[2, 9, 9] = 1.0
    chance[3, :, 2] = 1.0
    return Spoken(chance, PIECES)


def test_it_picks_the_consensus_and_not_the_likeliest():
    """0.7 * 0.6 * 0.6 = 0.25 for "a dog runs" against 0.3 for "blue blue blue", which agrees with nothing else."""
    made = table()
    (found,) = Config(samples=60, best=3, seed=3).build()(made, blank(1))
    texts = made.texts([w.tokens for w in found])
    assert texts[0] == "a dog runs" and len(set(texts)) == 3
    (drawn,) = Config(samples=60, best=60, seed=3).build().sampling(made, blank(1))
    assert made.texts([drawn[0].tokens]) == ["blue blue blue"]


def test_meaning_decides_where_an_encoder_is_given():
    """To this encoder all texts of cats and of blue things are alike: 0.7 * 0.4 + 0.3 = 0.58 of what is drawn."""

    def embed(texts):
        alike = ["cat" in text or "blue" in text for text in texts]
        return torch.stack([torch.eye(len(texts) + 1)[0 if same else i + 1] for i, same in enumerate(alike)])

    made = table()
    (found,) = Config(samples=60, similarity="embedding", seed=3).build(embed=embed)(made, blank(1))
    (text,) = made.texts([found[0].tokens])
    assert "cat" in text or "blue" in text


def test_likeness_by_hand():
    """Of two texts alike and one that shares nothing: 10 * 2 / 3 and 10 / 3, each being like itself."""
    said = ["a b c d e", "a b c d e", "v w x y z"]
    [found] = _by_words([said])
    assert found == pytest.approx({"a b c d e": 20 / 3, "v w x y z": 10 / 3})
    assert _by_words([said, ["", ""], said]) == [found, {"": 0.0}, found], "pictures do not see each other"


def test_cosines_by_hand():
    vectors = {"x": [1.0, 0.0], "y": [0.0, 1.0], "z": [0.6, 0.8]}
    [found] = _by_embedding([["x", "x", "y", "z"]], lambda texts: torch.tensor([vectors[text] for text in texts]))
    assert found == pytest.approx({"x": (2 + 0.6) / 4, "y": (1 + 0.8) / 4, "z": (1.2 + 0.8 + 1) / 4})


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match=r"generate\.mbr\.samples is 0; it is at least 1, for example samples=16"):
        Config(samples=0).build()
    with pytest.raises(ConfigError, match=r"samples is 2; it is 0 or at least best, 3"):
        Config(samples=2, best=3).build()
    with pytest.raises(ConfigError, match=r"similarity is 'meaning'; it is cider or embedding"):
        Config(similarity="meaning").build()
    with pytest.raises(ConfigError, match="similarity is 'embedding' and no encoder of texts was given"):
        Config(similarity="embedding").build()(table(), blank(1))
