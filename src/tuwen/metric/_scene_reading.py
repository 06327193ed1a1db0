"""Caption -> what it claims: things with their traits, relations between them, and counts.

A small grammar over a word list, tolerant of case, punctuation, spacing and unknown order. What it cannot place is kept
as `unread`. A definite mention ("the red circle", "it") means an earlier thing that it does not contradict; an
indefinite one ("a red circle") is always another thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tuwen.data._scene_language import NUMBERS, SYNONYMS
from tuwen.data._scene_world import COLOURS, FILLS, PLACES, SHAPES, SIZES

TRAITS = ("shape", "colour", "size", "fill", "place")


@dataclass(slots=True)
class Said:
    """One thing as a caption has it; a trait that is not said is None."""

    shape: str | None = None
    colour: str | None = None
    size: str | None = None
    fill: str | None = None
    place: str | None = None
    again: list[tuple[str, str]] = field(default_factory=list)
    """(trait, value) said of it that contradicts what was said before."""

    @property
    def name(self) -> str:
        return f"{self.colour or ''} {self.shape or 'thing'}".strip()

    def say(self, trait: str, value: str) -> None:
        old = getattr(self, trait)
        if old is None:
            setattr(self, trait, value)
        elif old != value:
            self.again.append((trait, value))

    def allows(self, traits: list[tuple[str, str]]) -> bool:
        """Whether shape and colour among the traits agree with those known."""
        return all(getattr(self, t) in (None, v) for t, v in traits if t in ("shape", "colour"))


@dataclass(slots=True)
class Reading:
    """Everything that one caption claims."""

    things: list[Said] = field(default_factory=list)
    relations: list[tuple[Said, str, Said]] = field(default_factory=list)
    """(subject, 'left of' | 'above' | 'inside', object)."""
    counts: list[tuple[int, list[tuple[str, str]]]] = field(default_factory=list)
    """(how many, of what traits; none for all things)."""
    unread: list[str] = field(default_factory=list)


_WORD = {w: ("shape", s) for s in SHAPES for w in (s, s + "s", s + "es")}
_WORD |= {c: ("colour", c) for c in COLOURS}
_WORD |= {w: ("size", s) for s in SIZES for w in SYNONYMS[s]}
_WORD |= {w: ("fill", f) for f in FILLS for w in SYNONYMS[f]} | {"empty": ("fill", "outlined")}
_GENERIC = frozenset({"thing", "object", "shape", "one", "things", "objects", "shapes", "ones"})
_DEFINITE = frozenset({"the", "that", "this", "its"})
_ROW = {"top": 0, "upper": 0, "bottom": 2, "lower": 2}
_COLUMN = {"left": 0, "right": 2}
_MIDDLE = frozenset({"middle", "centre", "center"})
_RELATION = {w: ("left of", False) for w in ("left",)} | {"right": ("left of", True)}
_RELATION |= {"above": ("above", False), "over": ("above", False)}
_RELATION |= {w: ("above", True) for w in (*SYNONYMS["below"], "underneath")}
_RELATION |= {w: ("inside", False) for w in SYNONYMS["inside"]}
_RELATION |= {w: ("inside", True) for w in ("around", "contains", "containing", "surrounds")}
_FILLER = frozenset(
    re.findall(
        r"\w+",
        """a all altogether among an and are as at be but can clearly corner count drawn drew exactly find here how
        i in is it its just look many near nothing note notice of on only or painted picture pictured placed put
        see seen shows sits someone somewhere that the them there these this time to total used we what where
        which who with you""",
    )
)


def read_caption(caption: str) -> Reading:
    """What a caption claims; never fails, whatever the text."""
    return _Reader(re.findall(r"[a-z0-9]+|[.;!?]", caption.lower())).run()


class _Reader:
    """Left to right over the words, with a memory of what waits for its other half."""

    def __init__(self, words: list[str]):
        self.words, self.at, self.out = words, 0, Reading()
        self.subject: Said | None = None  # the latest mention
        self.in_sentence = False  # a mention was read since the last full stop
        self.front: tuple[str, bool] | None = None  # a relation that waits for its object
        self.front_subject: Said | None = None  # None while the object comes first
        self.fronted: tuple[str, bool, Said] | None = None  # "left of the square is ...": waits for the subject
        self.place: str | None = None  # "at the top left there is ...": waits for a thing

    def run(self) -> Reading:
        while self.at < len(self.words):
            word = self.words[self.at]
            if word in ".;!?":
                self._stop()
                self.at += 1
            elif not (self._count() or self._relation() or self._place() or self._colours() or self._mention()):
                if word not in _FILLER:
                    self.out.unread.append(word)
                self.at += 1
        self._stop()
        return self.out

    def _peek(self, offset: int = 0) -> str:
        return self.words[self.at + offset] if 0 <= self.at + offset < len(self.words) else ""

    def _stop(self) -> None:
        waiting = (self.front or self.fronted or (None,))[0]
        self.out.unread += [w for w in (waiting, self.place) if w]
        self.front = self.fronted = self.place = None
        self.in_sentence = False

    def _traits(self, start: int) -> tuple[list[tuple[str, str]], int]:
        """Size, fill and colour words from `start` on, joined by nothing or 'and', and the index behind them."""
        found, i = [], start
        while i < len(self.words):
            if _WORD.get(self.words[i], ("shape",))[0] != "shape":
                found.append(_WORD[self.words[i]])
            elif not (found and self.words[i] == "and" and _WORD.get(self._word(i + 1), ("shape",))[0] != "shape"):
                break
            i += 1
        return found, i

    def _word(self, i: int) -> str:
        return self.words[i] if i < len(self.words) else ""

    def _count(self) -> bool:
        """'two shapes', 'two red circles', 'one thing' (but 'one red circle' is a mention)."""
        word = self._peek()
        number = NUMBERS.index(word) if word in NUMBERS else int(word) if word.isdigit() else None
        if number is None:
            return False
        traits, i = self._traits(self.at + 1)
        noun = self._word(i)
        if noun in _WORD and _WORD[noun][0] == "shape" and number != 1:
            traits = [*traits, _WORD[noun]]
        elif noun not in _GENERIC or (number == 1 and traits):
            return False
        self.out.counts.append((number, traits))
        self.at = i + 1
        return True

    def _relation(self) -> bool:
        word = self._peek()
        if word not in _RELATION or (word in _COLUMN and (self._peek(1) != "of" or self._is_place_run())):
            return False
        if self.front or self.fronted:
            self.out.unread.append((self.front or self.fronted or ("",))[0])
        self.front, self.fronted = _RELATION[word], None
        self.front_subject = self.subject if self.in_sentence else None
        self.at += 2 if word in _COLUMN else 1
        return True

    def _is_place_run(self) -> bool:
        """'left' in 'top left of the picture' is a place, not a relation."""
        return self._peek(-1) in _ROW or (self._peek(2) == "the" and self._peek(3) in ("picture", "image"))

    def _place(self) -> bool:
        start = self.at
        rows, columns = [], []
        while (word := self._peek()) in _ROW or word in _COLUMN or word in _MIDDLE:
            if word in _COLUMN and self._peek(1) == "of" and not self._is_place_run():
                break
            rows += [_ROW[word]] if word in _ROW else []
            columns += [_COLUMN[word]] if word in _COLUMN else []
            self.at += 1
        if self.at == start:
            return False
        run = " ".join(self.words[start : self.at])
        if len(rows) > 1 or len(columns) > 1:
            self.out.unread.append(run)
            return True
        place = PLACES[rows[0] if rows else 1][columns[0] if columns else 1]
        if self.in_sentence and self.subject is not None:
            self.subject.say("place", place)
        elif self.place is None:
            self.place = place
        else:
            self.out.unread.append(run)
        return True

    def _colours(self) -> bool:
        """'colours: red and blue' speaks of a red and of a blue thing."""
        if self._peek() not in ("colour", "colours", "color", "colors"):
            return False
        self.at += 1
        while self._peek() in ("are", "is", "used", "here", "and") or self._peek() in COLOURS:
            _, i = self._traits(self.at)
            if self._word(i) in _WORD or self._word(i) in _GENERIC:
                break
            if self._peek() in COLOURS:
                self.out.things.append(Said(colour=self._peek()))
            self.at += 1
        return True

    def _mention(self) -> bool:
        """A thing ('a small red circle', 'the red one', 'it'), or traits said of the latest one ('is small')."""
        word = self._peek()
        if word in ("it", "which") and self.subject is not None:
            self.at += 1
            self._met(self.subject)
            return True
        traits, i = self._traits(self.at)
        noun = self._word(i)
        if noun in _WORD:
            traits = [*traits, _WORD[noun]]
        elif noun not in _GENERIC or not traits:
            return self._predicate(traits, i) if traits else self._bare(noun, i)
        definite = self._peek(-1) in _DEFINITE
        self.at = i + 1
        self._met(self._find(traits, definite), traits)
        return True

    def _predicate(self, traits: list[tuple[str, str]], end: int) -> bool:
        if self.in_sentence and self.subject is not None:
            for trait, value in traits:
                self.subject.say(trait, value)
        else:
            self.out.unread.append(" ".join(self.words[self.at : end]))
        self.at = end
        return True

    def _bare(self, noun: str, end: int) -> bool:
        """'shapes:' or 'the thing' say nothing."""
        self.at = end + (noun in _GENERIC)
        return noun in _GENERIC

    def _find(self, traits: list[tuple[str, str]], definite: bool) -> Said:
        if definite:
            other = self.front_subject if self.front else self.fronted[2] if self.fronted else None
            for thing in self.out.things:  # nothing is left of itself
                if thing is not other and thing.allows(traits) and (thing.shape or thing.colour):
                    return thing
        self.out.things.append(Said())
        return self.out.things[-1]

    def _met(self, thing: Said, traits: list[tuple[str, str]] | None = None) -> None:
        """Hands a mention to whatever waits for it."""
        for trait, value in traits or []:
            thing.say(trait, value)
        if self.front:
            relation, turned = self.front
            if self.front_subject is None:
                self.fronted = (relation, turned, thing)
            else:
                self._relate(self.front_subject, relation, turned, thing)
            self.front = None
        elif self.fronted:
            relation, turned, other = self.fronted
            self._relate(thing, relation, turned, other)
            self.fronted = None
        if self.place and not self.fronted:
            thing.say("place", self.place)
            self.place = None
        self.subject, self.in_sentence = thing, True

    def _relate(self, a: Said, relation: str, turned: bool, b: Said) -> None:
        claim = (b, relation, a) if turned else (a, relation, b)
        if claim not in self.out.relations:
            self.out.relations.append(claim)


__all__ = ["TRAITS", "Reading", "Said", "read_caption"]
