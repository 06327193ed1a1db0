"""A run goes on from what another model learned: its recipe, its words, its weights; and learns by reward from there."""

import json
import os
import signal

import pytest
import torch
from PIL import Image
from tests.tiny import SETTINGS, largest_difference, rows

import tuwen
from tuwen import cli
from tuwen._tensors import read_tensors
from tuwen.errors import CheckpointError, ConfigError
from tuwen.recipe import Recipe
from tuwen.train.loop import train
from tuwen.train.start import recipe_to_start_with

WHOLE = ("data.val=0", "data.test=0")


def short(count):
    return [{**row, "text": [" ".join(text.split()[:3]) for text in row["text"]]} for row in rows(count)]


def same_weights(one, other, *prefixes):
    """Whether all that training moves is the same; what batch norms have seen is not looked at."""
    kept, own = (read_tensors(path / "weights.safetensors")[0] for path in (one, other))
    names = [
        name for name in kept if name.startswith(prefixes or ("",)) and "running" not in name and "num_b" not in name
    ]
    assert len(names) > 10
    return all(torch.equal(kept[name], own[name]) for name in names)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A model of eight pictures and captions of three words that has learned a little."""
    out = tmp_path_factory.mktemp("runs") / "source"
    fast = ("train.metric=loss", "train.lr=1e-2", "train.ema=0.9", "train.evaluations=1", "data.captions=all", *WHOLE)
    train(
        short(8),
        out=out,
        recipe="cnn-transformer",
        settings=(*SETTINGS["cnn-transformer"], "decode.text.tokenizer=word", *fast),
        steps=60,
    )
    return out


def learn(source, out, *settings, data=None, **more):
    events = []
    more = {"steps": 4, "start_from": source, **more}
    train(data or short(8), out=out, settings=settings, report=events.append, **more)
    return events


def evaluations(events):
    return [event for event in events if event["kind"] == "evaluation"]


def test_it_begins_with_the_weights_and_words_and_recipe_of_the_other(source, tmp_path):
    events = learn(source, tmp_path / "more", "train.lr=0", data=short(12))
    before, after = (json.loads((path / "recipe.json").read_text()) for path in (source, tmp_path / "more"))
    assert (after["train"]["start_from"], after["train"]["steps"], after["train"]["lr"]) == (str(source), 4, 0.0)
    known, more = (json.loads((path / "data.json").read_text()) for path in (source, tmp_path / "more"))
    counted = [learned["decode.text"].pop("consensus") for learned in (known, more)]
    assert more == known and counted[0] != counted[1], "how rare words are is counted in what is learned from now"
    assert before["decode"] == after["decode"] and after["data"]["captions"] == "all"
    assert same_weights(source, tmp_path / "more")
    assert evaluations(events)[0]["step"] == 0


def test_steps_and_time_of_the_other_run_are_not_taken(source):
    assert Recipe.from_dict(json.loads((source / "recipe.json").read_text())).train.steps == 60
    assert recipe_to_start_with([f"train.start_from={source}"]).train.steps == 0
    assert recipe_to_start_with(["train.lr=1"]) is None


def test_a_run_that_only_makes_it_worse_keeps_what_it_began_with(source, tmp_path):
    data = [*short(8), *({**row, "split": "val"} for row in short(8))]
    events = learn(source, tmp_path, "train.lr=0.5", data=data)
    assert next(event["best"] for event in evaluations(events)) is True
    assert events[-1]["best_step"] == 0
    assert same_weights(source, tmp_path)


def test_parts_of_another_kind_begin_anew(source, tmp_path):
    learn(source, tmp_path, "decode.text=text_rnn", "decode.text.width=16", "decode.text.embed=16", "train.lr=0")
    assert same_weights(source, tmp_path, "encoders", "spaces")


def test_what_does_not_fit_is_said(source, tmp_path):
    with pytest.raises(
        ConfigError,
        match="does not fit the recipe: decoders.text.* is .* there and .* here. Take its settings, "
        r"--set decode.text.width=\d+, if you want this recipe. Leave -r",
    ):
        learn(source, tmp_path / "a", "decode.text.width=32")
    for setting, kept in (("decode.text.tokenizer=bpe", "word"), ("decode.text.vocabulary=200", r"\d+")):
        place, _, asked = setting.partition("=")
        said = f"{place} is {kept} there and {asked} here, and its words are kept. Set {place}={kept}, or leave -r out."
        with pytest.raises(ConfigError, match=f"does not fit the recipe: {said}"):
            learn(source, tmp_path / "w", setting)
    with pytest.raises(ConfigError, match=r"\(recipe 'cnn-transformer'\) has no part in common with recipe 'dual-enc"):
        learn(source, tmp_path / "b", "encode.image=image_vit", "space.image=bottleneck", recipe="dual-encoder")
    with pytest.raises(
        ConfigError, match="train.start_from is .*, which the run writes; name another directory with -o"
    ):
        learn(source, source)
    with pytest.raises(CheckpointError, match="there is no model directory .*nothing"):
        learn(tmp_path / "nothing", tmp_path / "c")


def test_other_classes_begin_anew_and_that_is_said(tmp_path):
    """The rest of the model is taken over; classes that are all known keep their head."""

    def of(*names):
        return [{"image": row["image"], "label": names[i % len(names)]} for i, row in enumerate(rows(8))]

    fast = (*WHOLE, "train.metric=loss", "train.evaluations=1", "train.ema=0", "train.optimiser=adamw", "train.lr=0")
    settings = ("encode.image=image_cnn", "encode.image.widths=8,8", *fast)
    train(of("cat", "dog", "bird"), out=tmp_path / "old", recipe="classifier", settings=settings, steps=2)
    for names, told in ((("dog", "cow"), True), (("bird", "dog"), False)):
        events, out = [], tmp_path / "-".join(names)
        train(of(*names), out=out, settings=fast, start_from=tmp_path / "old", steps=2, report=events.append)
        said = [event["text"] for event in events if event["kind"] == "warning" and "classes" in event["text"]]
        wanted = f"{tmp_path / 'old'} does not know all classes of the data (cow); decode.label begins anew"
        assert said == ([wanted] if told else [])
        classes = json.loads((out / "data.json").read_text("utf-8"))["decode.label"]["classes"]
        assert classes == (["cow", "dog"] if told else ["bird", "cat", "dog"])
        assert same_weights(tmp_path / "old", out, "encoders.")


def test_learning_by_reward_from_the_command_line(source, tmp_path):
    """The caption objective is exchanged; a killed run ends the same, with everything that is drawn at random."""
    table, data = tmp_path / "data.json", short(8)
    for i, row in enumerate(data):
        Image.fromarray(row["image"]).save(tmp_path / f"{i}.png")
    table.write_text(json.dumps([{"image": f"{i}.png", "text": row["text"]} for i, row in enumerate(data)]))
    settings = ["objective.caption=self_critical", "train.metric=cider", "data.val=0.25", "train.lr=1e-3"]
    sets = [word for setting in settings for word in ("--set", setting)]
    asked = ["train", str(table), "--start-from", str(source), "--steps", "5", *sets]
    assert cli.main([*asked, "-o", str(tmp_path / "whole")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text("utf-8").splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert len(steps) == 5 and all({"self_critical", "reward", "loss"} <= step.keys() for step in steps)
    assert all(step["reward"] > 0 for step in steps)
    assert tuwen.load(tmp_path / "whole").can() == ["caption"]

    def stop(event):
        if event["kind"] == "step" and event["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(table, out=tmp_path / "cut", settings=settings, steps=5, start_from=source, report=stop)
    train("", out=tmp_path / "cut", resume=True)
    assert largest_difference(tmp_path / "whole", tmp_path / "cut") == 0.0
