"""The tree of exceptions and the texts that it makes itself."""

import inspect

import pytest

from tuwen import errors
from tuwen.errors import ConfigError, MissingExtraError, TuwenError, UnknownNameError, did_you_mean

TREE = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, TuwenError) and c is not TuwenError]


@pytest.mark.parametrize("kind", TREE)
def test_the_docstring_draws_every_error(kind):
    assert f"x {kind.__name__} " in errors.__doc__


def test_an_unknown_name_suggests_and_says_where_to_look():
    error = UnknownNameError("encode", "image_liner", ["image_linear", "text_bag"])
    assert str(error) == (
        "no encode is called 'image_liner'. Did you mean 'image_linear'? `tuwen list encode` shows all 2."
    )


def test_an_unknown_name_near_to_nothing_suggests_nothing():
    assert str(UnknownNameError("fuse", "zzz", ["mean"])) == "no fuse is called 'zzz'. `tuwen list fuse` shows all 1."


def test_a_missing_extra_names_its_pip_line():
    assert str(MissingExtraError("searching", "search")) == (
        "searching needs the extra 'search': pip install 'tuwen[search]'"
    )


def test_the_builtin_bases_let_ordinary_code_catch_them():
    assert issubclass(UnknownNameError, KeyError)
    assert issubclass(MissingExtraError, ImportError)
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize(
    ("typed", "known", "text"),
    [("clipp", ["clip", "coca"], " Did you mean 'clip'?"), ("x", ["clip"], ""), ("clip", [], "")],
)
def test_did_you_mean(typed, known, text):
    assert did_you_mean(typed, known) == text
