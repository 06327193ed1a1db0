"""A flow that learns to draw in few steps, without guidance, what it drew in many with it: from pairs that it made itself."""

import functools
import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import codes, drawing, eight, latents
from tests.tiny import largest_difference

import tuwen
from tuwen.data._files import cache_folder
from tuwen.directory import save
from tuwen.errors import ConfigError
from tuwen.model import CrossModal
from tuwen.objective import distillation
from tuwen.recipe import Stage
from tuwen.task import draw
from tuwen.train import feed
from tuwen.train.feed import cut
from tuwen.train.loop import Run, train
from tuwen.train.setup import Setup

PARTS = ("encode.text", "decode.image")
FAST = ("train.batch=16", "train.evaluations=1", "train.precision=float32", "train.threads=1", "train.ema=0.9")
ONLY = "stages.flow.share=0"
"""From a model that draws already."""


def recipe(**settings):
    """The tiny flow and a second stage."""
    first = drawing.flow_recipe()
    return replace(
        first,
        name="flow-distilled",
        objective={**first.objective, "distillation": distillation.Config(**settings)},
        stages=(
            Stage(name="flow", parts=PARTS, objectives=("flow",), routes=("draw",)),
            Stage(name="distil", parts=PARTS, objectives=("distillation",), routes=("draw",)),
        ),
    )


def rows():
    found = [{name: one.fields[name] for name in ("image", "text")} for one in eight.samples()]
    return [{**one, "split": split} for split in ("train", "val") for one in found]


def learn(out, *settings, steps=100, start_from=None, data=None, **more):
    events = []
    heard = more.pop("report", lambda event: None)

    def report(event):
        events.append(event)
        heard(event)

    settings = (*FAST, *settings, *([ONLY] if start_from else []))
    train(data or rows(), out=out, settings=settings, steps=steps, start_from=start_from or "", report=report, **more)
    return events


def of(events, kind):
    return [event for event in events if event["kind"] == kind]


def drawn(model, texts=("a light picture", "a dark picture"), seeds=range(1001, 1013), **options):
    """Pictures of these texts with noise that none has learned."""
    asked = [draw.Request(text=text, seed=seed, **options) for text in texts for seed in seeds]
    return np.stack([answer.pictures[0] for answer in draw.run(model, asked)]) / 255


def apart(one, other):
    """Mean squared distance of a pixel."""
    return float(np.square(one - other).mean())


@functools.cache
def ambiguous():
    """A flow that draws one of four colours of each of two texts: which, its noise decides."""
    light = ("orange", "yellow", "green", "white")
    texts = {one.key: f"a {'light' if one.key in light else 'dark'} picture" for one in eight.samples()}
    known = [replace(one, fields={**one.fields, "text": [texts[one.key]]}) for one in eight.samples()]
    return eight.learn(CrossModal.create(drawing.flow_recipe(), known), 200, known), known


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """Its folder, and what it draws."""
    folder = tmp_path_factory.mktemp("models") / "teacher"
    save(ambiguous()[0], folder)
    return folder, drawn(ambiguous()[0])


def taught(out, teacher, **settings):
    """A model that has learned from pairs, with the rows of the teacher."""
    known = [{**one.fields, "split": split} for split in ("train", "val") for one in ambiguous()[1]]
    learn(out, data=known, start_from=teacher[0], recipe=recipe(pictures=192, **settings), steps=260)
    return tuwen.load(out)


# -- what is learned ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_draws_in_few_steps_what_it_drew_in_many(tmp_path, teacher):
    """Of new noise; the same steps without guidance are three times as far before, and other noise twelve times."""
    before, after = ambiguous()[0], taught(tmp_path, teacher)
    for steps in (4, 2):
        undistilled = drawn(before, steps=steps, method="euler", guidance=1.0)
        assert apart(drawn(after, steps=steps), teacher[1]) < apart(undistilled, teacher[1]) / 3


@pytest.mark.slow
def test_with_the_noise_of_other_pictures_it_only_gets_worse(tmp_path, teacher, monkeypatch):
    """It draws the mean of what a text may mean; without guidance, which makes pictures of a text alike."""
    own = feed.seed_of
    monkeypatch.setattr(feed, "seed_of", lambda key: own(f"another {key}"))
    before, after = ambiguous()[0], taught(tmp_path, teacher, guidance=1.0)
    wanted = drawn(before, guidance=1.0)
    undistilled = drawn(before, steps=4, method="euler", guidance=1.0)
    assert apart(drawn(after), wanted) > apart(undistilled, wanted), (
        apart(drawn(after), wanted),
        apart(undistilled, wanted),
    )


def test_pairs_are_what_tuwen_draw_draws(tmp_path):
    """Each row has one of its texts; its noise is that of its seed, and its picture what is drawn of both."""
    settings = (*FAST, ONLY, f"train.start_from={drawing.flow_directory()}", "data.captions=longest_first")
    run = Run(Setup(rows(), tmp_path, recipe(guidance=2.0, steps=3), settings), 1)
    run.setup.begin()
    run.begin()
    assert run.sources.plan.captions == "one", "a text of which words are lost would not be the one that was drawn"
    batch = run.sources.learned.batch([(row, 0) for row in range(8)])
    asked = [
        draw.Request(text=sample.fields["text"][0], seed=seed, guidance=2.0, steps=3)
        for sample, seed in zip(batch.raw, batch.targets["image"].seed_P.tolist(), strict=True)
    ]
    assert {one.text.split()[0] for one in asked} == {"a", "this"} and len({one.seed for one in asked}) == 8
    made = torch.stack([torch.from_numpy(one.pictures[0]).permute(2, 0, 1) for one in draw.run(drawing.flow(), asked)])
    assert (made.int() - batch.targets["image"].data.int()).abs().max() <= 1
    decoder = run.model.decoders["image"].train()
    latent = run.model(batch, {"read": replace(run.recipe.routes["draw"], make=None, how="embed")}).latents["text"]
    decoded = decoder(latent, batch.targets["image"])
    noise = decoder.end(batch.targets["image"].data) - decoded.target
    torch.testing.assert_close(noise, decoder.noise_of([one.seed for one in asked]))
    parts = cut(batch, 2)
    assert [part.targets["image"].seed_P.tolist() for part in parts] == [
        [one.seed for one in asked[:4]],
        [one.seed for one in asked[4:]],
    ]


def test_pairs_of_a_flow_of_latents_are_the_latents_that_it_draws(tmp_path):
    """Those of the pictures, which other stages learn from, are not made beside them."""
    save(latents.model(), tmp_path / "teacher")
    first, last = latents.recipe(), Stage(
        name="distil", parts=latents.FLOW, objectives=("distillation",), routes=("draw",)
    )  # fmt: skip
    whole = replace(
        first,
        objective={**first.objective, "distillation": distillation.Config(guidance=2.0, steps=3)},
        stages=(*first.stages, last),
    )
    only = ("stages.autoencoder.share=0", ONLY, f"train.start_from={tmp_path / 'teacher'}")
    run = Run(Setup(rows(), tmp_path / "out", whole, (*FAST, *only)), 2)
    run.setup.begin()
    run.begin()
    batch = run.sources.learned.batch([(row, 0) for row in range(8)])
    assert set(batch.inputs) == {"text"} and set(batch.targets) == {"image@latent"}
    target, decoder = batch.targets["image@latent"], run.model.decoders["image@latent"]
    latent = decoder.turned_back(decoder.end(target.data), None)
    shown = run.model.decoders["image"].pictures(run.model.decoders["image"].make(latent))
    for sample, seed, picture in zip(batch.raw, target.seed_P.tolist(), shown, strict=True):
        [drawn] = latents.model().draw(sample.fields["text"][0], seed=seed, guidance=2.0, steps=3).pictures
        assert np.abs(drawn.astype(int) - picture.astype(int)).max() <= 2


def test_moments_of_pairs_are_more_often_at_the_ends():
    decoder = drawing.flow().decoders["image"]
    t_P = decoder._moments(1000, torch.Generator().manual_seed(0), torch.device("cpu"), ends=True)
    share = ((t_P < 0.1) | (t_P > 0.9)).float().mean().item()
    assert share == pytest.approx(2 / np.pi * 2 * np.arcsin(0.1**0.5), abs=0.01)  # even: 0.2


# -- how it is drawn ---------------------------------------------------------------------------------------------------


def steps_of(model, **options):
    told = []
    draw.run(model, [draw.Request(text="a red picture", **options)], emit=lambda number, text: told.append(text))
    return told[-1]


def test_a_distilled_model_draws_in_few_steps_unless_told_otherwise():
    model, plain = drawing.distilled(few=3), drawing.flow()
    assert steps_of(model) == "step 3 of 3" and steps_of(model, steps=5) == "step 5 of 5"
    assert steps_of(model, method="heun") == "step 3 of 3" and steps_of(plain) == "step 20 of 20"
    one = drawn(model, ("a red picture",), (1,))
    np.testing.assert_array_equal(one, drawn(plain, ("a red picture",), (1,), method="euler", steps=3, guidance=1.0))
    assert not np.array_equal(one, drawn(model, ("a red picture",), (1,), guidance=3.0))
    empty, as_plain = (m.draw("", like=np.zeros((8, 8, 3), np.uint8), method="euler", steps=3) for m in (model, plain))
    np.testing.assert_array_equal(empty.pictures[0], as_plain.pictures[0])  # without a text nothing is to be closer to


def test_without_needs_guidance():
    model = drawing.distilled(few=3)
    with pytest.raises(
        ConfigError, match="and it is 1, and this model has learned to draw so; set a larger one, .*guidance=2"
    ):
        model.draw("a red picture", without="a blue picture")
    led = model.draw("a red picture", without="a blue picture", guidance=2.0)
    assert not np.array_equal(led.pictures[0], model.draw("a red picture").pictures[0])


def test_before_the_stage_it_draws_as_any_other():
    model = drawing.distilled(few=3, reached="flow")
    assert steps_of(model) == "step 20 of 20"


# -- both stages, stopping and going on --------------------------------------------------------------------------------


def test_both_stages_in_one_run(tmp_path):
    """From scratch: the first draws in 20 steps, the second in few; what is kept says so."""
    events = learn(tmp_path, steps=4, recipe=recipe(pictures=8, steps=2, few=3))
    assert [(event["stage"], event["step"]) for event in of(events, "step")] == [
        *(("flow", step) for step in (1, 2)),
        *(("distil", step) for step in (3, 4)),
    ]
    (told,) = [event for event in of(events, "cache") if event["field"] == "drawn"]
    assert (told["stage"], told["done"], told["of"]) == ("distil", 16, 16)  # those of the validation part too
    assert steps_of(tuwen.load(tmp_path)) == "step 3 of 3"


SHORT = {"steps": 6, "recipe": recipe(pictures=8, steps=2)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache):
    out = tmp_path_factory.mktemp("runs") / "whole"
    learn(out, start_from=drawing.flow_directory(), **SHORT)
    return out


@pytest.mark.parametrize("kind", ["cache", "step"], ids=["drawing", "learning"])
@pytest.mark.parametrize("start", [True, False], ids=["from a model", "from scratch"])
def test_ctrl_c_and_resume_goes_on_exactly(tmp_path, whole, monkeypatch, kind, start):
    monkeypatch.setenv("TUWEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tuwen.train.pairs._ROWS", 5)
    begun = {"start_from": drawing.flow_directory()} if start else {}
    if not start:
        learn(tmp_path / "whole", **SHORT)
        shutil.rmtree(tmp_path / "cache")

    def press(event):
        drawing_now = event["kind"] == "cache" and event["field"] == "drawn" and event["done"] == 10
        learning_now = event["kind"] == "step" and event.get("stage") == "distil"
        if {"cache": drawing_now, "step": learning_now}[kind]:
            os.kill(os.getpid(), signal.SIGINT)

    text = (
        r"stopped when 10 of 16 pictures .* \(distil\); go on with" if kind == "cache" else r"stopped at step . of 6 "
    )
    with pytest.raises(KeyboardInterrupt, match=text):
        learn(tmp_path / "out", report=press, **begun, **SHORT)
    if kind == "step":
        shutil.rmtree(tmp_path / "cache")  # made again, by the model that made them first
    events = []
    train(rows(), out=tmp_path / "out", resume=True, report=events.append)
    done = [event["done"] for event in of(events, "cache") if event["field"] == "drawn"]
    assert done == ([5, 6] if kind == "cache" else [5, 10, 15, 16])
    assert largest_difference(whole if start else tmp_path / "whole", tmp_path / "out") == 0.0


def test_another_run_finds_what_was_drawn(tmp_path, whole):
    events = learn(tmp_path, start_from=drawing.flow_directory(), **SHORT)
    assert not [event for event in of(events, "cache") if event["field"] == "drawn"]
    assert largest_difference(whole, tmp_path) == 0.0
    assert list(cache_folder("").glob("image-drawn-*.bin"))
    assert json.loads((tmp_path / "figures.json").read_text())["distillation"] > 0


# -- what cannot be ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "settings", "text"),
    [
        (recipe(few=0), (), "objective.distillation: steps is 20, few 0, .* steps and few are 1 or more"),
        (recipe(route="paint"), (), "learns to draw along a flow in fewer steps, and the route 'paint' does not; take"),
        (
            recipe(),
            (ONLY,),
            "stages.flow.share is 0, so it is passed over; that can be where .*: --start-from MODEL",
        ),
        (
            recipe(),
            ("stages.distil.share=0", "train.start_from=model"),
            "stages.distil.share is 0, .* where no stage before it learns",
        ),
        (
            replace(
                recipe(),
                stages=recipe().stages[1:],
                objective={"distillation": recipe().objective["distillation"]},
            ),
            (),
            "nothing was learned before: name a model that draws, with",
        ),
    ],
)
def test_what_cannot_be(tmp_path, made, settings, text):
    with pytest.raises(ConfigError, match=text):
        learn(tmp_path, *settings, recipe=made, steps=2)


def test_a_stage_of_any_recipe_may_be_passed_over(tmp_path):
    """A tokenizer that was learned before is taken as it is."""
    data = [{**one, "image": np.repeat(np.repeat(one["image"][:16, :16], 1, 0), 1, 1)} for one in rows()]
    first = tmp_path / "first"
    train(data, out=first, recipe=codes.recipe(), settings=FAST, steps=4)
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "figures.json").write_text('{"of_an_older_model": 1.0}')
    events = []
    train(
        data, out=tmp_path / "next", recipe=codes.recipe(), settings=(*FAST, "stages.tokenizer.share=0"), steps=3,
        start_from=first, report=events.append,
    )  # fmt: skip
    assert {event["stage"] for event in of(events, "step")} == {"prior"} and len(of(events, "step")) == 3
    assert "of_an_older_model" not in json.loads((tmp_path / "next" / "figures.json").read_text())
    one, other = (tuwen.load(folder).decoders["image"].state_dict() for folder in (first, tmp_path / "next"))
    assert all(torch.equal(one[name], other[name]) for name in one)
