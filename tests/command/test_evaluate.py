"""`tuwen evaluate`: a model on data, or captions of any system against references."""

import json

import pytest
from tests import eight

from tuwen import cli
from tuwen.command import _ask
from tuwen.command.evaluate import Request, run, show
from tuwen.errors import ConfigError, DataError


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(_ask, "open_model", lambda path, device: eight.model())
    eight.write_pictures(tmp_path / "photos")
    return str(tmp_path / "photos")


def test_a_model(data, tmp_path):
    """All eight stand in one part or another; asked for one after the other they are all of them."""
    parts = [next(run(Request(model="m", data=data, split=split, beam=1))) for split in ("train", "val", "test")]
    assert sum(part.num for part in parts) == 8
    train = parts[0]
    assert train.figures["bleu_1"] > 0.99 and train.chance["i2t_r1"] == pytest.approx(1 / train.num)
    assert train.intervals["bleu_1"][1] <= 1 + 1e-9


def test_rows_and_report(data, tmp_path):
    out = tmp_path / "deep" / "report.json"
    [response] = run(Request(model="m", data=data, split="train", rows=3, beam=1, out=str(out)))
    report = json.loads(out.read_text("utf-8"))
    assert response.num == 3 == len(report["rows"]) and report["figures"] == response.figures
    assert report["rows"][0].keys() == {"key", "caption", "references", "logprob"} and report["split"] == "train"


def test_page(data, tmp_path):
    out = tmp_path / "deep" / "page.html"
    [response] = run(Request(model="m", data=data, split="train", beam=1, html=str(out)))
    page = out.read_text("utf-8")
    assert page.startswith("<!doctype html>") and "Evaluation of m" in page and "i2t_r1" in page
    assert show(response).endswith(f"{response.num} rows; written to {out}") and response.html == str(out)


def test_table(data):
    [response] = run(Request(model="m", data=data, split="train", beam=1))
    lines = show(response).splitlines()
    assert lines[0].split() == ["figure", "value", "95", "%", "interval", "chance"]
    bleu = next(line for line in lines if line.startswith("bleu_1"))
    assert " to " in bleu and len(bleu.split()) == 6
    assert lines[-1] == f"{response.num} rows"


def test_settings_of_the_data(data):
    [response] = run(Request(model="m", data=data, split="val", beam=1, set=("data.val=0.5",)))
    assert response.num == 4
    with pytest.raises(ConfigError, match="--set train.lr=1 has no effect here; evaluate takes settings of the data"):
        next(run(Request(model="m", data=data, set=("train.lr=1",))))


def test_captions_of_any_system(tmp_path, capsys):
    (tmp_path / "r.json").write_text(
        json.dumps([{"image_id": 1, "caption": "a dog runs"}, {"image_id": 2, "caption": "a cat sits"}])
    )
    (tmp_path / "refs.json").write_text(json.dumps({"1": ["a dog runs fast"], "2": ["a cat sits"]}))
    arguments = [
        "evaluate",
        "--captions",
        str(tmp_path / "r.json"),
        "--references",
        str(tmp_path / "refs.json"),
        "--json",
    ]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    # 6 of 6 words are right; 6 words against 7: exp(1 - 7 / 6)
    assert found["figures"]["bleu_1"] == pytest.approx(0.8465, abs=1e-3) and found["num"] == 2
    assert found["chance"]["bleu_1"] < 0.5 and "cider" in found["intervals"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "evaluate takes MODEL and DATA, or --captions FILE --references FILE: tuwen evaluate model photos/"),
        ({"model": "m"}, "evaluate takes MODEL and DATA"),
        ({"captions": "a.json"}, "--captions and --references go together"),
        ({"model": "m", "data": "x", "beam": 0}, "beam is 0"),
        ({"out": "a.html"}, "-o a.html would be JSON; a page is written with --html a.html"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ConfigError, match=message):
        next(run(Request(**arguments)))


def test_an_empty_part(data):
    with pytest.raises(DataError, match="has no rows in its part 'test'; it has train, val. Name one with --split."):
        next(run(Request(model="m", data=data, split="test", set=("data.test=0",))))
