"""`tuwen info`: what a model directory is."""

import json

import pytest
from tests import eight

from tuwen import cli
from tuwen.command.info import Request, run, show
from tuwen.errors import CheckpointError


@pytest.fixture(scope="module")
def response():
    [response] = run(Request(model=str(eight.directory())))
    return response


def test_what_it_says(response):
    assert (response.recipe, response.can) == ("coca", ["caption", "classify", "match"])
    assert response.routes == {"caption": "image -> text", "image": "image -> space", "text": "text -> space"}
    assert response.parts["encode.image"] == "image_cnn" and response.parts["objective.contrastive"] == "contrastive"
    model = eight.model()
    assert response.parameters["all"] == sum(p.numel() for p in model.parameters())
    assert response.parameters["all"] == sum(n for place, n in response.parameters.items() if place != "all")
    assert response.figures == {"cider": 1.5} and response.settings["train"]["seed"] == 3


def test_text(response):
    said = show(response)
    assert (
        "can: caption, classify, match" in said
        and "  caption: image -> text" in said
        and "  cider                  1.5" in said
    )


def test_card():
    [response] = run(Request(model=str(eight.directory()), card=True))
    assert show(response).startswith("# A tuwen model: coca")


def test_json(capsys):
    assert cli.main(["info", str(eight.directory()), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["can"] == ["caption", "classify", "match"]


def test_no_model(tmp_path):
    with pytest.raises(CheckpointError, match="is no model directory"):
        list(run(Request(model=str(tmp_path))))
