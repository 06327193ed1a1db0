"""A run of several stages: what learns when, with what the next one begins, how they share, and that a kill costs nothing."""

import io
import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests import codes, eight
from tests.tiny import largest_difference

import tuwen
from tuwen._tensors import read_tensors
from tuwen.command._progress import describe
from tuwen.encode.image_cnn import ImageCnn
from tuwen.errors import ConfigError, DataError
from tuwen.evaluation import Evaluation
from tuwen.model import CrossModal
from tuwen.recipe import Recipe, Stage
from tuwen.train import loop
from tuwen.train.checkpoint import newest_state
from tuwen.train.looks import Looks
from tuwen.train.loop import Run, train
from tuwen.train.setup import Setup

LESS = frozenset({"loss"})

FAST = (
    "data.val=0.25", "data.test=0", "train.evaluations=2", "train.batch=8", "train.ema=0.9", "train.precision=float32",
    "train.threads=1", "decode.image@codes.dropout=0.2",
)  # fmt: skip


def rows(count=16):
    found = [{name: one.fields[name] for name in ("image", "text")} for one in eight.samples(16)]
    return [{**found[i % 8], "split": "val" if i % 8 == 7 else "train"} for i in range(count)]


def learn(out, *settings, data=None, recipe=None, steps=12, **more):
    events = []
    heard = more.pop("report", lambda event: None)

    def report(event):
        events.append(event)
        heard(event)

    train(
        rows() if data is None else data, out=out, recipe=recipe or codes.recipe(), settings=(*FAST, *settings),
        steps=steps, report=report, **more,
    )  # fmt: skip
    return events


def of(events, kind):
    return [event for event in events if event["kind"] == kind]


def kept(folder, name="weights.safetensors"):
    return read_tensors(folder / name)[0]


def weights_of(tensors, places):
    plural = {"encode": "encoders", "space": "spaces", "decode": "decoders"}
    before = tuple(f"{plural[p.split('.')[0]]}.{p.split('.')[1]}." for p in places)
    return {name: tensor for name, tensor in tensors.items() if name.startswith(before)}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache):
    """A whole run of two stages, of 3 and 9 steps, with its events."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, learn(out)


# -- what learns when --------------------------------------------------------------------------------------------------


def test_only_the_parts_of_a_stage_learn(whole):
    """Weights, batch norms and the codebook of the tokenizer stay as they were; the others did not move before."""
    out, _ = whole
    begun, done = kept(out, "state/first-1.safetensors"), kept(out)
    new = CrossModal.create(replace(codes.recipe(), train=codes.recipe().train), eight.samples(16)).state_dict()
    assert len(weights_of(done, codes.TOKENIZER)) > 20
    assert equal(weights_of(begun, codes.TOKENIZER), weights_of(done, codes.TOKENIZER))
    assert not equal(weights_of(begun, codes.TOKENIZER), weights_of(new, codes.TOKENIZER))
    assert equal(weights_of(begun, codes.PRIOR), weights_of(new, codes.PRIOR))
    assert not equal(weights_of(begun, codes.PRIOR), weights_of(done, codes.PRIOR))


def test_the_next_stage_begins_with_the_best_model_of_the_one_before(tmp_path, monkeypatch):
    losses = iter([9.0, 9.0, 1.0, 2.0, 3.0, 2.0])  # before the first step of each; then the first look of each is best
    monkeypatch.setattr(Looks, "judge", lambda looks, rows=0: Evaluation(figures={"loss": next(losses)}, less=LESS))
    best = {}

    def report(event):
        if event["kind"] == "evaluation" and event["best"]:
            best[event["step"]] = kept(tmp_path)

    events = learn(tmp_path, report=report, steps=16)
    assert [(event["stage"], event["step"], event["best"]) for event in of(events, "evaluation")] == [
        ("tokenizer", 2, True),
        ("tokenizer", 4, False),
        ("prior", 10, True),
        ("prior", 16, True),
    ]
    assert equal(kept(tmp_path, "state/first-1.safetensors"), best[2])


def test_what_is_frozen_is_in_use_as_it_is_after_training():
    """No dropout, no batch statistics, no gradient, and a codebook that follows nothing."""
    model = CrossModal.create(codes.recipe(), eight.samples(16))
    model.let_learn(codes.PRIOR)
    model.train()
    assert not model.encoders["image"].training and not model.spaces["image"].training
    assert model.decoders["image@codes"].training and model.training
    model(model.batch(eight.samples(16), targets=True)).routes["draw"].prediction.sum().backward()
    assert all(p.grad is None for p in model.encoders["image"].parameters())
    assert model.encoders["text"].token.weight.grad is not None
    model.let_learn()
    assert all(p.requires_grad for p in model.parameters()) and model.train().encoders["image"].training


# -- how long, how good ------------------------------------------------------------------------------------------------


def test_steps_are_shared_and_counted_through(whole):
    _, events = whole
    steps = [(event["stage"], event["step"], event["steps"]) for event in of(events, "step")]
    assert steps == [*(("tokenizer", i, 3) for i in range(1, 4)), *(("prior", i, 12) for i in range(4, 13))]
    (ended,) = of(events, "stage")
    assert (ended["stage"], ended["step"], ended["can"]) == ("tokenizer", 3, ["reconstruct"])
    (done,) = of(events, "done")
    assert (done["stage"], done["step"], done["can"]) == ("prior", 12, ["draw", "reconstruct"])


def test_a_stage_may_have_steps_of_its_own(tmp_path):
    events = learn(tmp_path, "stages.prior.steps=2", "stages.tokenizer.share=1", "stages.prior.share=1", steps=6)
    assert [(event["stage"], event["steps"]) for event in of(events, "step")][-1] == ("prior", 5)
    assert len(of(events, "step")) == 3 + 2


def test_each_stage_has_its_share_of_steps_epochs_and_time():
    whole = replace(codes.recipe(), train=replace(codes.recipe().train, steps=100, epochs=8.0, time_limit_s=60.0))
    first, second = (whole.at(number).train for number in (0, 1))
    assert (first.steps, first.epochs, first.time_limit_s) == (25, 2.0, 15.0)
    assert (second.steps, second.epochs, second.time_limit_s) == (75, 6.0, 45.0)
    assert whole.with_setting("stages.prior.metric=codes").at(1).train.metric == "codes"
    assert [list(whole.at(number).routes) for number in (0, 1)] == [["reconstruct"], ["draw"]]
    single = replace(whole, stages=())
    assert single.at(0) is single


def test_a_time_limit_is_planned_in_each_stage(tmp_path, monkeypatch):
    """On a machine whose pace stays as it was."""
    monkeypatch.setattr(loop, "paced", lambda train, done, steps, step_s, left_s: steps)
    events = learn(tmp_path, "train.epochs=400", time_limit_s=4.0, steps=0)
    ends = {event["stage"]: event for event in of(events, "step")}
    assert ends["tokenizer"]["step"] > 20 and ends["prior"]["step"] - ends["tokenizer"]["step"] > 20
    assert all(event["step"] == event["steps"] for event in ends.values())


def test_figures_of_a_frozen_stage_stay_beside_those_of_the_next(whole):
    out, events = whole
    figures = json.loads((out / "figures.json").read_text())
    first, second = (
        {name for e in of(events, "evaluation") if e["stage"] == stage for name in e["figures"]}
        for stage in ("tokenizer", "prior")
    )
    assert {"mse", "code_use"} <= first - second and "codes" in second - first
    assert figures.keys() == first | second
    assert figures["loss"] == figures["codes"]
    model = tuwen.load(out)
    again = tuwen.evaluation.evaluate(model, [model.batch([one for one in _held_out()], targets=True)])
    assert again.figures["mse"] == pytest.approx(figures["mse"], rel=1e-4)
    assert again.figures["codes"] == pytest.approx(figures["codes"], rel=1e-4)


def _held_out():
    from tuwen.data._dataset import open_data

    return list(open_data(rows(), codes.recipe().data).split("val"))


def test_events_say_their_stage_and_others_do_not(whole):
    _, events = whole
    assert [event["stage"] for event in of(events, "estimate")] == ["tokenizer", "prior"]
    assert all(
        describe(event).startswith(f"{event['stage']}: ") for event in events if "stage" in event and describe(event)
    )
    assert "is done; the next stage begins with its best model, of step " in describe(of(events, "stage")[0])
    assert "stage" not in of(events, "cache")[0]


# -- codes are made once -----------------------------------------------------------------------------------------------


def test_codes_are_made_once_and_are_those_that_the_model_makes(tmp_path, monkeypatch):
    run = Run(Setup(rows(), tmp_path, codes.recipe(), (*FAST, "data.views=mirror")), 0)
    run.setup.begin()
    run.begin()
    run.looks.look(0, 1)  # keeps a model that the second stage begins with
    second = Run(run.setup, 1)
    second.begin()
    seen = []
    monkeypatch.setattr(
        ImageCnn, "forward", lambda part, *args, real=ImageCnn.forward: seen.append(1) or real(part, *args)
    )
    for step in range(3):
        items, views = second.sources.plan.items(step), second.sources.plan.views(step)
        batch = second.sources.learned.batch(items, views)
        assert set(batch.inputs) == {"text"} and set(batch.targets) == {"image@codes"}
        second.backward(batch)
        assert not seen
        pixels = run.sources.learned.batch(items, views)
        with torch.no_grad():
            fresh = second.model.derived("image@codes", second.model.latent("image", pixels.inputs["image"]))
        assert torch.equal(fresh.data, batch.targets["image@codes"].data) and seen
        seen.clear()


def test_where_what_is_derived_learns_too_it_is_made_in_each_step(tmp_path):
    together = replace(codes.recipe(), stages=(), weight={**codes.recipe().weight, "codes": 0.1})
    run = Run(Setup(rows(), tmp_path, together, FAST))
    run.begin()
    batch = run.sources.learned.batch(run.sources.plan.items(0))
    assert set(batch.inputs) == {"image", "text"} and set(batch.targets) == {"image"}
    assert {"codes", "reconstruction", "commitment"} <= run.backward(batch).keys()


# -- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [2, 3, 4, 8], ids=["first", "end of the first", "begin of the second", "second"])
def test_ctrl_c_in_any_stage_and_resume_goes_on_exactly(tmp_path, whole, step):
    def press(event):
        if event["kind"] == "step" and event["step"] == step:
            os.kill(os.getpid(), signal.SIGINT)

    name = "tokenizer" if step <= 3 else "prior"
    with pytest.raises(
        KeyboardInterrupt, match=rf"stopped at step {step} of {3 if step <= 3 else 12} \({name}\); go on"
    ):
        learn(tmp_path, report=press)
    assert (tmp_path / "state" / "first-1.safetensors").exists() == (step > 3)
    events = []
    train(rows(), out=tmp_path, resume=True, report=events.append)
    assert largest_difference(whole[0], tmp_path) == 0.0
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [event["step"] for event in of(logged, "step")] == [*range(1, 13)]
    assert json.loads((tmp_path / "figures.json").read_text()) == json.loads((whole[0] / "figures.json").read_text())
    assert of(events, "done")[0]["can"] == ["draw", "reconstruct"]


def test_killed_in_the_second_stage_before_its_first_state(tmp_path, whole, monkeypatch):
    """The model directory already holds a model of the second stage; it begins with that of the first all the same."""

    class Killed(BaseException):
        pass

    def die(event):
        if event["kind"] == "evaluation" and event["stage"] == "prior":
            raise Killed

    with pytest.raises(Killed):
        learn(tmp_path, report=die)
    assert newest_state(tmp_path).plain["stage"] == 0
    assert not equal(kept(tmp_path), kept(tmp_path, "state/first-1.safetensors"))
    train(rows(), out=tmp_path, resume=True)
    assert largest_difference(whole[0], tmp_path) == 0.0


def test_a_finished_run_that_is_resumed_does_nothing(tmp_path, whole):
    out = tmp_path / "copy"
    shutil.copytree(whole[0], out)
    events = []
    train(rows(), out=out, resume=True, report=events.append)
    assert [event["kind"] for event in events if event["kind"] != "cache"] == ["done"]
    assert largest_difference(whole[0], out) == 0.0


def test_a_model_that_was_stopped_in_the_first_stage_says_what_it_can(tmp_path):
    def press(event):
        if event["kind"] == "evaluation":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path, report=press)
    model = tuwen.load(tmp_path)
    assert model.can() == ["reconstruct"] and model.recipe.reached == "tokenizer"
    assert "draw" not in (tmp_path / "card.md").read_text().split("## Parts")[0]


def test_a_run_may_start_from_such_a_model(tmp_path, whole):
    events = learn(tmp_path, start_from=whole[0], steps=4)
    first = of(events, "evaluation")[0]
    assert (first["stage"], first["step"]) == ("tokenizer", 0)
    assert first["figures"]["mse"] == pytest.approx(of(whole[1], "stage")[0]["figures"]["mse"], rel=1e-3)


# -- what cannot work --------------------------------------------------------------------------------------------------


def test_a_metric_of_a_later_stage_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(ConfigError, match="train.metric is 'mse'; the evaluation gives: loss, codes"):
        learn(tmp_path, "stages.prior.metric=mse")
    assert not (tmp_path / "state").exists()


def test_rows_that_a_later_stage_cannot_use_are_said_before_the_first_step(tmp_path):
    """The only row with a text has a picture that ends too early."""
    data = [{"image": row["image"]} for row in rows(8)]
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(buffer, "PNG")
    data.append({"image": buffer.getvalue()[:3000], "text": ["a red picture"]})
    with pytest.raises(
        DataError, match=r"no training row that can be read has what a stage .* from \(text -> image@codes\)"
    ):
        learn(tmp_path, "data.val=0", "data.on_error=skip", data=data)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        (
            {"parts": ("decode.imag",)},
            r"stages.one.parts names 'decode.imag'. Did you mean 'decode.image'.* The recipe has: ",
        ),
        ({"objectives": ("codez",)}, r"stages.one.objectives names 'codez'. Did you mean 'codes'\?"),
        ({"routes": ("paint",)}, r"stages.one.routes names 'paint'.* The recipe has: reconstruct, draw"),
        ({"share": -1.0}, "stages.one: share is -1.0, steps 0; share is above 0, or 0 where the stage is passed over"),
        (
            {"share": 0.0},
            "stages.one: share is 0.0, steps 0; share is above 0, or 0 where .* another is not; steps are",
        ),
    ],
)
def test_a_stage_that_cannot_be(tmp_path, stage, text):
    one = replace(Stage(name="one", parts=(), objectives=(), routes=()), **stage)
    with pytest.raises(ConfigError, match=text):
        learn(tmp_path, recipe=replace(codes.recipe(), stages=(one,)))


def test_settings_of_stages(tmp_path):
    recipe = codes.recipe()
    assert recipe.with_setting("stages.prior.steps=1e3").stages[1].steps == 1000
    assert recipe.with_setting("decode.image@codes.width=64").decode["image@codes"].width == 64
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    for setting, text in (
        (
            "stages.piror.steps=3",
            r"recipe 'gpt-vqvae' has no stage 'piror'. Did you mean 'prior'\? It has: tokenizer, prior",
        ),
        ("stages.prior.stesp=3", "stages.prior has no field 'stesp'; did you mean 'steps'"),
        ("stages.prior=3", "'stages.prior' cannot be set.* Settings begin with: .*, stages"),
        ("decode.image@code.width=3", "decode of recipe 'gpt-vqvae' has no 'image@code'. Did you mean 'image@codes'"),
    ):
        with pytest.raises(ConfigError, match=text):
            recipe.with_setting(setting)
    with pytest.raises(ConfigError, match="has no stage 'prior'. It learns everything at once"):
        replace(recipe, stages=()).with_setting("stages.prior.steps=3")
