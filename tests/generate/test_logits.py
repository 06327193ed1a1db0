"""Rules on what comes next: runs that may not repeat, words that may not occur, however they are cut into tokens."""

import random
import re

import pytest
import torch
from tests.contract._parts import made_by
from tests.generate._table import Spoken, blank, random_table

from tuwen import registry
from tuwen.errors import ConfigError
from tuwen.generate._limits import Limits
from tuwen.generate._logits import Rules, ban_repeats, never
from tuwen.generate._prompt import Begun, begun
from tuwen.generate._words import Forbidden, begins, in_bytes, inside, parted, torn
from tuwen.generate.greedy import Config as Greedy
from tuwen.tokenizer import UNK, Tokenizer

WRITING = made_by("generate", Limits)

TEXTS = ["a red dog runs", "a reddish doghouse", "the hotdog-stand", "red-haired, café", "do go d og", "一只狗在跑"] * 3


class Speaker:
    """The words of a decoder, without the decoder."""

    bos, eos = 1, 2

    def __init__(self, kind="bpe", size=340, texts=TEXTS):
        self.tokenizer = Tokenizer.train(texts, kind=kind, size=size)
        self.spelled, self.pieces, self.max_tokens = self.tokenizer.spelled, self.tokenizer.pieces, 20


def banned(logits_NV):
    return [row.isinf().nonzero()[:, 0].tolist() for row in logits_NV]


def test_repeats_by_hand():
    logits_NV = torch.zeros(3, 9)
    ban_repeats(logits_NV, torch.tensor([[5, 6, 7, 5, 6], [5, 6, 5, 6, 5], [5, 5, 5, 5, 5]]), 3)
    assert banned(logits_NV) == [[7], [6], [5]]
    logits_NV = torch.zeros(1, 9)
    ban_repeats(logits_NV, torch.tensor([[5, 6, 7]]), 1)
    assert banned(logits_NV) == [[5, 6, 7]]
    ban_repeats(logits_NV := torch.zeros(1, 9), torch.tensor([[5]]), 3)
    assert banned(logits_NV) == [[]]


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_run_comes_twice(name, size):
    """A table that would say the same word for ever."""
    chance = torch.full((9, 8, 8), 0.01)
    chance[:, :, 4], chance[:, :, 5], chance[:, :, 2] = 0.7, 0.2, 1e-6
    table = Spoken(chance, ["", "", "", " x", " a", " b", " c", " d"])
    plain, strict = (
        registry.get("generate", name).Config(no_repeat_ngram=n, max_tokens=9).build()(table, blank(1))[0][0].tokens
        for n in (0, size)
    )
    runs = [tuple(strict[i : i + size]) for i in range(len(strict) - size + 1)]
    assert len(set(runs)) == len(runs)
    assert len({tuple(plain[i : i + size]) for i in range(len(plain) - size + 1)}) < len(plain) - size + 1


def test_never_is_the_decoders_own():
    table = random_table()
    assert never(table) == [0, 1, 3]
    table.never = (1, 2, 5)
    assert never(table) == [1, 5], "the end may come"
    rules = Rules(Greedy(min_tokens=2), table, torch.device("cpu"))
    assert banned(rules(torch.zeros(1, 6), torch.zeros(1, 1, dtype=torch.int64))) == [[1, 2, 5]]
    assert banned(rules(torch.zeros(1, 6), torch.zeros(1, 2, dtype=torch.int64))) == [[1, 5]]


def write(speaker, words, rule, dice):
    """A text of random tokens, of which every other begins or goes on with one of the words, cut anywhere."""
    said, rest = [], b""
    every = [t for t, piece in enumerate(speaker.pieces) if piece]
    for _ in range(14):
        rest = rest or dice.choice([f" {word}".encode() for word in words] + [b""] * len(words))
        out = set(rule(said))
        fits = [t for t in every if t not in out and rest.startswith(speaker.pieces[t])]
        said.append(dice.choice(fits or [t for t in every if t not in out]))
        rest = rest[len(speaker.pieces[said[-1]]) :] if fits else b""
    return b"".join(speaker.pieces[t] for t in said).decode("utf-8", "replace")


@pytest.mark.parametrize(
    "words", [["dog"], ["red", "go"], ["a red"], ["café"], ["hotdog-stand"], ["do", "og"]], ids=str
)
@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_a_forbidden_word_is_never_written_however_it_is_cut(words, kind):
    speaker, dice = Speaker(kind), random.Random(0)
    if any(UNK in speaker.spelled(word) for word in words):
        assert Forbidden(speaker, words)([]) == [], "a word that is unknown is never written"
        return
    forbidden = Forbidden(speaker, words)
    phrases = [b"".join(speaker.pieces[t] for t in speaker.spelled(word)).decode().strip() for word in words]
    pattern = "|".join(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in phrases)
    free = sum(bool(re.search(pattern, write(speaker, phrases, lambda said: (), dice))) for _ in range(100))
    assert free > 10, "the texts of this test hold the words where all tokens may come"
    for _ in range(150):
        text = write(speaker, phrases, forbidden, dice)
        assert not re.search(pattern, text), text


def test_longer_words_may_be_written():
    speaker = Speaker()
    forbidden = Forbidden(speaker, ["red"])
    reddish = speaker.spelled("reddish")
    assert len(reddish) == 1, "the test needs the longer word in one token"
    assert speaker.spelled("red")[0] in forbidden([]) and reddish[0] not in forbidden([])


def test_letters_of_scripts_without_spaces_are_words():
    speaker = Speaker()
    forbidden = Forbidden(speaker, ["狗"])
    first, *rest = "狗".encode()
    cut = speaker.pieces.index(bytes([first]))
    said = [*inside(speaker, "一只"), cut]
    whole = [t for t, piece in enumerate(speaker.pieces) if piece == bytes(rest)]
    assert whole and set(whole) <= set(forbidden(said))
    assert all(t in forbidden([]) for t, piece in enumerate(speaker.pieces) if "狗".encode() in piece)


KOREAN = ["개가 달린다", "개구리가 달린다", "큰 개 한 마리"] * 3
THAI = ["หมาวิ่งในสวน", "แมวกับหมา", "นกหมู หมาดำ"] * 3


def test_korean_words_are_those_between_spaces():
    speaker = Speaker(size=400, texts=KOREAN)
    forbidden = Forbidden(speaker, ["개"])
    frog, dog = speaker.spelled("개구리가"), speaker.spelled("큰 개")
    assert len(frog) == 1 and frog[0] not in forbidden([]), "개구리 is another word"
    assert dog[-1] in forbidden(dog[:-1])
    assert inside(speaker, "달린다") == speaker.spelled("달린다"), "a space stands before it"


@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_thai_words_are_found_in_running_text(kind):
    speaker = Speaker(kind, size=400, texts=THAI)
    forbidden = Forbidden(speaker, ["หมา"])
    for text in ("แมวกับหมา", "หมาวิ่งในสวน"):
        row = speaker.spelled(text)
        assert any(token in forbidden(row[:place]) for place, token in enumerate(row)), text
    pig = speaker.spelled("หมู")
    assert not any(token in forbidden(pig[:place]) for place, token in enumerate(pig))


def test_a_word_inside_a_text_of_a_script_without_spaces_has_none_before_it():
    speaker = Speaker()
    assert in_bytes(speaker, speaker.spelled("狗")) == " 狗".encode()
    assert in_bytes(speaker, inside(speaker, "狗")) == "狗".encode()
    assert inside(speaker, "red dog") == speaker.spelled("red dog")
    assert inside(Speaker("word"), "狗") == Speaker("word").spelled("狗")


def test_where_words_part_in_other_scripts():
    dog, run, mark = "หมา".encode(), "วิ่ง".encode(), "\u0e34".encode()
    assert parted(dog, run) and parted("นี้".encode(), dog) and parted(b"dog", dog) and parted(dog, b"d")
    assert not parted(dog, mark) and not parted("か".encode(), "\u3099".encode()) and parted(b" ", mark)
    assert not parted("개".encode(), "구".encode()) and not parted(b"dog", "개".encode())
    assert not parted("कुत्ते".encode(), "क".encode()) and not parted(b"e", "\u0301s".encode())
    assert parted("🐕".encode(), "\ufe0f".encode()) and parted(b"dog", "»".encode())


def test_what_is_known_of_a_letter_that_is_cut_short():
    """Its first bytes say what most letters are that begin so."""
    for letter, parts in {"é": False, "д": False, "한": False, "क": False, "狗": True, "か": True, "🐕": True}.items():
        assert parted(b"dog", letter.encode()[:-1]) == parts, letter
        assert parted("狗".encode(), letter.encode()[:-1]), letter
    assert parted(b"dog", "…".encode()[:1]) and parted(b"dog", "，".encode()[:2]) and parted(b"dog", b"\xff")
    assert parted("หมา".encode(), "ห".encode()[:1]) and not parted("หมา".encode(), "ห".encode()[1:])
    assert not parted(b"caf", "\u0301".encode()[:1])
    assert [torn(text) for text in (b"", b"dog", "狗".encode(), b"a\xe7", b"\xe7\x8b", b"\xe7a", b"\x8b")] == [
        b"", b"", b"", b"\xe7", b"\xe7\x8b", b"", b"",
    ]  # fmt: skip


def test_a_prompt_without_spaces_is_gone_on_from():
    """What comes right after it may begin with any letter, cut or not, but not with a mark of its last one."""
    for texts, prompt, letter, mark in ((THAI, "หมา", "ว", "\u0e34"), (TEXTS, "一只", "狗", "")):
        speaker = Speaker(size=400, texts=texts)
        logits_NV = Rules(Greedy(), Begun(speaker, speaker.spelled(prompt)), torch.device("cpu"))(
            torch.zeros(1, len(speaker.pieces)), torch.zeros(1, 0, dtype=torch.int64)
        )
        come = {piece for piece, logit in zip(speaker.pieces, logits_NV[0].tolist(), strict=True) if logit == 0}
        assert letter.encode()[:1] in come and b"a" in come
        assert not mark or not any(piece.startswith(mark.encode()) for piece in come)
        assert letter.encode()[-1:] not in come


def test_a_prompt_is_spelled_as_the_beginning_of_a_text():
    """Every text that was learned begins with a token that has a space."""
    speaker = Speaker(size=400, texts=["一只狗在跑", "一只猫"] * 4)
    given = begun(speaker, "一只").given
    assert given == speaker.tokenizer.encode(["一只"])[0] == speaker.tokenizer.encode(["一只。"])[0][: len(given)]
    assert speaker.pieces[given[0]][:1] == b" "


def test_where_words_part():
    assert parted(b"dog", b" runs") and parted(b"dog", b"-") and parted(b"", b"dog") and parted(b"dog", b"")
    assert not parted(b"dog", b"s") and not parted(b"caf", "é".encode()) and not parted("é".encode(), b"s")
    assert parted("狗".encode(), b"s") and parted(b"dog", "狗".encode()) and parted(b"dog", "。".encode())
    speaker = Speaker()
    begins_V = begins(speaker)
    named = {piece: bool(begins_V[token]) for token, piece in enumerate(speaker.pieces) if piece}
    assert named[b" red"] and named[b"-"] and not named[b"d"] and not named[b"\xa9"]
    assert begins_V[speaker.eos] and not begins_V[0]


PIECES = [" a", "", "", "", " c", "d"]


@pytest.mark.parametrize("name", WRITING)
def test_a_prompt_is_gone_on_from(name):
    """After the prompt the table is read where it stands, and the prompt's last word does not grow."""
    chance = torch.zeros(4, 6, 6)
    chance[0, :, 0] = 1.0
    chance[1, 4, 5], chance[1, 4, 0], chance[1, 0, 4] = 0.9, 0.1, 1.0  # after c: d, or else a
    chance[2, :, 0], chance[3, :, 2] = 1.0, 1.0
    table = Spoken(chance, PIECES)
    config = registry.get("generate", name).Config
    ((written, *_),) = config(prompt="c").build()(table, blank(1))
    assert (written.tokens, written.finished) == ([0, 0], True), "c a a"
    assert written.logprob == pytest.approx(torch.tensor(0.1).log().item(), abs=1e-3)
    assert len(config(prompt="c", max_tokens=1).build()(table, blank(1))[0][0].tokens) == 1


def test_runs_and_words_of_the_prompt_count():
    table = random_table(length=6, vocabulary=6)
    after = Begun(Spoken(table.chance_BTVV, PIECES), [4, 5])
    rules = Rules(Greedy(no_repeat_ngram=1, without=("cd a",)), after, torch.device("cpu"))
    empty = torch.zeros(1, 0, dtype=torch.int64)
    assert banned(rules(torch.zeros(1, 6), empty)) == [[0, 1, 3, 4, 5]]


def test_prompts_that_cannot_be():
    table = Spoken(random_table(length=3).chance_BTVV, [" a", "", "", " b", " c", "d"])
    with pytest.raises(ConfigError, match="prompt 'b' has a word that this model never learned to write; take another"):
        Greedy(prompt="b").build()(table, blank(1))
    with pytest.raises(ConfigError, match="prompt has 3 tokens and this model writes texts of at most 3; shorten the"):
        Greedy(prompt="a a a").build()(table, blank(1))
    assert Greedy(without="red, blue").without == Greedy(without=["red", "blue"]).without == ("red", "blue")
