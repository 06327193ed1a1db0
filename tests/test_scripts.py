"""Which scripts put spaces between words, and what belongs to the letter before it."""

import re

from tuwen._scripts import UNIT, in_word, is_mark, marks, unspaced


def test_scripts_without_spaces():
    for text in ["狗在跑", "イヌが走る", "หมาวิ่ง", "ໝາແລ່ນ", "ཁྱི", "ခွေး", "ឆ្កែ"]:
        assert all(map(unspaced, text)), text
    for text in ["dog", "개가", "собака", "كلب", "कुत्ता", "কুকুর", "12", "。，!"]:
        assert not any(map(unspaced, text)), text


def test_a_unit_is_a_letter_with_its_marks():
    assert re.findall(UNIT, "ที่นี่ dog 狗が か\u3099") == ["ที่", "นี่", "狗", "が", "か\u3099"]


def test_marks_belong_to_letters():
    assert all(map(is_mark, "\u0301\u093f\u09be\u0e34\u05c1"))
    assert not any(map(is_mark, "aก狗 ._^\ufe0e\ufe0f\u20e3\u20d0\u200b\u200d\U0001f3fd"))
    assert [in_word(letter) for letter in "a1한ि -"] == [True, True, True, True, False, False]


def test_the_class_of_marks_holds_all_of_them_and_nothing_else():
    found = re.compile(f"[{marks()}]")
    every = [chr(number) for number in range(0x10000)]
    assert [letter for letter in every if found.match(letter)] == [letter for letter in every if is_mark(letter)]
    assert len(found.findall("".join(every))) > 1000
