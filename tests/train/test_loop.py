"""The loop learns, can be stopped and goes on exactly, and says in plain words what is wrong."""

import errno
import io
import json
import math
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests import eight
from tests.tiny import SETTINGS, largest_difference, rows

import tuwen
from tuwen import cli, machine
from tuwen._files import alone
from tuwen._tensors import read_tensors
from tuwen.errors import CheckpointError, ConfigError, DataError
from tuwen.evaluation import Evaluation, evaluate
from tuwen.train import checkpoint, loop
from tuwen.train.checkpoint import newest_state
from tuwen.train.looks import Looks
from tuwen.train.loop import Run, train, weighted
from tuwen.train.setup import Setup
from tuwen.types import Sample, Terms

WHOLE = ("data.val=0", "data.test=0")


def learn(out, data="scenes:0:32", *, recipe="cnn-transformer", settings=(), **more):
    """A short run; gives its events."""
    events = []
    heard = more.pop("report", lambda event: None)

    def report(event):
        events.append(event)
        heard(event)

    settings = (*SETTINGS[recipe], "train.metric=loss", *settings)
    train(data, out=out, recipe=recipe, settings=settings, report=report, **more)
    return events


def of(events, kind):
    return [event for event in events if event["kind"] == kind]


def interrupt_at(step):
    """A report that presses Ctrl-C when the loop says that it has done so many steps."""

    def report(event):
        if event["kind"] == "step" and event["step"] == step:
            os.kill(os.getpid(), signal.SIGINT)

    return report


def logged(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]


def weights(folder, prefix=("model.", "average.", "optimiser.", "random")):
    return {name: tensor for name, tensor in newest_state(folder).tensors.items() if name.startswith(prefix)}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# -- learning ----------------------------------------------------------------------------------------------------------


def figures_after_learning(out, data):
    fast = ("train.lr=1e-2", "train.ema=0.9", "train.evaluations=1", "encode.image.size=32", *WHOLE)
    learn(out, data, recipe="coca", settings=fast, steps=200)
    model = tuwen.load(out)
    return evaluate(model, [model.batch([Sample(str(i), row) for i, row in enumerate(data)], targets=True)])


def test_it_learns_eight_pictures_by_heart(tmp_path):
    found = figures_after_learning(tmp_path, rows(8))
    assert found.chance["i2t_r1"] == found.chance["t2i_r1"] == pytest.approx(1 / 8)
    assert found.figures["i2t_r1"] == found.figures["t2i_r1"] == 1.0
    assert found.chance["nats_per_token"] > 5  # ln of the vocabulary
    assert found.figures["nats_per_token"] < 0.3
    assert found.figures["shuffled_gap"] > 0.3  # chance: 0
    assert found.figures["contrastive"] < 0.2 < found.chance["contrastive"] == pytest.approx(math.log(8), abs=1e-3)


def test_it_learns_nothing_of_pictures_that_are_all_the_same(tmp_path):
    """Broken on purpose: the words are still learned, which picture they belong to cannot be."""
    data = rows(8)
    data = [{**row, "image": data[0]["image"]} for row in data]
    found = figures_after_learning(tmp_path, data)
    assert found.figures["i2t_r1"] == found.figures["t2i_r1"] == pytest.approx(1 / 8)
    assert found.figures["shuffled_gap"] == pytest.approx(0.0, abs=1e-4)
    assert found.figures["contrastive"] == pytest.approx(math.log(8), abs=0.05)
    assert found.figures["nats_per_token"] < 1.0


# -- the gradient of a step --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory, cache):
    """A run that has not begun, on eight rows whose captions have equally many tokens."""
    words = [f"{colour} {shape}" for colour in ("red", "blue", "green", "grey") for shape in ("ring", "star")]
    data = [{**row, "text": [text]} for row, text in zip(rows(8), words, strict=True)]
    settings = (
        *SETTINGS["cnn-transformer"],
        *WHOLE,
        "decode.text.tokenizer=word",
        "decode.text.dropout=0",
        "train.metric=loss",
    )
    made = Run(Setup(data, tmp_path_factory.mktemp("run"), "cnn-transformer", settings))
    made.begin()
    return made


def gradient(run, accumulate):
    run.model.eval()  # in training, batch norms know which part of a batch they see
    recipe = run.recipe
    run.recipe = replace(recipe, train=replace(recipe.train, accumulate=accumulate))
    terms = run.backward(run.sources.learned.batch([(row, -1) for row in range(8)]))
    found = {name: p.grad.clone() for name, p in run.model.named_parameters() if p.grad is not None}
    run.optimiser.zero_grad()
    run.recipe = recipe
    return found, terms


def test_accumulation_gives_the_gradient_of_the_whole(run):
    whole, terms = gradient(run, 1)
    parts, again = gradient(run, 4)
    assert len(whole) > 20
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5, rtol=1e-4)
    assert float(again["loss"]) == pytest.approx(float(terms["loss"]), rel=1e-5)


def test_accumulation_reads_texts_of_all_lengths(tmp_path):
    """A part of a batch need not hold its longest text."""
    texts = [" ".join(["a red ring"] * (1 + i % 3)) for i in range(16)]
    data = [{**row, "text": [text]} for row, text in zip(rows(16), texts, strict=True)]
    settings = ("train.accumulate=4", "train.batch=8", *WHOLE)
    events = learn(tmp_path, data, recipe="coca", steps=3, settings=settings)
    assert of(events, "done")[0]["step"] == 3


def test_terms_are_weighted_and_summed():
    terms = Terms({"a": torch.tensor(2.0), "b": torch.tensor(3.0)})
    assert weighted(terms, {"b": 0.5, "c": 9.0}).item() == 3.5
    with pytest.raises(
        DataError, match="no objective found anything to learn from in a batch: its rows lack the fields"
    ):
        weighted(Terms(), {})


@pytest.mark.parametrize(("metric", "score"), [("loss", -2.0), ("caption", -3.0), ("cider", 6.0)])
def test_the_better_of_two_figures_is_the_smaller_for_losses_and_ranks(run, monkeypatch, metric, score):
    looks = run.looks
    monkeypatch.setattr(looks, "recipe", replace(run.recipe, train=replace(run.recipe.train, metric=metric)))
    figures = {"loss": 2.0, "caption": 3.0, "cider": 6.0}
    assert looks.score(Evaluation(figures=figures, less=frozenset({"loss", "caption"})), 7) == score
    assert looks.score(Evaluation(figures={}), 7) == 7


# -- what the run says -------------------------------------------------------------------------------------------------


def test_the_log_has_every_term_and_what_the_run_costs(tmp_path):
    events = learn(tmp_path, recipe="coca", steps=12)
    assert logged(tmp_path) == [
        event for event in events if event["kind"] != "saved" and event.get("done") == event.get("of")
    ]
    (cost,) = of(events, "estimate")
    assert cost["parameters"] >= cost["trained"] > 1000
    assert {"time_s", "memory_mb", "disk_mb", "cache_mb", "cache", "device", "precision", "threads"} <= cost.keys()
    steps = of(logged(tmp_path), "step")
    assert [event["step"] for event in steps] == [*range(1, 11), 12]
    for event in steps:
        assert {"lr", "rows_per_s", "left_s", "memory_mb"} <= event.keys()
        assert event["loss"] == pytest.approx(event["caption"] + 0.5 * event["contrastive"], abs=1e-4)
    assert [event["step"] for event in of(events, "evaluation")] == [6, 12]
    assert "text" in of(events, "warning")[0]  # such a short run has learned nothing
    (done,) = of(events, "done")
    assert done["step"] == 12
    lowest = min(event["figures"]["loss"] for event in of(events, "evaluation"))
    assert done["figures"]["loss"] == pytest.approx(lowest, abs=1e-4)
    assert done["memory_mb"] > 50


def test_looking_at_the_validation_part_does_not_change_training(tmp_path):
    """With dropout and averaged weights, which are put into the model for the look."""
    settings = ("decode.text.dropout=0.2", "train.ema=0.9")
    for looks in (2, 6):
        events = learn(tmp_path / str(looks), settings=(*settings, f"train.evaluations={looks}"), steps=24)
        assert len(of(events, "evaluation")) == looks
    assert same(weights(tmp_path / "2"), weights(tmp_path / "6"))
    assert not same(weights(tmp_path / "2", "model."), weights(tmp_path / "2", "average."))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        learn(tmp_path / name, steps=6, seed=seed)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_the_best_model_is_kept_not_the_last(tmp_path, monkeypatch):
    losses = iter([9.0, 3.0, 1.0, 2.0, 4.0])  # before the first step, then at each look
    less = frozenset({"loss"})
    monkeypatch.setattr(Looks, "judge", lambda looks, rows=0: Evaluation(figures={"loss": next(losses)}, less=less))
    events = learn(tmp_path, settings=("train.evaluations=4", "train.ema=0"), steps=16)
    assert [event["best"] for event in of(events, "evaluation")] == [True, True, False, False]
    assert (of(events, "done")[0]["best_step"], of(events, "done")[0]["figures"]) == (8, {"loss": 1.0})
    assert json.loads((tmp_path / "figures.json").read_text()) == {"loss": 1.0}
    kept, last = read_tensors(tmp_path / "weights.safetensors")[0], weights(tmp_path, "model.")
    assert kept.keys() == {name.removeprefix("model.") for name in last}
    assert not torch.equal(kept["decoders.text.token.weight"], last["model.decoders.text.token.weight"])


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_it_stops_when_patience_is_over_and_stays_stopped(tmp_path):
    settings = ("train.metric=num_captions", "train.patience=2", "train.evaluations=20")  # no figure gets better
    events = learn(tmp_path, settings=settings, steps=40)
    assert [event["best"] for event in of(events, "evaluation")] == [True, False, False]
    assert of(events, "done")[0]["step"] == 6
    again = learn(tmp_path, resume=True)
    assert (of(again, "step"), of(again, "evaluation"), of(again, "done")[0]["step"]) == ([], [], 6)


def test_a_time_limit_becomes_a_number_of_steps_that_is_stored(tmp_path, monkeypatch):
    """On a machine whose pace stays as it was."""
    monkeypatch.setattr(loop, "paced", lambda train, done, steps, step_s, left_s: steps)
    events = learn(tmp_path, time_limit_s=1.5)
    planned = newest_state(tmp_path).plain
    assert planned["planned"]
    assert planned["steps"] == of(events, "done")[0]["step"] > 20
    assert {event["steps"] for event in of(events, "step") if event["step"] > 20} == {planned["steps"]}
    looks = [event["step"] for event in of(events, "evaluation")]
    assert len(looks) == len(set(looks))
    assert of(events, "step")[-1]["lr"] < 1e-4  # the schedule has come to its end


def test_a_time_limit_is_kept_where_steps_become_slower(tmp_path, monkeypatch):
    """From step 40 on each waits; a run that kept to its plan would take several times as long."""
    learn_one = Run.learn

    def slow(run, batch):
        if run.step > 40:
            time.sleep(0.02)
        return learn_one(run, batch)

    monkeypatch.setattr(Run, "learn", slow)
    began = time.monotonic()
    events = learn(tmp_path, time_limit_s=3.0)
    assert time.monotonic() - began < 9.0
    plans = [event["steps"] for event in of(events, "step") if event["step"] > 20]
    assert of(events, "done")[0]["step"] <= plans[-1] < plans[0]  # fewer where a look ends it at once


def test_a_time_limit_with_steps_ends_at_the_first_of_both(tmp_path):
    events = learn(tmp_path, time_limit_s=1000, steps=24, settings=("train.evaluations=12",))
    assert of(events, "done")[0]["step"] == 24
    assert [event["step"] for event in of(events, "evaluation")] == [*range(2, 25, 2)]  # the plan's look counts as one


def test_a_time_limit_that_is_too_short_is_said(tmp_path):
    events = learn(tmp_path, time_limit_s=0.001)
    assert of(events, "done")[0]["step"] == 2
    said = [event["text"] for event in of(events, "warning")]
    assert any(
        text.startswith("the time limit of 0.001 s cannot be kept: ")
        or text.endswith(" s; lower train.evaluate_rows or train.evaluations")
        for text in said
    )


def test_a_run_with_a_time_limit_that_is_stopped_before_its_plan_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_EARLY", 9.0)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path, time_limit_s=1.0, report=interrupt_at(9))
    assert not newest_state(tmp_path).plain["planned"]
    events = learn(tmp_path, resume=True)
    assert newest_state(tmp_path).plain["planned"]
    assert of(events, "done")[0]["step"] > 20


def test_ctrl_c_saves_and_resume_goes_on_exactly(tmp_path):
    """With everything that is drawn at random: what is dropped, which words are unknown, which view is seen."""
    settings = ("decode.text.dropout=0.2", "decode.text.word_dropout=0.2", "train.ema=0.9", "train.evaluations=5")
    settings = (*settings, "data.views=mirror,zoom")
    learn(tmp_path / "whole", settings=settings, steps=20)
    out = tmp_path / "stopped"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=f"stopped at step 7 of 20; go on with: tuwen train --resume -o {out}"):
        learn(out, settings=settings, steps=20, report=interrupt_at(7))
    assert signal.getsignal(signal.SIGINT) is before
    assert newest_state(out).step == 7
    events = learn(out, "", resume=True)  # the data is remembered
    assert of(events, "step")[0]["step"] == 8
    assert largest_difference(tmp_path / "whole", out) == 0.0
    assert [event["step"] for event in of(logged(out), "step")] == [*range(1, 11), 20]
    assert [event["step"] for event in of(logged(out), "evaluation")] == [4, 8, 12, 16, 20]


def test_ctrl_c_at_the_command_line_says_how_to_resume_and_exits_130(tmp_path, capsys):
    def press():
        log = tmp_path / "log.jsonl"
        while not (log.exists() and '"step": 2,' in log.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    sets = [word for setting in (*SETTINGS["cnn-transformer"], "train.metric=loss") for word in ("--set", setting)]
    said = cli.main(["train", "scenes:0:32", "-o", str(tmp_path), "-r", "cnn-transformer", "--steps", "5000", *sets])
    assert said == 130
    step = newest_state(tmp_path).step
    assert step >= 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == f"stopped at step {step} of 5000; go on with: tuwen train --resume -o {tmp_path}"


def test_a_finished_run_that_is_resumed_does_nothing(tmp_path):
    learn(tmp_path, steps=5)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*.safetensors")}
    events = learn(tmp_path, resume=True)
    assert [event["kind"] for event in events if event["kind"] not in ("cache", "warning")] == ["done"]
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*.safetensors")} == before


def test_a_run_killed_before_its_first_whole_state_begins_anew_and_ends_the_same(tmp_path):
    learn(tmp_path / "whole", steps=6)
    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        learn(out, steps=6, report=interrupt_at(3))
    (state,) = (out / "state").glob("0*")
    (state / "manifest.json").unlink()
    learn(out, resume=True)
    assert largest_difference(tmp_path / "whole", out) == 0.0


def test_resume_keeps_precision_and_settings_and_says_what_has_no_effect(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "bfloat16_pays", lambda device: False)
    auto = ("train.precision=auto",)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path, settings=auto, steps=6, report=interrupt_at(3))
    monkeypatch.setattr(machine, "bfloat16_pays", lambda device: True)  # the machine is busy now
    heard = []
    run = Run(Setup("scenes:0:32", tmp_path, "coca", ("train.lr=0.5",), resume=True, report=heard.append))
    run.begin()
    assert run.machine.precision is torch.float32
    assert (run.recipe.name, run.recipe.train.lr, run.steps) == ("cnn-transformer", 5e-3, 6)
    said = [event["text"] for event in of(heard, "warning")]
    assert said == ["--resume keeps the settings that the run began with; without effect: -r coca, train.lr=0.5"]


def test_resume_says_that_the_data_has_changed(tmp_path):
    data = rows(16)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path, data, steps=6, settings=WHOLE, report=interrupt_at(3))
    data[3] = {**data[3], "text": ["something else"]}
    events = learn(tmp_path, data, resume=True)
    assert "the data has changed since this run began; it goes on with the data as it is now" in [
        event["text"] for event in of(events, "warning")
    ]
    assert of(events, "done")[0]["step"] == 6


def test_resume_without_a_run_says_what_to_type(tmp_path):
    with pytest.raises(ConfigError) as caught:
        learn(tmp_path, "", resume=True)
    assert (
        str(caught.value)
        == f"{tmp_path} holds no run to resume; say what to learn from: tuwen train DATA -o {tmp_path}"
    )


def test_a_model_without_a_state_is_not_resumed_but_left_as_it_is(tmp_path):
    learn(tmp_path, steps=3)
    shutil.rmtree(tmp_path / "state")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(
        ConfigError, match="holds a model, but not the state of a run .* --start-from .*; or train anew"
    ):
        learn(tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_start_that_is_refused_leaves_the_log_of_the_model_that_is_there(tmp_path):
    learn(tmp_path, steps=3)
    before = (tmp_path / "log.jsonl").read_bytes()
    for settings in (("train.metric=nothing",), ("encode.nothing.width=3",)):
        with pytest.raises(ConfigError):
            learn(tmp_path, steps=3, settings=settings)
    assert (tmp_path / "log.jsonl").read_bytes() == before


def test_rows_in_memory_are_to_be_given_again(tmp_path):
    out = tmp_path / "a model"
    with pytest.raises(KeyboardInterrupt, match=r"go on with: tuwen.train\(rows, out='.*a model', resume=True\)"):
        learn(out, rows(16), steps=6, settings=WHOLE, report=interrupt_at(3))
    with pytest.raises(
        ConfigError, match="holds a run on rows that were in memory; give them again: tuwen train DATA -o"
    ):
        learn(out, "", resume=True)
    assert of(learn(out, rows(16), resume=True), "done")[0]["step"] == 6


def test_what_is_left_out_while_reading_is_said(tmp_path):
    eight.write_pictures(tmp_path / "photos")
    (tmp_path / "photos" / "lost.txt").write_text("no picture", "utf-8")
    events = learn(tmp_path / "m", str(tmp_path / "photos"), steps=2, settings=("data.on_error=skip", *WHOLE))
    [said] = [event["text"] for event in of(events, "warning") if "lost.txt" in event["text"]]
    assert said.startswith("1 x ")


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    with alone(tmp_path), pytest.raises(ConfigError, match="another run writes into .* now; wait for it, stop it"):
        learn(tmp_path, steps=2)
    learn(tmp_path, steps=2)


def test_a_weight_of_no_term_is_said_once(tmp_path):
    settings = ("weight.captoin=2", "weight.caption=0.5", "train.evaluations=3")
    events = learn(tmp_path / "m", settings=settings, steps=6)
    said = [event["text"] for event in of(events, "warning") if "weight." in event["text"]]
    assert said == ["weight.captoin=2 had no effect so far; the terms were: caption"]


def test_two_objectives_of_one_term_are_refused(tmp_path):
    twice = "objective.again=caption"
    with pytest.raises(
        ConfigError, match="and objective.again both give the term 'caption', and one of them would not"
    ):
        learn(tmp_path, steps=2, settings=(twice,))


@pytest.mark.parametrize(("limit", "most"), [(2.0, 10), (0.3, 2)])
def test_slow_steps_are_planned_early_and_blamed(tmp_path, monkeypatch, limit, most):
    slow = Run.backward
    monkeypatch.setattr(Run, "backward", lambda run, batch: time.sleep(0.5) or slow(run, batch))
    events = learn(tmp_path, time_limit_s=limit)
    assert of(events, "done")[0]["step"] <= most
    if limit < 0.5:
        said = "the time limit of 0.3 s cannot be kept: a step takes 0.5 s; lower train.batch, or give more time by --time-limit"
        assert said in [event["text"] for event in of(events, "warning")]


def test_a_full_disk_keeps_the_state_before_and_resume_ends_the_same(tmp_path, monkeypatch):
    learn(tmp_path / "whole", settings=("train.save_every_s=0",), steps=8)
    out, write, count = tmp_path / "full", checkpoint.write_tensors, []

    def full(path, tensors, about=None):
        count.append(path)
        if len(count) == 4:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, tensors, about)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_tensors", full)
        with pytest.raises(CheckpointError, match="no space left on the disk") as caught:
            learn(out, settings=("train.save_every_s=0",), steps=8)
    assert str(caught.value).endswith("The state of step 3 is intact: --resume goes on from there.")
    assert newest_state(out).step == 3
    learn(out, resume=True)
    assert largest_difference(tmp_path / "whole", out) == 0.0


# -- what cannot work --------------------------------------------------------------------------------------------------


def test_a_metric_that_is_not_there_is_said_before_the_first_step(tmp_path):
    with pytest.raises(ConfigError, match="train.metric is 'cyder'; the evaluation gives: loss, caption, .*cider"):
        learn(tmp_path, settings=("train.metric=cyder",), steps=5)
    assert not (tmp_path / "state").exists()


def test_a_loss_that_is_no_number_is_said(tmp_path):
    with pytest.raises(
        ConfigError, match=r"the loss is nan at step \d+; try a smaller learning rate: --set train.lr=3.33333e\+29"
    ):
        learn(tmp_path, settings=("train.lr=1e30",), steps=9)


def with_broken(*broken):
    """Sixteen rows, some with a PNG that ends too early: its header is good, so only decoding finds it."""
    data = rows(16)
    for i in broken:
        buffer = io.BytesIO()
        noise = np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(buffer, "PNG")
        data[i] = {**data[i], "image": buffer.getvalue()[:3000]}
    return data


def test_a_broken_picture_stops_the_run_before_it_begins(tmp_path):
    with pytest.raises(DataError, match=r"row 4\) cannot be read as an image: truncated after 3000 bytes"):
        learn(tmp_path, with_broken(3), settings=WHOLE, steps=3)


def test_broken_pictures_are_skipped_if_the_user_says_so_and_counted(tmp_path):
    events = learn(tmp_path, with_broken(0, 3), settings=(*WHOLE, "data.on_error=skip", "train.batch=14"), steps=3)
    (said,) = [event for event in of(events, "warning") if "cannot be read" in event["text"]]
    assert said["text"].startswith("left out 2 rows that cannot be read: ")
    assert len(said["rows"]) == 2
    assert of(events, "done")[0]["step"] == 3


def test_nothing_but_broken_pictures(tmp_path):
    settings = (*WHOLE, "data.on_error=skip")
    with pytest.raises(DataError, match="rows: no training row is left; all 16 cannot be read"):
        learn(tmp_path, with_broken(*range(16)), settings=settings, steps=3)


def test_data_without_captions_is_refused(tmp_path):
    data = [{"image": row["image"]} for row in rows(4)]
    with pytest.raises(
        DataError, match="recipe 'cnn-transformer' needs the field 'text'; rows has: image. `tuwen data rows` tells"
    ):
        learn(tmp_path, data, steps=3)


def test_captions_of_the_validation_part_alone_are_not_enough(tmp_path):
    data = [{"image": row["image"], "split": "train"} for row in rows(4)] + rows(2, split="val")
    with pytest.raises(
        DataError, match=r"rows has no training row with what recipe 'cnn-transformer' learns from \(image -> text\)"
    ):
        learn(tmp_path, data, steps=3)


def test_rows_without_a_caption_are_left_out_of_training(tmp_path):
    data = rows(8)
    data[2] = {"image": data[2]["image"], "split": "train"}
    events = learn(tmp_path, data, settings=WHOLE, steps=2)
    assert of(events, "done")[0]["step"] == 2


def test_a_file_in_the_place_of_the_model_is_said(tmp_path):
    place = tmp_path / "model"
    place.write_text("mine")
    with pytest.raises(CheckpointError, match=f"cannot write {place}: "):
        learn(place, steps=1)
    assert Path(place).read_text() == "mine"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "objective.caption.route=captions",
            "objective.caption.route is 'captions', .* Did you mean 'caption'. It has: ",
        ),
        ("objective.contrastive.second=txt", "objective.contrastive.second is 'txt', which recipe 'coca' has not"),
        (
            "decode.image=image_deconv",
            "decode.image: no route of recipe 'coca' makes 'image'; it has the routes: caption ",
        ),
        ("fuse.x=mean", "fuse.x: no route of recipe 'coca' fuses by it"),
        ("space.txt=projection", "space.txt: recipe 'coca' encodes no 'txt'; it encodes image, text"),
    ],
)
def test_what_is_about_nothing_is_refused(tmp_path, setting, message):
    """An objective of no route would learn nothing, and say nothing."""
    with pytest.raises(ConfigError, match=message):
        train(rows(8), out=tmp_path / "m", recipe="coca", settings=(*SETTINGS["coca"], setting), steps=2)
