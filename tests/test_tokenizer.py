"""Text <-> token numbers, in any language, and the same after it was stored."""

import json

import pytest

from tuwen.errors import ConfigError
from tuwen.tokenizer import BOS, EOS, PAD, UNK, Tokenizer

TEXTS = [
    "A red dog runs.",
    "a red cat sleeps, and a dog looks on",
    "一只红色的狗在跑。",
    "一只猫在睡觉",
    "der Bär läuft",
] * 3


@pytest.fixture(params=["bpe", "word"])
def tokenizer(request):
    return Tokenizer.train(TEXTS, kind=request.param, size=500)


def test_bpe_gives_any_text_back():
    """Bytes: what never stood in the training text comes back too."""
    tokenizer = Tokenizer.train(TEXTS, kind="bpe", size=500)
    for text in ["一只红色的狗在跑。", "a 🐕 with a 🧑‍🚀", "ñandú", "数学 x² ≤ 3", "a  b\n c"]:
        assert tokenizer.decode(tokenizer.encode([text])) == [" ".join(text.split())]


def test_bpe_merges_what_is_frequent():
    tokenizer = Tokenizer.train(TEXTS, kind="bpe", size=500)
    assert len(tokenizer.encode(["dog"])[0]) == 1
    assert len(tokenizer.encode(["zqz"])[0]) == 4  # a space and three letters, never seen together


def test_words_come_back():
    tokenizer = Tokenizer.train(TEXTS, kind="word", size=500)
    (row,) = tokenizer.encode(["a red dog runs."])
    assert len(row) == 5
    assert tokenizer.decode([row]) == ["a red dog runs."]


def test_chinese_words_are_characters():
    tokenizer = Tokenizer.train(TEXTS, kind="word", size=500)
    (row,) = tokenizer.encode(["一只红色的狗在跑。"])
    assert len(row) == 9
    assert tokenizer.decode([row]) == ["一只红色的狗在跑。"]


@pytest.mark.parametrize(
    "text",
    [
        "a man's t-shirt isn’t the boys' rock'n'roll-shirt",
        "the man 's shirt, that 've",
        "개가 달린다",
        "큰 개와 작은 개",
        "หมาวิ่งที่สวนน้ำ",
        "ໝານ້ອຍແລ່ນຢູ່ໃນສວນ",
        "ခွေးလေးပြေးနေသည်။",
        "ឆ្កែមួយកំពុង​រត់។",
        "ཁྱི་ཆུང་ཞིག་རྒྱུག་བཞིན་འདུག།",
        "彼は「犬」が好き、です。",
        "他说“一只狗”…是的",
        "कुत्ता दौड़ता है",
    ],
)
def test_words_of_every_script_come_back(text):
    tokenizer = Tokenizer.train([text] * 2, kind="word", size=500)
    [row] = tokenizer.encode([text])
    assert UNK not in row and tokenizer.decode([row]) == [text]
    assert b"".join(tokenizer.pieces[token] for token in row).decode().replace(" ", "") == text.replace(" ", "")


def test_a_letter_without_spaces_is_a_word_with_its_marks():
    tokenizer = Tokenizer.train(["ที่นี่ a狗-狗's"] * 2, kind="word", size=500)
    [row] = tokenizer.encode(["ที่นี่ a狗-狗's"])
    assert [tokenizer.decode([[token]])[0] for token in row] == ["ที่", "นี่", "a", "狗", "-", "狗", "'s"]


def test_a_stored_tokenizer_cuts_words_as_it_learned_to():
    """The pattern is its own: that of tokenizers that were stored before words kept their hyphens."""
    stored = json.loads(Tokenizer.train(["a t - shirt ' s"] * 2, kind="word").to_json())
    stored["pre_tokenizer"]["pattern"] = {"Regex": r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[^\s\p{P}]+|\p{P}"}
    before = Tokenizer.from_json(json.dumps(stored))
    words = before.encode(["a t-shirt's", "a t - shirt ' s"])
    assert words[0] == words[1] and UNK not in words[0]


def test_an_unknown_word_has_a_number_of_its_own():
    tokenizer = Tokenizer.train(TEXTS, kind="word", size=500)
    assert tokenizer.encode(["a zebra"])[0][1] == UNK
    assert tokenizer.decode([[UNK]]) == ["<unk>"]


def test_a_word_seen_once_is_unknown():
    tokenizer = Tokenizer.train(["a dog", "a cat", "a dog"], kind="word", size=500)
    assert [row[0] == UNK for row in tokenizer.encode(["dog", "cat"])] == [False, True]


def test_pieces_make_the_text(tokenizer):
    """In UTF-8, also where a letter is cut; special tokens add nothing."""
    for text in TEXTS[:5] + ["a 🐕 with ñ"] * (tokenizer.kind == "bpe"):
        (row,) = tokenizer.encode([text])
        said = b"".join(tokenizer.pieces[token] for token in row).decode()
        wanted = tokenizer.decode([row])[0]
        assert said.replace(" ", "") == wanted.replace(" ", "")
        assert tokenizer.kind == "word" or said.strip() == wanted
    assert tokenizer.pieces[:4] == [b""] * 4 and len(tokenizer.pieces) == tokenizer.size
    assert tokenizer.pieces[tokenizer.encode(["dog"])[0][0]] == b" dog"


def test_a_text_is_spelled_as_it_was_learned(tokenizer):
    for text in ["dog", "a red dog", "狗", "一只狗"]:
        assert tokenizer.spelled(text) == tokenizer.encode([text])[0]
    assert tokenizer.spelled("") == []


def test_numbers_of_the_special_tokens(tokenizer):
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert min(min(row) for row in tokenizer.encode(TEXTS)) > UNK
    assert tokenizer.decode([[BOS, *tokenizer.encode(["a dog"])[0], EOS, PAD, PAD]]) == ["a dog"]


def test_special_words_in_a_text_are_numbers_below_the_size(tokenizer):
    assert max(max(row) for row in tokenizer.encode(TEXTS)) < tokenizer.size


def test_stored_and_read_it_is_the_same(tokenizer):
    again = Tokenizer.from_json(tokenizer.to_json())
    assert (again.kind, again.size) == (tokenizer.kind, tokenizer.size)
    assert again.encode(TEXTS) == tokenizer.encode(TEXTS)
    assert again.decode(again.encode(TEXTS)) == tokenizer.decode(tokenizer.encode(TEXTS))


def test_trained_twice_it_is_the_same(tokenizer):
    assert Tokenizer.train(TEXTS, kind=tokenizer.kind, size=500).to_json() == tokenizer.to_json()


def test_case_is_dropped_unless_it_is_wanted():
    assert Tokenizer.train(TEXTS).decode(Tokenizer.train(TEXTS).encode(["A Red"])) == ["a red"]
    kept = Tokenizer.train(TEXTS, lower=False)
    assert kept.decode(kept.encode(["A Red"])) == ["A Red"]


def test_max_tokens_cuts(tokenizer):
    (whole,) = tokenizer.encode(["a red dog runs"])
    assert tokenizer.encode(["a red dog runs"], max_tokens=2) == [whole[:2]]


def test_size_is_an_upper_bound():
    assert Tokenizer.train(TEXTS, kind="word", size=10).size == 10
    assert Tokenizer.train(TEXTS, kind="bpe", size=270).size <= 270


def test_no_text_is_no_tokens(tokenizer):
    assert tokenizer.encode([""]) == [[]]
    assert tokenizer.decode([[]]) == [""]
    assert tokenizer.encode([]) == []


def test_what_of_a_text_was_never_learned():
    """Of a BPE letters of which it has only the bytes, of words those that are not in the vocabulary; not punctuation."""
    letters = Tokenizer.train(TEXTS, kind="bpe", size=500)
    assert letters.unknown("Der BÄR läuft, 狗! x") == []
    assert letters.unknown("a dog: собака, со 🐕") == ["с", "о", "б", "а", "к", "🐕"]
    words = Tokenizer.train(TEXTS, kind="word")
    assert words.unknown("A dog; an Elephant, 猫 象; an") == ["an", "Elephant", "象"]


@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_names_of_special_tokens_in_texts_are_no_special_tokens(kind):
    """Captions that were prepared for another system: "a red <unk> ball <eos>"."""
    texts = ["a red <unk> ball <eos>", "<bos>a <pad> ball"] * 4
    tokenizer = Tokenizer.train(texts, kind=kind, size=500)
    rows = tokenizer.encode(texts)
    assert min(min(row) for row in rows) > UNK and max(max(row) for row in rows) < tokenizer.size
    said = ["a red <unk> ball <eos>", "<bos>a <pad> ball"] if kind == "bpe" else ["a red ball", "a ball"]
    assert tokenizer.decode(rows[:2]) == said and len(tokenizer.pieces) == tokenizer.size
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again.encode(texts) == rows and again.to_json() == tokenizer.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "black & white (a red) ball, 5 - 3",
        "the stop sign #5",
        "100% wool; why?",
        "«rot» y ¿qué?",
        "salt [sea] / pepper",
    ],
)
def test_marks_stand_where_they_stood(text):
    tokenizer = Tokenizer.train([text] * 2, kind="word", size=500)
    assert tokenizer.decode(tokenizer.encode([text])) == [text]


def test_half_a_character_is_said(tokenizer):
    for ask in (lambda text: tokenizer.encode(["a", text]), tokenizer.unknown, tokenizer.spelled):
        with pytest.raises(ConfigError, match=r"the text 'caf\\udce9' has half a character in it; write it in UTF-8"):
            ask("caf\udce9")
