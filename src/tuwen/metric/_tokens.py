"""Sentences -> tokens, as caption metrics count them: Penn Treebank rules, lower-cased, punctuation dropped.

Source:
    Penn Treebank tokenisation as the Stanford PTBTokenizer 3.4.1 does it, with the list of dropped punctuation of
    coco-caption (Chen et al. 2015, arXiv:1504.00325). Written from what it does to sentences, in rules of our own.
Differs:
    no Java, nothing on disk, and each sentence by itself. A slip such as 'ready to bat.,' ends in the word 'bat' (there
    'bat.', as any full stop before a comma is taken for an abbreviation's). A token never holds a space (there, '3 1/2'
    and some telephone numbers are one token). As in coco-caption, a bracket counts as a token ('-lrb-'), and so does
    '!!': only single marks are dropped.
"""

import re

from tuwen._scripts import UNIT, marks

DROPPED = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())  # noqa: SIM905
"""Tokens that coco-caption leaves out. The upper-case brackets never occur in lower-cased text: brackets stay."""

_ALWAYS = """
    mr mrs ms dr drs prof st messrs mlle mme sr jr esq gen col sgt capt cpl lt lieut maj adm cmdr comdr brig pfc pvt
    spc ens rev hon gov govs sen sens rep reps pres atty asst assoc insp supt det ave blvd rd ct sq bldg ste rt mt ft
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri
    ala ariz calif colo conn fla ga ind kan kans ky md mich minn mo mont neb nev okla penn tenn va vt wis wisc wyo
    inc co cos corp ltd bros dept univ assn intl natl plc bhd cie tel est sys etc vs al cf ext seq elec mfg pty
    msgr treas ph alex wm jos adj adv
""".split()  # noqa: SIM905
_CAPITALISED = "Miss Ark Del Ill La Mass Ore Pa Tex Wash".split()  # noqa: SIM905
"""States and titles that are plain words in lower case ('ill', 'wash', 'miss')."""
_CAPITALISED += [word.upper() for word in _CAPITALISED]
_BEFORE_NUMBER = "pp ca fig figs no nos art op prop".split()  # noqa: SIM905
_STARTERS = """The A An He She It This That These They We You Her Their Our In At As But So If When While There Here
    Some Many One Other What After However Since Then About Such More""".split()  # noqa: SIM905
"""Words that begin a sentence, so that the full stop after a lone letter before them is no abbreviation."""
_SPLIT_WORDS = {"cannot": 3, "gonna": 3, "gotta": 3, "lemme": 3, "gimme": 3, "wanna": 3}
"""Written as one word, counted as two: the length of the first."""

_L = r"[^\W\d_½¼¾¹²³\u0300-\u036f]"
_MARKS = marks()
"""Vowel signs, accents and points of letters, which are no word characters to Python."""
_W = rf"(?:[^\W_½¼¾¹²³]|[{_MARKS}])"
_END = rf"(?!{_W})"
_Q = "['’]"
_CLITIC = rf"{_Q}(?:[smd]|re|ve|ll){_END}"


def _any(words: list[str]) -> str:
    return "(?:" + "|".join(sorted(words, key=len, reverse=True)) + ")"


_RULES = [
    rf"(?!{_any(list(_SPLIT_WORDS))}\b)[a-z]+(?=,? )",  # most words end here
    r"</?[a-z!][^<>\s]*/?>",
    r"https?://[^\s\"<>|()]*[^\s\"<>|().,;:!?']",
    r"www\.(?:[^\s\"<>|().,;:!?']+\.)+[a-z]{2,6}(?:/[^\s\"<>|()]*[^\s\"<>|().,;:!?'])?",
    rf"[a-z0-9](?:[\w.%+-]*\w)?@{_W}+(?:[.-]{_W}+)*",
    r"@[a-z_]\w*",
    r"\#[a-z]+",
    r"\(\d{3}\)(?:\d{3}-\d{4}|(?=\s\d{3}-\d{4}))",
    r"&\#?\w+;",
    r"c(?:\+\+|\#)",
    r"(?-i:US|HK|NZ|AU|CA|[ARCS])\$",
    rf"(?-i:[:;=]['-]?[()dpDPO\]|\\]){_END}",
    r"\^_\^|-_-|(?-i:[Oo]_[Oo]|T_T|x_x)|>_<",
    rf"(?-i:[A-Z]+(?:&[A-Z]+)+){_END}",
    # numbers, and words joined by - / _
    rf"(?:{_W}+[-/])*(?:[a-z]\.)+[a-z]?\.?(?:-{_W}+)+",
    rf"{_W}+(?:-{_W}+)*-[a-z](?:\.[a-z])+\.?{_END}",
    rf"{_W}(?:{_W}|[.,](?!\.))*(?:-{_W}+)+(?:[/_-]{_W}+)*",
    rf"{_W}+(?:[/_-]{_W}+)+",
    r"[-+]?\d*(?:[.:,]\d+)+",
    rf"[-+]\d+{_END}",
    # one word that counts as two
    *(rf"{word[:cut]}(?={word[cut:]}(?!['/-]?{_W}))" for word, cut in _SPLIT_WORDS.items()),
    rf"'t(?=(?:is|was)(?:n't)?{_END})|more(?='n{_END})",
    # apostrophes within a word
    rf"{_L}+?(?=n['’`]t)",
    rf"n['’`]t{_W}*",
    _CLITIC,
    rf"{_Q}n{_Q}(?!t{_END})|{_Q}n{_END}|{_Q}(?:em|till?|cause|[2-9]0s){_END}|(?<!\w)'\d\d(?![\w'])|ol{_Q}{_END}",
    rf"(?:c{_Q}mon|s{_Q}mores|[eo]{_Q}er|ne{_Q}er|ev{_Q}ry|li{_Q}l|nat{_Q}l|nor{_Q}easter|dunkin{_Q}){_END}",
    rf"(?-i:[A-HJ-XZn]|[dol])(?!{_CLITIC}){_Q}{_L}{_L}+",
    rf"{_L}+[aeiouy](?!{_CLITIC}){_Q}(?-i:[aeiouA-Z]){_L}*",
    rf"[dlj]{_Q}(?={_L})|y{_Q}(?=all)",
    # full stops that belong to the word
    rf"ph\.d\.|[a-z](?:\.[a-z])+(?:\.(?!{_L})|(?!\.?{_W}))",
    rf"{_L}{_W}*(?:[.!?]{_L}{_W}*)+",
    rf"{_W}+\.(?:jpe?g|png|gif|txt|pdf|html?|doc){_END}",
    rf"{_any(_ALWAYS)}\.(?!{_L})",
    rf"(?-i:{_any(_CAPITALISED)})\.(?!{_L})",
    rf"{_any(_BEFORE_NUMBER)}\.(?=\s*\d)",
    rf"[a-z]\.(?!{_L}|\s*$|(?-i:\s+{_any(_STARTERS)}\b))",
    rf"{_W}+",
    # what is left: runs of marks, then any single sign of the basic plane
    r"[?!]+|\*+|__+|\.\.+|--+",
    r"[^\s\w\u200b-\u200f\ufe0e\ufe0f\ud800-\udfff\U00010000-\U0010ffff]|[_½¼¾¹²³]",
]
_TOKEN = re.compile("|".join(_RULES), re.IGNORECASE)

_PLAIN = re.compile(r"[A-Za-z, ]*\.?\s*")
_STOPPED = frozenset(word.lower() + "." for word in ["", *_ALWAYS, *_CAPITALISED])
"""Last words that keep their full stop, and the full stop alone."""
_UNSPACED = re.compile(UNIT)
"""One character, with its marks, of a script that puts no spaces between words."""
_MARK = re.compile(
    "[\u00a1\u00bf\u0589\u060c\u061b\u061f\u06d4\u0964\u0965\u1361-\u1368\u3000-\u3004\u3008-\u3020\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u0f0b-\u0f14\u104a\u104b\u17d4-\u17da]"
)
_RENAMED = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_RENAMED |= {"£": "#", "€": "$", "¢": "cents", "½": "1/2", "¼": "1/4", "¾": "3/4"}
_RENAMED |= {"&amp;": "&", "&lt;": "<", "&gt;": ">", "n’t": "n't"}
_RENAMED |= {"’" + end: "'" + end for end in ("s", "m", "d", "re", "ve", "ll")}
_SILENT = DROPPED | frozenset('" .. “ ” ‘ ’ « » ‹ › – — ― … ‐ 「 」 &quot; &apos; &nbsp; ₩'.split())  # noqa: SIM905


def ptb_tokenize(sentence: str) -> list[str]:
    """Lower-cased Penn Treebank tokens without punctuation, as coco-caption counts them.

    Args:
        sentence: one sentence, in a language that puts spaces between words.
    Returns:
        Tokens in order; an empty list if the sentence holds nothing but punctuation.
    Example:
        >>> ptb_tokenize('The dog isn\\'t on "Main St." today.')
        ['the', 'dog', 'is', "n't", 'on', 'main', 'st.', 'today']
    """
    if _PLAIN.fullmatch(sentence):
        words = sentence.lower().replace(",", " ").split()
        last = words.pop() if words and words[-1][-1] == "." else "."
        if last not in _STOPPED:
            words.append(last[:-1])
            last = "."
        if last == "." and _SPLIT_WORDS.keys().isdisjoint(words):
            return words
    found = [token.lower() for token in _TOKEN.findall(sentence)]
    return [_rename(token) for token in found if token not in _SILENT and token.strip(".-")]


def tokenize(sentence: str) -> list[str]:
    """Tokens for counting: Penn Treebank rules, and one token a character in scripts without spaces.

    Args:
        sentence: one sentence; Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan are taken by the character
            (marks above and below stay with theirs), Latin words and numbers between them stay whole.
    Returns:
        Tokens in order, lower-cased, without punctuation.
    Source:
        Characters as the unit are the custom of Chinese caption benchmarks (COCO-CN, Li et al. 2019, arXiv:1805.08661).
    Differs:
        English with a foreign sign in it: coco-caption keeps a run of such signs as one token.
    Example:
        >>> tokenize("一只狗在iPhone 12旁边。")
        ['一', '只', '狗', '在', 'iphone', '12', '旁', '边']
    """
    if sentence.isascii():
        return ptb_tokenize(sentence)
    return ptb_tokenize(_MARK.sub(" ", _UNSPACED.sub(r" \g<0> ", sentence)))


def _rename(token: str) -> str:
    if token in _RENAMED:
        return _RENAMED[token]
    if "(" in token or ")" in token:  # a smiley, an area code
        return "".join(_RENAMED.get(sign, sign) for sign in token)
    return token
