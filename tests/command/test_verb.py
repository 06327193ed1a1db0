"""From a dataclass to the options of a verb."""

import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tuwen.command._verb import UsageError, asked_pictures, field_docs, parameters, parse, picture_fields
from tuwen.types import Picture


@dataclass(frozen=True, kw_only=True)
class Base:
    image: Picture
    """The picture."""


@dataclass(frozen=True, kw_only=True)
class Request(Base):
    question: str
    """What is asked.

    In words.
    """
    maybe: str = field(default="", metadata={"positional": True})
    """May be left out."""
    out: Path | None = None
    """Where."""
    text: tuple[str, ...] = ()
    """Several."""
    mode: Literal["a", "b"] = "a"
    """One of two."""
    quick: bool = False
    """A switch."""
    check: bool = True
    """A switch that is on."""
    min_tokens: int = 3
    """A number."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    image: Picture
    """The picture."""
    beam: int = 5
    """How many."""


VERB = types.ModuleType("verb", "Asks.\n\nMore words.\n\nExample:\n    tuwen verb a b\n")


def read(*tokens, cls=Request, pictures=False):
    return parse("verb", VERB, parameters(cls, pictures=pictures), tokens)


def test_field_docs():
    docs = field_docs(Request)
    assert (
        docs["image"] == "The picture."
        and docs["question"] == "What is asked.\n\nIn words."
        and docs["min_tokens"] == "A number."
    )


def test_picture_fields():
    assert picture_fields(Request) == picture_fields(Pictures) == ["image"]


@dataclass(frozen=True, kw_only=True)
class Beside:
    text: str = field(default="", metadata={"positional": True})
    """What is to be drawn."""
    like: Picture = None
    """A picture that is no argument but an option."""


def test_a_picture_that_is_an_option():
    assert picture_fields(Beside) == ["like"] and asked_pictures(Beside) == []
    assert asked_pictures(Pictures) == asked_pictures(Request) == ["image"]
    assert read("a", "--like", "b.png", cls=Beside, pictures=True) == {"text": "a", "like": "b.png"}


def test_defaults():
    assert read("a.jpg", "why?") == {
        "image": "a.jpg", "question": "why?", "maybe": "", "out": None, "text": (), "mode": "a", "quick": False,
        "check": True, "min_tokens": 3,
    }  # fmt: skip


def test_all():
    values = read(
        "a.jpg",
        "why?",
        "so",
        "-o",
        "x.csv",
        "--text",
        "1",
        "--text",
        "2",
        "--mode",
        "b",
        "--quick",
        "--no-check",
        "--min-tokens=4",
    )
    assert values == {
        "image": "a.jpg", "question": "why?", "maybe": "so", "out": Path("x.csv"), "text": ("1", "2"), "mode": "b",
        "quick": True, "check": False, "min_tokens": 4,
    }  # fmt: skip


def test_several_pictures_where_they_stand_last():
    assert read("a.jpg", "b.jpg", "--beam", "1", cls=Pictures, pictures=True) == {
        "image": ("a.jpg", "b.jpg"),
        "beam": 1,
    }
    assert read("a.jpg", "why?", pictures=True)["image"] == "a.jpg"


def test_help(capsys):
    assert read("--help") is None
    said = capsys.readouterr().out
    assert said.startswith("Usage: tuwen verb IMAGE QUESTION [MAYBE] [OPTIONS]\n\nAsks.")
    assert (
        "Example:\n    tuwen verb a b" in said
        and "--out -o" in said
        and "default: 3" in said
        and "default: ()" not in said
    )


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ((), "IMAGE is missing. tuwen verb IMAGE QUESTION [MAYBE] [OPTIONS]; `tuwen verb --help` shows the options."),
        (("a", "b", "--txt", "c"), "Unknown option: --txt. Did you mean --text?"),
        (("a", "b", "--min-tokens", "1", "--min-tokens", "2"), "--min-tokens specified multiple times."),
        (("a", "b", "--mode", "c"), 'Invalid value "c" for --mode. Choose from: "a", "b".'),
        (("a", "b", "c", "d"), "Unused Tokens: ['d']"),
    ],
)
def test_mistakes(tokens, message):
    with pytest.raises(UsageError) as caught:
        read(*tokens)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_pictures_that_may_be_left_out():
    @dataclass(frozen=True, kw_only=True)
    class Optional:
        image: Picture = field(default=None, metadata={"positional": True})
        """The picture."""
        text: str = ""
        """A text."""

    wanted = parameters(Optional, pictures=True)
    assert parse("verb", VERB, wanted, ["a.png", "b.png"])["image"] == ("a.png", "b.png")
    assert parse("verb", VERB, wanted, ["--text", "x"]) == {"image": (), "text": "x"}
