"""Minimum Bayes risk: the consensus is picked, by words or by meaning."""

import math
from dataclasses import replace

import pytest
import torch
from tests.generate._table import Spoken, blank

from tuwen.errors import ConfigError
from tuwen.generate._written import Written
from tuwen.generate.beam import Config as Beam
from tuwen.generate.mbr import Config, _different
from tuwen.metric._consensus import Consensus

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
    for beams in (0, 5):
        (found,) = Config(samples=60, temperature=1.0, beams=beams, best=3, seed=3).build()(made, blank(1))
        texts = made.texts([w.tokens for w in found])
        assert texts[0] == "a dog runs" and len(set(texts)) == 3
    (best,) = Beam().build()(made, blank(1))
    assert made.texts([best[0].tokens]) == ["blue blue blue"]


def test_what_the_beams_find_takes_part():
    """At this temperature only the likeliest beginning is drawn, "a dog runs"; what agrees with it comes of the beams."""
    made = table()
    (alone,) = Config(samples=8, temperature=0.01, beams=0, best=8).build()(made, blank(1))
    assert made.texts([w.tokens for w in alone]) == ["a dog runs"]
    (found,) = Config(samples=8, temperature=0.01, beams=4, best=5).build()(made, blank(1))
    assert made.texts([w.tokens for w in found])[0] == "a dog runs" and len(found) == 4


def test_voice_is_the_probability_to_a_power():
    """All alike, "a dog runs" shares most with others; by sixteen times their probability, the likeliest has all of it."""
    made = table()
    for voice, best in ((0.0, "a dog runs"), (1.0, "a dog runs"), (16.0, "blue blue blue")):
        (found,) = Config(samples=60, temperature=1.0, voice=voice, seed=3).build()(made, blank(1))
        assert made.texts([found[0].tokens]) == [best], voice


def test_a_phrase_that_everything_holds_says_little():
    """ "a dog" begins 0.52 of the texts and "blue cat" the others; where a dog is in all that was learned, cats decide."""
    chance = torch.full((4, 10, 10), 1e-9)
    chance[0, 1, 4], chance[0, 1, 9] = 0.52, 0.48
    chance[1, 4, 5] = chance[1, 9, 6] = 1.0
    for noun in (5, 6):
        chance[2, noun, 7] = chance[2, noun, 8] = 0.5
    chance[3, :, 2] = 1.0
    made = Spoken(chance, PIECES)

    def first(consensus):
        made.consensus = consensus
        (found,) = Config(samples=60, temperature=1.0, beams=4).build()(made, blank(1))
        return made.texts([found[0].tokens])[0]

    assert first(None).startswith("a dog")
    assert first(Consensus([["a dog"], ["a dog"], ["a dog", "blue cat"]])).startswith("blue cat")


def test_worth_by_hand():
    """Likeness, by this encoder's vectors: x y z of 0.2, 0.3 and 0.5; x and z share 0.6, y and z 0.8, x and y nothing."""
    made = table()
    names = {"a dog runs": [1.0, 0.0], "a cat sits": [0.0, 1.0], "blue blue blue": [0.6, 0.8]}
    written = {name: Written([], math.log(p), True) for name, p in zip(names, (0.2, 0.3, 0.5), strict=True)}
    vectors = {name: torch.tensor(vector) for name, vector in names.items()}
    method = Config(voice=1.0, similarity="embedding").build(embed=lambda texts: torch.zeros(len(texts), 2))
    plain = method._worth(made, written, [0.0] * 3, vectors, {})
    assert plain == pytest.approx([0.2 + 0.5 * 0.6, 0.3 + 0.5 * 0.8, 0.2 * 0.6 + 0.3 * 0.8 + 0.5], abs=1e-6)
    fitting = method._worth(
        made, written, [math.log(3) / 10, 0.0, 0.0], vectors, {}
    )  # x counts three times: 0.6 of 1.4
    assert fitting[0] == pytest.approx((0.6 + 0.5 * 0.6) / 1.4, abs=1e-6)
    heard = method._worth(made, written, [0.0] * 3, {**vectors, "near": torch.tensor([1.0, 0.0])}, {"near": 0.25})
    assert [now - before for now, before in zip(heard, plain, strict=True)] == pytest.approx([1.0, 0.0, 0.6], abs=1e-6)


def test_neighbours_have_a_voice_and_are_not_said():
    """Twice as loud as all that the model says, they want a cat that sits; what they say word for word is not taken."""

    def near(latent, num):
        assert num == 7
        return [{"a cat sits": 0.75, "a cat sits there": 0.25}] * len(latent)

    way = Config(samples=60, temperature=1.0, seed=3, neighbours="v.npy", near=7, heard=2.0)
    made = table()
    (found,) = way.build(near=near)(made, blank(1))
    assert made.texts([w.tokens for w in found]) == ["a cat sits"]
    (unheard,) = replace(way, heard=0.0).build(near=near)(made, blank(1))
    assert made.texts([w.tokens for w in unheard]) == ["a dog runs"]
    with pytest.raises(ConfigError, match="neighbours is set and nothing that finds them was given"):
        way.build()(made, blank(1))


def test_what_is_matched_is_the_whole_text():
    seen = []

    def match(latent, texts):
        seen.extend(texts)
        return [[0.0] * len(some) for some in texts]

    made = table()
    made.spelled = lambda text: [4]
    Config(samples=8, prompt="a").build(match=match)(made, blank(1))
    assert seen[0] and all(text.startswith("a") for text in seen[0]) and "a dog runs" in seen[0]


def test_of_one_text_the_most_probable_way_to_write_it_counts():
    made = table()
    found = _different(
        made, [], [Written([4, 5], -3.0, True), Written([4, 5], -1.0, True), Written([4, 5], -2.0, True)]
    )
    assert [one.logprob for one in found.values()] == [-1.0]


def test_meaning_decides_where_an_encoder_is_given():
    """To this encoder all texts of cats and of blue things are alike: 0.7 * 0.4 + 0.3 = 0.58 of what is drawn."""

    def embed(texts):
        alike = ["cat" in text or "blue" in text for text in texts]
        return torch.stack([torch.eye(len(texts) + 1)[0 if same else i + 1] for i, same in enumerate(alike)])

    made = table()
    asked = Config(samples=60, temperature=1.0, voice=1.0, similarity="embedding", seed=3)
    (found,) = asked.build(embed=embed)(made, blank(1))
    (text,) = made.texts([found[0].tokens])
    assert "cat" in text or "blue" in text


def test_what_is_written_for_a_picture_does_not_depend_on_others():
    both = Config(samples=20, best=4).build()(table(), blank(2))
    (alone,) = Config(samples=20, best=4).build()(table(), blank(1))
    assert [w.tokens for w in both[0]] == [w.tokens for w in both[1]] == [w.tokens for w in alone]


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match=r"generate\.mbr\.samples is 0; it is at least 1, for example samples=16"):
        Config(samples=0).build()
    with pytest.raises(ConfigError, match=r"samples is 2; it is at least 3, for best=8\. Set samples=3\."):
        Config(samples=2, beams=5, best=8).build()
    Config(samples=2, beams=5, best=7).build()
    with pytest.raises(ConfigError, match=r"near is 0; it is at least 1, for example near=30"):
        Config(near=0).build()
    with pytest.raises(ConfigError, match=r"heard is -1; it is 0 \(they do not count\) or more, for example heard=4"):
        Config(heard=-1).build()
    with pytest.raises(ConfigError, match=r"similarity is 'meaning'; it is cider or embedding"):
        Config(similarity="meaning").build()
    with pytest.raises(ConfigError, match="similarity is 'embedding' and no encoder of texts was given"):
        Config(similarity="embedding").build()(table(), blank(1))
    with pytest.raises(ConfigError, match=r"beams is -1; it is 0 \(no beam search\) or more"):
        Config(beams=-1).build()
    with pytest.raises(ConfigError, match=r"match is -1; it is 0 \(it does not count\) or more"):
        Config(match=-1).build()
    with pytest.raises(ConfigError, match=r"voice is -0.5; it is 0 or more, for example voice=0.3"):
        Config(voice=-0.5).build()
