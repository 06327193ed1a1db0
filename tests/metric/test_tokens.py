import gzip
import os
from pathlib import Path

import pytest

from tuwen.metric._tokens import DROPPED, ptb_tokenize, tokenize


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("A dog runs.", "a dog runs"),
        ("A dog, a cat and\ta bird .", "a dog a cat and a bird"),
        ("", ""),
        (" ... ", ""),
        (".", ""),
        (
            "It isn't the dog's, they've said; he'll say I'm who we're and he'd not",
            "it is n't the dog 's they 've said he 'll say i 'm who we 're and he 'd not",
        ),
        ("You cannot. Gonna gotta wanna-be", "you can not gon na got ta wanna-be"),
        ("we cannot", "we can not"),
        ("We cannot.", "we can not"),
        (
            'The "Main St." sign of Mr. Smith in the U.S. at 5 p.m. today.',
            "the main st. sign of mr. smith in the u.s. at 5 p.m. today",
        ),
        ("It stops on Morgan Rd.", "it stops on morgan rd."),
        ("Plan b. The other. No. 5 says no.", "plan b the other no. 5 says no"),
        ("It costs $5.50, 50% of 1,000 or 1/2 at 3:15.", "it costs $ 5.50 50 % of 1,000 or 1/2 at 3:15"),
        ("a well-lit mid-air t-shirt - orange- and -red--blue", "a well-lit mid-air t-shirt orange and red blue"),
        ("wait... what?? no!", "wait what ?? no"),
        ("black & white R&B and/or snowshoes/ skis", "black & white r&b and/or snowshoes / skis"),
        ("(two) [dogs]", "-lrb- two -rrb- -lsb- dogs -rsb-"),
        (
            "'quoted' girls' o'clock O'Connor ma'am po'boy 1970's '70s",
            "quoted girls o'clock o'connor ma'am po boy 1970 's '70s",
        ),
        ("“It’s” a café — naïve…", "it 's a café naïve"),
        ("go to www.example.com or foo.jpg #fun @home", "go to www.example.com or foo.jpg #fun @home"),
    ],
)
def test_follows_the_treebank(sentence, tokens):
    assert ptb_tokenize(sentence) == tokens.split()


@pytest.mark.parametrize("sentence", ["two dogs, one cat", "a boy on a wall.", "sign on main st", "the plan b"])
def test_plain_sentences_give_the_same_on_the_fast_and_on_the_full_path(sentence):
    assert ptb_tokenize(sentence) == ptb_tokenize(sentence + " ;")  # the semicolon is dropped, but not plain


def test_case_does_not_matter_to_plain_text():
    assert ptb_tokenize("A MAN ISN'T HERE") == ptb_tokenize("a man isn't here")


def test_scripts_without_spaces_go_by_the_character():
    assert tokenize("一只狗，在iPhone 12旁边。") == ["一", "只", "狗", "在", "iphone", "12", "旁", "边"]
    assert tokenize("犬が走る") == ["犬", "が", "走", "る"]
    assert tokenize("วิ่ง") == ["วิ่", "ง"], "marks stay with their letter"
    assert tokenize("개가 달린다.") == ["개가", "달린다"], "Korean has spaces"


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("कुत्ता दौड़ रहा है।", ["कुत्ता", "दौड़", "रहा", "है"]),
        ("كلب، يركض؟", ["كلب", "يركض"]),
        ("검은 개가 달린다。", ["검은", "개가", "달린다"]),
        ("a dog，runs", ["a", "dog", "runs"]),
        ("¿un perro?", ["un", "perro"]),
        ("。", []),
    ],
)
def test_stops_of_other_scripts_are_no_words(sentence, tokens):
    assert tokenize(sentence) == tokens


@pytest.mark.parametrize(
    "sentence",
    [
        "একটি কুকুর দৌড়াচ্ছে",
        "ஒரு நாய் ஓடுகிறது",
        "ఒక కుక్క పరుగెత్తుతోంది",
        "એક કૂતરો દોડે છે",
        "ഒരു നായ ഓടുന്നു",
        "ಒಂದು ನಾಯಿ ಓಡುತ್ತಿದೆ",
        "බල්ලෙක් දුවනවා",
        "ਇੱਕ ਕੁੱਤਾ",
        "एक कुत्ता दौड़ रहा है",
        "כֶּלֶב שָׁחוֹר",
        "كَلْبٌ يَرْكُضُ",
        "cafe\u0301 noir",
    ],
)
def test_vowel_signs_stay_in_their_word(sentence):
    assert tokenize(sentence) == ptb_tokenize(sentence) == sentence.split()


def test_marks_stay_with_letters_of_scripts_without_spaces():
    assert tokenize("ခွေးလေး။") == ["ခွေး", "လေး"]
    assert tokenize("ໝານ້ອຍ") == ["ໝ", "າ", "ນ້", "ອ", "ຍ"]
    assert tokenize("か\u3099") == ["か\u3099"]


def test_signs_of_emoji_are_no_marks():
    assert ptb_tokenize("a ❤\ufe0f dog \u200d") == ["a", "❤", "dog"]


def test_tokenize_is_the_treebank_for_languages_with_spaces():
    for sentence in ["It's a dog.", "Ein Käfig, groß.", "Собака бежит."]:
        assert tokenize(sentence) == ptb_tokenize(sentence)


@pytest.mark.real
def test_agrees_with_the_reference_on_real_captions():
    path = Path(os.environ.get("TUWEN_DATA", "missing")) / "coco_caption_eval" / "ptb_tokenizer_pairs.tsv.gz"
    if not path.is_file():
        pytest.skip("needs coco_caption_eval/ptb_tokenizer_pairs.tsv.gz in the folder that TUWEN_DATA names")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t") for line in file]
    differ = [raw for raw, ref in pairs if ptb_tokenize(raw) != [t for t in ref.split() if t not in DROPPED]]
    assert len(pairs) > 20_000
    assert len(differ) <= 25, differ[:30]
