"""What is wrong with the data: one `Problem` a finding, raised or listed as the user said."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tuwen.data._config import Data
from tuwen.errors import DataError

SKIP = 'Skip such rows with data.on_error="skip".'
LIMIT = "A limit that you trust is set with data.max_pixels."
"""Advice where a picture is larger than it; of no use to verbs that take no settings."""


def bare(message: str) -> str:
    """Why a row cannot be used, without the advice to skip it."""
    return message.removesuffix(SKIP).strip()


def torn(text: str) -> bool:
    """Whether there is half a character in it, which no file in UTF-8 can hold."""
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `where what: detail` reads as a sentence, `remedy` as the next one."""

    where: str
    """The file or row: 'photos/0231.jpg (row 231 of train.csv)'."""
    what: str
    """The same words for every finding of a kind: 'is not there'."""
    remedy: str
    """What the user can do."""
    detail: str = ""
    """What is special to this one: 'truncated after 8192 bytes'."""
    left_out: bool = False
    """True: a row or caption was left out because of it."""

    def __str__(self) -> str:
        return f"{self.where} {self.what}{': ' if self.detail else ''}{self.detail}. {self.remedy}".rstrip()


def leave_out(problem: Problem, options: Data, problems: list[Problem]) -> None:
    """Lists the problem as one that cost a row or caption.

    Raises:
        DataError: with on_error="raise"; the message also says how to skip.
    """
    if options.on_error == "raise":
        raise DataError(f"{problem} {SKIP}")
    problems.append(replace(problem, left_out=True))


def place(name: str, where: str) -> str:
    """'photos/0231.jpg (row 231 of train.csv)', without saying a thing twice."""
    if not where or name.endswith(where):
        return name
    return f"{name} ({where})" if name else where


def grouped(problems: Iterable[Problem], examples: int = 3) -> list[dict[str, Any]]:
    """Problems of one kind together, the most frequent first, with their first examples."""
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.what, []).append(problem)
    return [
        {
            "what": what,
            "count": len(group),
            "left_out": sum(problem.left_out for problem in group),
            "examples": [f"{p.where}: {p.detail}" if p.detail else p.where for p in group[:examples]],
            "remedy": group[0].remedy,
        }
        for what, group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
