"""Counting words in any script, and telling scripts apart."""

import re
import unicodedata
from functools import cache

from tuwen._scripts import UNIT

_UNSPACED = re.compile(UNIT)


def count_words(text: str) -> int:
    """Words between spaces; in scripts without spaces each letter counts.

    Example:
        >>> count_words("a red circle"), count_words("红圆"), count_words("")
        (3, 2, 0)
    """
    if text.isascii():
        return len(text.split())
    unspaced = len(_UNSPACED.findall(text))
    return unspaced + len(_UNSPACED.sub(" ", text).split()) if unspaced else len(text.split())


@cache
def _script_of_letter(letter: str) -> str:
    return unicodedata.name(letter, "OTHER").split()[0].split("-")[0].lower()


def script(text: str) -> str:
    """The script most letters belong to, in lower case; 'none' without letters.

    Example:
        >>> script("Катя at home, Катя в саду"), script("2 + 2")
        ('cyrillic', 'none')
    """
    if text.isascii():
        return "latin" if any(map(str.isalpha, text)) else "none"
    counts: dict[str, int] = {}
    for letter in filter(str.isalpha, text):
        name = _script_of_letter(letter)
        counts[name] = counts.get(name, 0) + 1
    return max(counts, key=lambda name: counts[name]) if counts else "none"
