"""`tuwen train`: what it hands to the loop, what it says, what it refuses before torch is loaded."""

import json

import pytest

from tuwen import cli
from tuwen.command.train import Request, Response, run, show
from tuwen.errors import ConfigError


@pytest.fixture
def asked(monkeypatch):
    """Stands in for the loop; keeps what it was called with."""
    calls = []

    def train(data, *, report, out, **options):
        calls.append({"data": data, "out": out, **options})
        report({"kind": "warning", "text": "look out"})
        done = {"kind": "done", "step": 9, "path": out, "figures": {"loss": 1.5}, "best_step": 7, "took_s": 65.0}
        report({**done, "can": ["caption", "match"]})
        return out

    monkeypatch.setattr("tuwen.train.loop.train", train)
    return calls


def test_options_reach_the_loop(asked, tmp_path):
    out = str(tmp_path / "m")
    arguments = [
        "train", "photos", "-o", out, "-r", "cnn-gru", "--set", "train.lr=1e-3", "--set", "data.val=0.2", "--time-limit",
        "20m", "--start-from", "old", "--steps", "9", "--seed", "3", "--device", "cpu", "--metric", "cider",
    ]  # fmt: skip
    assert cli.main(arguments) == 0
    assert asked == [{
        "data": "photos", "out": out, "recipe": "cnn-gru", "time_limit_s": 1200.0, "steps": 9, "seed": 3, "resume": False,
        "start_from": "old",
        "settings": ("train.lr=1e-3", "data.val=0.2", "train.device=cpu", "train.metric=cider"),
    }]  # fmt: skip


def test_defaults(asked, tmp_path):
    list(run(Request(data="photos", out=str(tmp_path / "m"))))
    assert (asked[0]["recipe"], asked[0]["settings"], asked[0]["seed"], asked[0]["steps"]) == ("", (), None, 0)


def test_what_is_said(asked, tmp_path, capsys):
    out = str(tmp_path / "m")
    assert cli.main(["train", "photos", "-o", out]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{out}: trained in 1 min 5 s; the best model is of step 7: loss 1.5",
        f"Next: tuwen caption {out} photo.jpg",
    ]
    assert printed.err == "warning: look out\n"


def test_json_gives_events_and_one_done(asked, tmp_path, capsys):
    out = str(tmp_path / "m")
    assert cli.main(["train", "photos", "-o", out, "--json"]) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert [row["kind"] for row in rows] == ["warning", "done"] and printed.err == ""
    done = {"kind": "done", "path": out, "figures": {"loss": 1.5}, "best_step": 7, "took_s": 65.0}
    assert rows[-1] == {**done, "can": ["caption", "match"]}


def test_without_a_validation_part():
    from tuwen.command.train import Response

    assert "there was no validation part to judge it by" in show(
        Response(path="m", figures={}, best_step=0, took_s=1.0)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "photos"}, "it is not said where the model goes; add -o MODEL: tuwen train photos -o model"),
        ({"out": "m"}, "it is not said what to learn from; name the data: tuwen train DATA -o m"),
        ({"data": "photos", "out": "m", "time_limit": "soon"}, "--time-limit is 'soon'"),
        ({"data": "photos", "out": "m", "time_limit": "0s"}, "--time-limit 0s leaves no time; give some"),
        ({"data": "photos", "out": "m", "steps": -4}, "--steps is -4; give a number of steps"),
    ],
)
def test_refused_at_once(arguments, message):
    with pytest.raises(ConfigError, match=message):
        list(run(Request(**arguments)))


def test_a_model_is_not_replaced_unasked(asked, tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds a model; train anew in its place by --overwrite, or name another"):
        list(run(Request(data="photos", out=str(tmp_path))))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "run.json").write_text("{}")
    with pytest.raises(
        ConfigError, match="holds a model; go on with its training by --resume, train anew in its place"
    ):
        list(run(Request(data="photos", out=str(tmp_path))))
    assert not asked
    list(run(Request(data="photos", out=str(tmp_path), overwrite=True)))
    list(run(Request(out=str(tmp_path), resume=True)))
    assert [call["resume"] for call in asked] == [False, True] and asked[1]["data"] == ""


def test_interrupted(monkeypatch, tmp_path, capsys):
    def train(*_, **__):
        raise KeyboardInterrupt("stopped at step 3 of 9; go on with: tuwen train --resume -o m")

    monkeypatch.setattr("tuwen.train.loop.train", train)
    assert cli.main(["train", "photos", "-o", str(tmp_path / "m")]) == 130
    assert capsys.readouterr().err == "stopped at step 3 of 9; go on with: tuwen train --resume -o m\n"


def test_a_model_that_writes_nothing_names_what_it_can():
    done = Response(path="m", figures={}, best_step=7, took_s=65.0, can=("classify", "embed"))
    assert show(done).splitlines()[1] == "It can: classify, embed. Next: tuwen info m"
