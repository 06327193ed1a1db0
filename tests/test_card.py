"""The card says what is needed to make a model again."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tuwen.card import card, command, versions
from tuwen.objective.caption import Config as Caption
from tuwen.recipe import Recipe
from tuwen.types import Facts, Route


@pytest.fixture
def model():
    model = nn.Linear(999, 1)
    model.recipe = Recipe(
        name="small", objective={"caption": Caption()}, routes={"words": Route(given=("image",), make="text")}
    )
    model.routes = model.recipe.routes
    return model


@pytest.fixture
def dataset():
    facts = Facts(num_train=1200, num_captions=6000, split={"train": 1200, "test": 50})
    return SimpleNamespace(name="birds", facts=lambda: facts, fingerprint=lambda: "c0ffee")


def test_it_says_what_the_model_is(model):
    text = card(model)
    assert text.startswith("# A tuwen model: small\n\n1,000 parameters.")
    assert "- words: image -> text" in text
    assert "| objective.caption | caption |" in text
    assert "## Data" not in text


def test_it_says_what_it_learned_from(model, dataset):
    text = card(model, dataset=dataset, data="photos/")
    for line in (
        "| source | `photos/` |",
        "| rows of train | 1,200 |",
        "| captions to train | 6,000 |",
        "| fingerprint | `c0ffee` |",
    ):
        assert line in text


def test_it_says_what_it_reached(model):
    text = card(model, figures={"loss": 1.23456, "rows": 5, "a|b": {"cider": 0.5}})
    assert "| loss | 1.235 |\n| rows | 5 |" in text
    assert "### a|b\n\n| figure | value |\n| --- | --- |\n| cider | 0.5 |" in text


def test_it_says_how_it_was_made(model, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/tuwen", "train", "my photos", "-o", "m"])
    text = card(model, step=1500, steps=2000)
    assert "| command | `tuwen train 'my photos' -o m` |" in text
    assert "| seed | 0 |" in text
    assert "| steps | 1,500 of 2,000 |" in text
    assert f"| torch | {versions()['torch']} |" in text


@pytest.mark.parametrize(
    ("first", "said"),
    [("tuwen", "tuwen x"), ("/a/tuwen/__main__.py", "tuwen x"), ("/a/b.py", "tuwen.train(...) from Python")],
)
def test_the_command(monkeypatch, first, said):
    monkeypatch.setattr(sys, "argv", [first, "x"])
    assert command() == said


def test_versions_are_those_that_run():
    assert versions()["torch"] == torch.__version__
    assert versions()["python"] == sys.version.split()[0]
