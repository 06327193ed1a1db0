"""Constrained beam search against exhaustive search: its texts always hold the words, and are the best that do."""

import itertools
import re

import pytest
import torch
from tests.generate._gpt2 import decoder, pictures
from tests.generate._table import Spoken, Table, blank, random_table

from tuwen._scripts import unspaced
from tuwen.errors import ConfigError
from tuwen.generate._prompt import Begun
from tuwen.generate._required import Beginning, Required
from tuwen.generate.beam import Config as Beam
from tuwen.generate.constrained import Config, shared_out
from tuwen.tokenizer import BOS, PAD, UNK, Tokenizer

PIECES = [" a", "", "", " b", " c", "d"]
"""Tokens 4 and 5 are the word "cd"; 3 is never asked for, as it is the unknown word elsewhere."""
ALLOWED = [0, 2, 3, 4, 5]
EVERY_TEXT = 341


def table(seed=0, pictures=2, length=5):
    return Spoken(random_table(pictures, length, 6, seed).chance_BTVV, PIECES)


def holds(made, tokens, words):
    text = f" {made.texts([[t for t in tokens if t != made.eos]])[0]} "
    return all(f" {word} " in text for word in words)


@pytest.mark.parametrize("words", [("a",), ("c",), ("cd",), ("a", "cd"), ("c", "cd"), ("a", "a c"), ("c a", "cd")])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_wide_enough_finds_the_best_of_all_texts_that_hold_the_words(words, length_penalty):
    made = table(seed=1, length=4)
    config = Config(beams=EVERY_TEXT, best=10, max_tokens=4, length_penalty=length_penalty, words=words)
    for picture, found in enumerate(config.build()(made, blank(2))):
        every = [text for text in made.every_text(4, ALLOWED, picture) if holds(made, text[0], words)]
        every.sort(key=lambda text: -text[1] / len(text[0]) ** length_penalty)
        assert [(*w.tokens, *[2] * w.finished) for w in found[:1]] == [every[0][0]]
        assert found[0].logprob == pytest.approx(every[0][1], abs=1e-4)
        assert {(*w.tokens, *[2] * w.finished) for w in found} <= {text for text, _ in every}


@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize("seed", range(6))
def test_the_words_are_always_there(beams, seed):
    """However few the beams, and with no token to spare."""
    made = table(seed, pictures=3)
    for words, length in ((("a", "cd", "c"), 5), (("cd",), 2), (("c", "cd"), 3), (("a", "c", "a c"), 3)):
        config = Config(beams=beams, max_tokens=length, words=words)
        for (written,) in config.build()(made, blank(3)):
            assert holds(made, written.tokens, words), (words, made.texts([written.tokens]))
            assert len(written.tokens) + written.finished <= length


class Bytes(Spoken):
    """A byte-level BPE with a table of random probabilities: it writes torn letters, too."""

    def __init__(self, texts, size=300, length=12, seed=0):
        self.tokenizer = Tokenizer.train(texts, size=size)
        super().__init__(random_table(1, length, self.tokenizer.size, seed).chance_BTVV, [""])
        self.pieces, self.never = self.tokenizer.pieces, (PAD, BOS, UNK)

    def spelled(self, text):
        return self.tokenizer.spelled(text)

    def said(self, tokens):
        return b"".join(self.pieces[token] for token in tokens).decode("utf-8", "replace")


SCRIPTS = {
    "一只狗,只狗": ["一只狗 s", "黑的"],
    "가 달린다,달린다,개": ["개가 달린다", "큰 개"],
    "red,reddish,a red": ["a red dog", "a reddish dog", "the dogged cat"],
    "개,강아지": ["개가 달린다", "큰 개 한 강아지"],
    "หมา,狗": ["หมาวิ่งในสวน", "แมวกับหมา", "一只狗"],
    "dog,หมา,的狗": ["a dog", "หมาวิ่งในสวน", "黑的狗 的狗 的 狗"],
    "कुत्ता,dog": ["एक कुत्ता", "a dog"],
    "狗,的狗,s": ["黑的狗在跑", "一只狗 s dogs"],
}


@pytest.mark.parametrize("wanted", SCRIPTS)
def test_the_words_are_always_there_in_every_script_and_however_they_are_cut(wanted):
    """With no token to spare, and with some; the same table, so that what is torn is written, too."""
    words = tuple(wanted.split(","))
    for seed in range(4):
        made = Bytes(SCRIPTS[wanted] * 3, seed=seed)
        least = Required(made, words).begin().left
        for beams, room in ((1, 0), (1, 2), (3, 1), (4, 3)):
            config = Config(beams=beams, max_tokens=least + room, words=words)
            ((written,),) = config.build()(made, blank(1))
            text = made.said(written.tokens)
            for word in words:  # spaces, or other scripts, around those that have spaces
                around = "" if unspaced(word[0]) else r"[^\W\u0e00-\u0e7f\u4e00-\u9fff]|[\u0900-\u097f]"
                assert re.search(f"(?<!{around}){word}(?!{around})" if around else word, text), (word, text)


@pytest.mark.parametrize("before", ["一只", "的"])
def test_a_word_counts_however_it_was_cut(before):
    """At the beginning of a text its token has a space, and 狗 is the end of another token."""
    made = Bytes(["一只狗", "的狗", "在跑"] * 4, size=400)
    required, row = Required(made, ("狗",)), made.spelled(before + "狗")
    assert required.rows[0][0] not in row, "its own tokens are not said"
    one = required.begin()
    for token in row:
        assert one.left and required.next(one)
        one = required.after(one, token, 0.0, 0)
    assert one.open == {0} and one.left == 0 and not required.next(one)
    assert required.after(one, made.spelled("在")[0], 0.0, 0).met == {0}


def test_at_the_beginning_a_word_is_offered_as_texts_begin():
    made = Bytes(["一只狗", "黑的狗"] * 4, size=400)
    required = Required(made, ("一只",))
    first, within = made.spelled("一只"), list(required.rows[0])
    assert first != within and set(required.next(required.begin())) == {first[0], within[0]}
    one = required.begin()
    for token in first:
        assert token in required.next(one)
        one = required.after(one, token, 0.0, 0)
    assert one.left == 0
    other = required.after(required.begin(), made.spelled("黑")[0], 0.0, 0)
    assert required.next(other) == [within[0]]


def test_korean_words_are_said_between_spaces():
    made = Bytes(["개가 달린다", "큰 개 한 마리"] * 4, size=400)
    required = Required(made, ("달린다", "개"))
    one = required.begin()
    for token in made.spelled("개가 달린다"):
        one = required.after(one, token, 0.0, 0)
    assert (one.met, one.open) == (frozenset(), frozenset({0})), "개가 is another word than 개"
    assert required.after(one, made.spelled("한")[0], 0.0, 0).met == {0}


def test_a_word_stays_open_while_the_letter_after_it_is_torn():
    made = Bytes(["a dog", "หมา"] * 4, size=260)
    required = Required(made, ("dog",))
    one = required.begin()
    for token in made.spelled("dog"):
        one = required.after(one, token, 0.0, 0)
    byte = {piece: token for token, piece in enumerate(made.pieces) if len(piece) == 1}
    for letter, met in (("ห", True), ("क", False), ("é", False), ("…", True)):
        now = one
        for number in letter.encode():
            assert (now.open, now.left) == ({0}, 0)
            now = required.after(now, byte[bytes([number])], 0.0, 0)
        assert (now.met == {0}, now.open) == (met, frozenset()), letter


def test_without_words_it_is_beam_search():
    latent, _ = pictures(24)
    for settings in ({}, {"no_repeat_ngram": 2}, {"length_penalty": 2.0}, {"min_tokens": 6}):
        settings = {"beams": 4, "best": 4, "max_tokens": 16, **settings}
        wanted = Beam(**settings).build()(decoder(), latent)
        found = Config(**settings).build()(decoder(), latent)
        assert [[(w.tokens, w.finished) for w in one] for one in found] == [
            [(w.tokens, w.finished) for w in one] for one in wanted
        ]
    made = random_table(pictures=3, seed=5)
    assert [f[0].tokens for f in Config().build()(made, blank(3))] == [
        f[0].tokens for f in Beam().build()(made, blank(3))
    ]


def test_the_word_comes_where_it_fits():
    """Token 4 is likely at the third place only: it is put there, not at the beginning or the end."""
    chance = torch.full((5, 6, 6), 0.01)
    chance[0, :, 0], chance[1, :, 3], chance[2, :, 3], chance[3, :, 3], chance[4, :, 2] = 0.95, 0.95, 0.55, 0.95, 0.95
    chance[2, :, 4] = 0.4
    ((written,),) = Config(words=("c",), beams=4).build()(Spoken(chance, PIECES), blank(1))
    assert written.tokens == [0, 3, 4, 3]


def test_a_word_that_is_there_anyway_is_not_said_again():
    chance = torch.full((3, 6, 6), 0.01)
    chance[0, :, 4], chance[1, :, 0], chance[2, :, 2] = 0.95, 0.95, 0.95
    made = Spoken(chance, PIECES)
    assert Config(words=("c",)).build()(made, blank(1)) == Beam().build()(made, blank(1))


def test_words_of_the_prompt_count():
    made = table(length=6)
    config = Config(words=("a", "c"), beams=2, max_tokens=1)
    assert all(w.tokens == [4] for (w,) in config.build()(Begun(made, [0]), blank(2)))
    config = Config(words=("c",), beams=2, max_tokens=2)
    assert all(4 in w.tokens for (w,) in config.build()(Begun(made, [4, 5]), blank(2))), "cd does not hold c"


def test_the_last_word_of_the_prompt_counts_only_where_it_stays_as_it_is():
    """The table says d after c; cd holds no c, which is said again."""
    chance = torch.full((4, 6, 6), 0.01)
    chance[:, 4, 5], chance[:, 4, 2], chance[:, 5, 4], chance[:, 5, 2] = 0.9, 0.05, 0.5, 0.4
    for words, wanted in ((("c", "cd"), [5, 4]), (("c",), [])):
        method = Config(words=words, beams=2, length_penalty=0.0).build()
        ((written,),) = method(Begun(Spoken(chance, PIECES), [4]), blank(1))
        assert written.tokens == wanted, words


def test_a_word_that_stands_open_is_given_up_where_there_is_no_other_room():
    """Said is d c: that is dc, and two tokens of dce. Only as d c e dc there is room for both."""

    class Own(Spoken):
        def spelled(self, text):
            return {"dc": [0], "dce": [4, 5, 6]}[text]

    chance = torch.full((4, 7, 7), 0.01)
    chance[0, :, 4], chance[1:, :, 5] = 0.95, 0.95
    made = Own(chance, [" dc", "", "", "", " d", "c", "e"])
    ((written,),) = Config(words=("dc", "dce"), beams=1, max_tokens=4).build()(made, blank(1))
    assert written.tokens == [4, 5, 6, 0]


def test_what_is_said_of_a_word_that_another_one_holds_counts_with_that_one():
    required = Required(Bytes(["黑的"]), ("一只狗", "只狗"))  # in single bytes
    whole, part = required.rows
    one = required.begin()
    assert one.left == len(whole) == 9 and whole[0] != part[0] and len(part) == 6
    assert required.after(one, part[0], 0.0, 0).left == len(whole)
    assert required.after(one, whole[0], 0.0, 0).left == len(whole) - 1


def test_beams_are_shared_out_among_banks():
    """Two of three lack nothing, five lack one token: the best of each in turn, the fullest first."""
    lacks = [(0, -9.0), (0, -8.0), (0, -7.0), (1, -3.0), (1, -2.0), (1, -1.0), (2, -0.5)]
    going = [Beginning((), total, frozenset(), frozenset(), left, 0) for left, total in lacks]
    assert [(one.left, one.total) for one in shared_out(going, 5)] == [
        (0, -7.0), (1, -1.0), (2, -0.5), (0, -8.0), (1, -2.0),
    ]  # fmt: skip


def test_required_words_come_before_blocked_runs():
    made = table(seed=2)
    config = Config(words=("a c", "c a"), no_repeat_ngram=1, max_tokens=5)
    for (written,) in config.build()(made, blank(2)):
        assert holds(made, written.tokens, ("a c", "c a"))


def test_pictures_that_are_done_leave_the_batch():
    chance = torch.full((3, 6, 8, 8), 0.02)
    for picture, length in enumerate((1, 5, 3)):
        chance[picture, :length, :, 4] = 0.86
        chance[picture, length:, :, 2] = 0.86
    made = Table(chance)
    texts = Config(beams=2, length_penalty=0.0).build()(made, blank(3))
    assert [w.tokens for (w,) in texts] == [[4], [4] * 5, [4] * 3]
    assert (made.rows_seen[0], made.rows_seen[-1]) == (6, 2)


def test_what_is_forbidden_is_not_written_for_the_sake_of_a_word():
    """Both words are there, but not one right after the other; a word that spells what is forbidden cannot be asked for."""
    for seed in range(6):
        made = table(pictures=2, length=5, seed=seed)
        for (written,) in Config(words=("a", "c"), without=("a c",), beams=3).build()(made, blank(2)):
            said = written.tokens
            assert 0 in said and 4 in said and (0, 4) not in itertools.pairwise(said), said
    with pytest.raises(
        ConfigError, match=r"'cd' is in words, and writing it writes what is in without \(c\); take one"
    ):
        Config(words=("cd",), without=("c",), beams=2).build()(table(), blank(2))


def test_words_that_cannot_be():
    with pytest.raises(ConfigError, match="words a, cd take 3 tokens and a text has at most 2; ask for fewer words"):
        Config(words=("a", "cd"), max_tokens=2).build()(table(), blank(1))
    with pytest.raises(ConfigError, match="word 'b' has a word that this model never learned to write"):
        Config(words=("b",)).build()(table(), blank(1))
    with pytest.raises(ConfigError, match="'a red dog' is in words and 'red' in without; take one of them out"):
        Config(words=("a red dog",), without=("red",)).build()
    with pytest.raises(ConfigError, match="'A  Red dog' is in words"):
        Config(words=("A  Red dog",), without=("red",)).build()
    with pytest.raises(ConfigError, match="'一只狗' is in words and '狗' in without"):
        Config(words=("一只狗",), without=("狗",)).build()
    Config(words=("reddish",), without=("red",)).build()
    assert Config(words="red, fire truck,").words == ("red", "fire truck")
