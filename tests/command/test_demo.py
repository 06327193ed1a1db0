"""`tuwen demo`: which commands it runs, what it does not do twice, and what it says at the end."""

import json

import pytest
from tests import drawing

from tuwen import cli
from tuwen.command import demo
from tuwen.command.demo import Record, Request, Response, run, show, steps
from tuwen.data import scenes
from tuwen.errors import CannotError, ConfigError, UnknownNameError
from tuwen.evaluation import Evaluation
from tuwen.report._look import Look

VERBS = ["data", "train", "evaluate", "caption", "match", "draw"]


@pytest.fixture
def ran(monkeypatch):
    """Stands in for the command line and for what the page is made of; keeps what was run."""
    lines = []

    def fake(tokens):
        lines.append(tokens)
        print("said by", tokens[0])

    look = Look(found=Evaluation(figures={"statement_truth": 0.9}, chance={"statement_truth": 0.3}))
    monkeypatch.setattr(cli, "run", fake)
    monkeypatch.setattr(demo, "_look", lambda request: look)
    return lines


def request(tmp_path, **options):
    return Request(out=str(tmp_path / "demo"), **options)


def verbs(ran):
    return [tokens[0] for tokens in ran]


# -- what is run ----------------------------------------------------------------------------------------------------


def test_the_commands_are_those_that_are_printed(ran, tmp_path, capsys):
    asked = request(tmp_path)
    [response] = run(asked)
    assert verbs(ran) == VERBS and response.commands == tuple(map(str, steps(asked)))
    assert ran == [list(step.tokens) for step in steps(asked)]
    out, err = capsys.readouterr()
    assert out == "", "stdout is for the answer alone"
    for command in response.commands:
        assert f"$ {command}\nsaid by {command.split()[1]}" in err
    assert (tmp_path / "demo" / "report.html").is_file()


def test_every_command_can_be_typed():
    from tests.test_readme import understood

    for fast in (False, True):
        for step in steps(Request(fast=fast, out="a folder")):
            assert understood(str(step)), step


def test_print_runs_nothing(ran, tmp_path):
    [response] = run(request(tmp_path, print=True))
    assert ran == [] and not (tmp_path / "demo").exists()
    assert show(response) == "\n".join(response.commands) and show(response).startswith("tuwen data scenes -o ")


def test_what_a_recipe_is_not_for_is_left_out():
    assert [step.tokens[0] for step in steps(Request(recipe="coca"))] == VERBS[:-1]
    assert [step.tokens[0] for step in steps(Request(recipe="vae"))] == [*VERBS[:3], "reconstruct"]


def test_the_first_text_is_true_of_the_first_picture():
    first = scenes.draw_one(0, "test", 0)
    assert demo._TEXTS[0] == first.fields["text"][0] and not set(demo._TEXTS[1:]) & set(first.fields["text"])


def test_a_command_that_the_model_cannot_do(ran, tmp_path, monkeypatch, capsys):
    def refuse(tokens):
        ran.append(tokens)
        if tokens[0] == "match":
            raise CannotError("this model was not trained to match")

    monkeypatch.setattr(cli, "run", refuse)
    list(run(request(tmp_path)))
    assert verbs(ran) == VERBS and "left out: this model was not trained to match" in capsys.readouterr().err


# -- nothing twice --------------------------------------------------------------------------------------------------


def test_the_same_again_does_nothing(ran, tmp_path, monkeypatch):
    list(run(request(tmp_path)))
    page = tmp_path / "demo" / "report.html"
    page.write_text("the page")
    ran.clear()
    monkeypatch.chdir(tmp_path)
    [response] = run(Request(out="demo"))  # the same folder by another name
    assert ran == [] and page.read_text() == "the page" and response.figures == {"statement_truth": 0.9}


def test_stopped_in_the_middle(ran, tmp_path, monkeypatch):
    """What was done is kept; training goes on from its state; what follows is done."""
    asked, model = request(tmp_path), tmp_path / "demo" / "model"

    def stop(tokens):
        ran.append(tokens)
        if tokens[0] == "train" and "--resume" not in tokens:
            (model / "state").mkdir(parents=True)
            raise KeyboardInterrupt("stopped at step 5")

    monkeypatch.setattr(cli, "run", stop)
    with pytest.raises(KeyboardInterrupt, match=r"stopped; go on with the same command: tuwen demo -o .*demo$"):
        list(run(asked))
    ran.clear()
    list(run(asked))
    assert verbs(ran) == VERBS[1:] and ran[0] == ["train", "-o", str(model), "--resume"]


def test_pictures_that_were_all_written_are_not_drawn_again(ran, tmp_path, monkeypatch):
    """Stopped between the last picture and the end of the command."""
    Record(tmp_path / "demo").begin(str(steps(Request())[0]))
    (tmp_path / "demo" / "scenes").mkdir()
    (tmp_path / "demo" / "scenes" / "metadata.jsonl").write_text("{}\n")
    list(run(request(tmp_path)))
    assert verbs(ran) == VERBS[1:]


def test_another_time_limit_trains_anew(ran, tmp_path):
    list(run(request(tmp_path)))
    (tmp_path / "demo" / "model" / "state").mkdir(parents=True)
    ran.clear()
    list(run(request(tmp_path, time_limit="1m")))
    assert verbs(ran) == VERBS[1:] and ran[0][-1] == "--overwrite"
    assert ran[0][ran[0].index("--time-limit") + 1] == "1m" and "--steps" not in ran[0]


def test_and_back_again(ran, tmp_path):
    """The model is then one of the other time limit: nothing of it counts as done."""
    list(run(request(tmp_path)))
    list(run(request(tmp_path, time_limit="1m")))
    ran.clear()
    list(run(request(tmp_path)))
    assert verbs(ran) == VERBS[1:]


def test_a_page_of_an_older_model_goes(ran, tmp_path, monkeypatch):
    list(run(request(tmp_path)))
    monkeypatch.setattr(demo, "_write_report", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        list(run(request(tmp_path, time_limit="1m")))
    assert not (tmp_path / "demo" / "report.html").exists()


def test_other_pictures_need_another_folder(ran, tmp_path):
    list(run(request(tmp_path)))
    (tmp_path / "demo" / "scenes").mkdir()
    (tmp_path / "demo" / "scenes" / "metadata.jsonl").write_text("{}\n")
    with pytest.raises(
        ConfigError, match=r"holds a demo with other pictures .* name another folder: tuwen demo -o NEW"
    ):
        list(run(request(tmp_path, fast=True)))
    assert (tmp_path / "demo" / "report.html").is_file(), "nothing of the other demo is touched"


def test_stopped_with_other_options_says_them(ran, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "run", lambda tokens: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt, match="--fast --recipe coca --time-limit 9s$"):
        list(run(request(tmp_path, fast=True, recipe="coca", time_limit="9s")))


# -- mistakes -------------------------------------------------------------------------------------------------------


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="is there and holds no demo; name a new folder: tuwen demo -o NEW_FOLDER"):
        list(run(request(tmp_path)))


def test_mistakes_are_found_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match="--time-limit is 'soon'"):
        list(run(request(tmp_path, time_limit="soon")))
    with pytest.raises(UnknownNameError, match="Did you mean 'coca'"):
        list(run(request(tmp_path, recipe="coka")))
    assert not (tmp_path / "demo").exists()


# -- what is said ---------------------------------------------------------------------------------------------------


def test_what_is_said_at_the_end():
    commands = ("tuwen data scenes -o d/scenes", "tuwen train d/scenes -o d/model -r coca --steps 8")
    figures, chance = {"statement_truth": 0.98, "drawn_shape_colour": 0.9}, {"statement_truth": 0.3}
    said = show(Response(commands=commands, report="d/report.html", figures=figures, chance=chance, took_s=90))
    assert "Done in 1.5 minutes" in said and "0.980 (chance 0.300)  of what its captions say is true" in said
    assert "0.900 (chance -)" in said and "Open d/report.html" in said
    assert "tuwen train photos/ -o model -r coca --time-limit 20m" in said


def test_the_page_is_made_of_what_evaluate_wrote(tmp_path, monkeypatch):
    from tuwen.command import _ask, _read

    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: drawing.model())
    monkeypatch.setattr(_read, "read_rows", lambda *given, **options: drawing.ROWS)
    found = {"figures": {"a": 1.0}, "intervals": {"a": [0.5, 1.5]}, "chance": {"a": 0.1}, "rows": [{"key": "red"}]}
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "evaluation.json").write_text(json.dumps(found))
    look = demo._look(request(tmp_path))
    assert look.found.figures == {"a": 1.0} and look.found.num_rows == 5 and look.model is drawing.model()
    assert look.about == {"recipe": "draws", "can": "draw"}
