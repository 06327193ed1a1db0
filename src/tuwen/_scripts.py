"""Letters by the way their scripts write words: with spaces between them, or without."""

import re
import unicodedata

UNSPACED = (
    "\u3005-\u3007\u3041-\u3096\u30a1-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003134f\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e80-\u0fff\u1000-\u109f\u1780-\u17ff"
)
"""Chinese, Japanese, Thai, Lao, Tibetan, Burmese and Khmer letters, as a class of a regular expression; Korean has spaces."""
_MARKS = "\u3099\u309a\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u0f71-\u0f84\u0f90-\u0fbc\u102b-\u103e\u17b4-\u17d3"
UNIT = f"[{UNSPACED}][{_MARKS}]*"
"""One of them with its marks above and below: what is counted where there are no words."""
_EITHER = re.compile(f"[{UNSPACED}{_MARKS}]")


def unspaced(letter: str) -> bool:
    """Whether a letter, or a mark, is of a script that puts no spaces between words.

    Example:
        >>> [unspaced(letter) for letter in "狗หก่개a。"]
        [True, True, True, True, False, False, False]
    """
    return _EITHER.match(letter) is not None


def is_mark(letter: str) -> bool:
    """Whether it is a vowel sign, an accent or the like that belongs to the letter before it.

    Example:
        >>> [is_mark(letter) for letter in "ก่कि"], is_mark("\\ufe0f")  # that one makes an emoji of a sign
        ([False, True, False, True], False)
    """
    if letter < "\u0300" or "\u20d0" <= letter <= "\u20ff" or "\ufe00" <= letter <= "\ufe0f":
        return False
    return unicodedata.category(letter) in ("Mn", "Mc")


def in_word(letter: str) -> bool:
    """Whether words are made of it: a letter, a digit, or a mark of a letter."""
    return letter.isalnum() or is_mark(letter)


def marks() -> str:
    """The marks of the basic plane, as a class of a regular expression."""
    found: list[list[int]] = []
    for number in (*range(0x300, 0x3100), *range(0xA600, 0xAC00), *range(0xFB00, 0xFE30)):  # there are no others
        if not is_mark(chr(number)):
            continue
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in found)
