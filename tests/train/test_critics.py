"""A critic learns beside the model: its own steps, its state, and a run that goes on exactly; collapse is said, not kept."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from tests import eight
from tests.tiny import SETTINGS, largest_difference
from torch import nn

import tuwen
from tuwen._tensors import read_tensors
from tuwen.directory import save
from tuwen.errors import ConfigError
from tuwen.evaluation import Evaluation
from tuwen.recipe import Train
from tuwen.train import loop
from tuwen.train.checkpoint import newest_state
from tuwen.train.critics import Critics
from tuwen.train.looks import Looks
from tuwen.train.loop import train
from tuwen.types import Batch, Made, Terms

WHOLE = ("data.val=0", "data.test=0")


def learn(out, *settings, data="scenes:0:48", recipe="text-gan", report=None, **more):
    """A short run; gives its events."""
    events = []

    def heard(event):
        events.append(event)
        if report:
            report(event)

    settings = () if more.get("resume") else (*SETTINGS[recipe], *settings)
    train(data, out=out, recipe=recipe, settings=settings, report=heard, **{"steps": 12, **more})
    return events


def of(events, kind):
    return [event for event in events if event["kind"] == kind]


def critic_of(folder):
    return {name: tensor for name, tensor in newest_state(folder).tensors.items() if name.startswith("critic.")}


# -- steps and state ---------------------------------------------------------------------------------------------------


class Line(nn.Module):
    """An objective whose own weight wants to be 3."""

    def __init__(self):
        super().__init__()
        self.config = type("Config", (), {"lr": 0.1, "betas": (0.0, 0.99)})

    def begin(self, made):
        self.weight = nn.Parameter(torch.tensor(1.0))

    def against(self, made, batch):
        return Terms({"line": (self.weight - 3) ** 2}, {"weight": self.weight * 1}) if batch.keys else Terms()

    def forward(self, made, batch):
        return Terms({"model": self.weight.detach()})


def lines():
    return Critics({"line": Line(), "other": lambda made, batch: Terms()}, Made)


def test_each_makes_a_step_of_its_own_before_the_model_does():
    critics = lines()
    critics.set_lr(0, 10, Train(warmup=0.5))
    terms = critics.learn(Made(), Batch(["a"], {}))
    assert (terms.values, {name: float(value) for name, value in terms.reports.items()}) == (
        {},
        {"line": 4, "weight": 1},
    )
    weight = critics.critics["line"].weight
    assert weight.item() == pytest.approx(1 + 0.1 / 5), (
        "the first of five steps of warm-up; Adam's first is as long as its rate"
    )
    assert weight.grad is None and not any(value.requires_grad for value in terms.reports.values())


def test_nothing_to_learn_is_no_step():
    critics = lines()
    assert critics.learn(Made(), Batch([], {})) == Terms()
    assert critics.critics["line"].weight.item() == 1


def test_a_restored_one_goes_on_as_the_other_would():
    one, other = lines(), lines()
    for _ in range(3):
        one.learn(Made(), Batch(["a"], {}))
    tensors = {name: tensor.clone() for name, tensor in one.tensors().items()}
    assert {"critic.line.weight", "critic.line.optimiser.exp_avg_sq.weight"} <= tensors.keys()
    other.restore(tensors)
    for critics in (one, other):
        critics.learn(Made(), Batch(["a"], {}))
    assert one.tensors().keys() == other.tensors().keys()
    assert all(torch.equal(tensor, other.tensors()[name]) for name, tensor in one.tensors().items())


def test_without_critics_nothing_is_asked_or_stored():
    critics = Critics({"plain": lambda made, batch: Terms()}, lambda: pytest.fail("asked"))
    assert critics.tensors() == {} and critics.learn(Made(), Batch(["a"], {})) == Terms()


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more", [(), ("objective.adversarial.steady=spectral", "objective.adversarial.loss=hinge")], ids=["r1", "spectral"]
)
def test_ctrl_c_saves_and_resume_goes_on_exactly(tmp_path, more):
    """With all that is drawn at random: noise, and how pictures are changed; and between two steps with a penalty."""

    def press(event):
        if event["kind"] == "step" and event["step"] == 5:
            os.kill(os.getpid(), signal.SIGINT)

    learn(tmp_path / "whole", *more)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "stopped", *more, report=press)
    learn(tmp_path / "stopped", data="", resume=True)
    assert len(critic_of(tmp_path / "whole")) > 20
    assert largest_difference(tmp_path / "whole", tmp_path / "stopped") == 0.0


def test_the_critic_is_not_in_the_model_directory_and_its_terms_are_in_the_log(tmp_path):
    events = learn(tmp_path)
    assert not any("critic" in name for name in read_tensors(tmp_path / "weights.safetensors")[0])
    step = of(events, "step")[-1]
    assert {"adversarial", "critic", "critic_real", "critic_drawn", "critic_wrong"} <= step.keys()
    assert step["loss"] == step["adversarial"], "what the critic minimises is no part of the model's loss"
    assert 0 <= of(events, "evaluation")[-1]["figures"]["critic_right"] <= 1
    model = tuwen.load(tmp_path)
    assert "draw" in model.can() and len(model.draw("a red circle", num=2).pictures) == 2


def test_neither_the_estimate_nor_a_look_changes_what_is_learned(tmp_path, monkeypatch):
    learn(tmp_path / "a", "train.evaluations=1")
    learn(tmp_path / "b", "train.evaluations=4")
    monkeypatch.setattr(loop, "estimate", lambda run, steps: {})
    learn(tmp_path / "c", "train.evaluations=1")
    first = critic_of(tmp_path / "a")
    for other in ("b", "c"):
        assert all(torch.equal(tensor, first[name]) for name, tensor in critic_of(tmp_path / other).items())


def test_a_guide_that_is_missing_is_said_before_the_first_step(tmp_path):
    with pytest.raises(ConfigError, match="--set objective.clip_guidance.source=MATCHES names it"):
        learn(tmp_path, recipe="clip-gan")
    assert not (tmp_path / "state").exists()


def test_clip_gan_has_both_terms(tmp_path):
    data = [{"image": one.fields["image"], "text": one.fields["text"], "split": "train"} for one in eight.samples()]
    source = eight.directory(captions=False)
    events = learn(tmp_path, f"objective.clip_guidance.source={source}", *WHOLE, data=data, recipe="clip-gan", steps=3)
    step = of(events, "step")[-1]
    assert step["loss"] == pytest.approx(step["adversarial"] + 2 * step["clip_guidance"], abs=1e-4)
    assert 0 < step["clip_guidance"] < 2
    assert not any("guid" in name for name in read_tensors(tmp_path / "weights.safetensors")[0])


# -- collapse ----------------------------------------------------------------------------------------------------------


def looks(monkeypatch, *found):
    """A run whose looks give these figures: before the first step, then one after the other."""
    figures, less = iter([found[0], *found]), frozenset({"drawn_distance"})
    monkeypatch.setattr(Looks, "judge", lambda looks, rows=0: Evaluation(figures=next(figures), less=less))


def test_what_has_collapsed_is_kept_only_until_something_has_not(tmp_path, monkeypatch):
    names = ("drawn_distance", "drawn_spread")
    found = [dict(zip(names, pair, strict=True)) for pair in ((0.5, 0.1), (0.9, 0.8), (0.1, 0.05), (0.7, 0.7))]
    looks(monkeypatch, *found)
    events = learn(tmp_path, "train.evaluations=4")
    assert [event["best"] for event in of(events, "evaluation")] == [True, True, False, True]
    assert json.loads((tmp_path / "figures.json").read_text()) == found[3]
    said = [event["text"] for event in of(events, "warning")]
    assert [text.split(" are ")[1][:4] for text in said] == ["10% ", "5% a"] and all(
        "collapse: " in text for text in said
    )


def test_a_run_that_has_collapsed_throughout_keeps_the_nearest_and_says_so(tmp_path, monkeypatch):
    found = [{"drawn_distance": distance, "drawn_spread": 0.1} for distance in (0.5, 0.3, 0.4)]
    looks(monkeypatch, *found)
    events = learn(tmp_path, "train.evaluations=3")
    assert json.loads((tmp_path / "figures.json").read_text()) == found[1]
    last = of(events, "warning")[-1]["text"]
    assert last.startswith("the model that is kept has collapsed, as all of this run have: ")


# -- a run that is made to collapse ------------------------------------------------------------------------------------


def squares(num, split, seed):
    """Squares of eight colours, each somewhere else on grey."""
    random, found = np.random.default_rng(seed), []
    for place in range(num):
        name, rgb = list(eight.COLOURS.items())[place % 8]
        pixels, (top, left) = np.full((16, 16, 3), 128, np.uint8), random.integers(0, 9, 2)
        pixels[top : top + 8, left : left + 8] = rgb
        found.append({"image": pixels, "text": [f"a {name} square"], "split": split})
    return found


FAST = (
    "train.ema=0.9",
    "decode.image.widths=32",
    "train.lr=3e-3",
    "objective.adversarial.changes=",
    "train.evaluations=5",
)


@pytest.mark.slow
def test_a_run_that_is_made_to_collapse_says_so_and_does_not_replace_what_has_not(tmp_path):
    """A critic that moves a thousand times too far teaches nothing; one that moves as it should, on the same data, does; and a model
    that can draw is not replaced by one that has collapsed."""
    data = squares(128, "train", 0) + squares(64, "val", 1)
    well = learn(tmp_path / "well", *FAST, "objective.adversarial.lr=3e-3", data=data, steps=240)
    last = of(well, "evaluation")[-1]["figures"]
    assert last["drawn_spread"] > 0.5 and min(last["text_spread"], last["noise_spread"]) > 0.2, "one picture of all: 0"
    assert last["drawn_distance"] < 0.3
    assert not any("collapse" in event["text"] for event in of(well, "warning") if event.get("step", 0) > 100)

    ill = learn(tmp_path / "ill", *FAST, "objective.adversarial.lr=3", data=data, steps=100)
    last = of(ill, "evaluation")[-1]["figures"]
    assert last["drawn_spread"] < 0.4 and last["text_spread"] < 0.1
    said = [event["text"] for event in of(ill, "warning")]
    assert said[-1].startswith("the model that is kept has collapsed, as all of this run have: collapse: ")

    events = learn(
        tmp_path / "worse", *FAST, "objective.adversarial.lr=3", "train.lr=0.1", f"train.start_from={tmp_path / 'well'}",
        data=data, steps=100,
    )  # fmt: skip
    assert "collapse" in of(events, "warning")[-1]["text"] and of(events, "done")[0]["best_step"] == 0
    kept, before = (read_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("worse", "well"))
    assert all(torch.equal(kept[name], tensor) for name, tensor in before.items() if name.endswith("weight"))


# -- pictures that are made again --------------------------------------------------------------------------------------

TOKENIZER = (
    "train.threads=1", "train.precision=float32", "train.device=cpu", "train.batch=8", "train.evaluations=2",
    "encode.image.size=16", "encode.image.stem=8", "encode.image.widths=8,8", "encode.image.blocks=0,0",
    "space.image.codes=16", "space.image.inner=4", "decode.image.side=16", "decode.image.widths=8,8", "decode.image.blocks=0",
)  # fmt: skip
PATCHES = (
    "objective.adversarial=adversarial", "objective.adversarial.route=reconstruct", "objective.adversarial.patches=true",
    "objective.adversarial.begin=0.5", "objective.adversarial.widths=8,16", "weight.adversarial=0.1",
)  # fmt: skip


def perceptual(path):
    """Settings of the other term; its network is made at this place."""
    save(eight.classifier(), path)
    return "objective.perceptual=perceptual", f"objective.perceptual.source={path}", "weight.perceptual=0.5"


def rows():
    return [{"image": one.fields["image"], "text": one.fields["text"], "split": split} for split in ("train", "val") for one in eight.samples(16)]  # fmt: skip


def test_a_tokenizer_learns_from_both_terms_and_a_critic_that_begins_late(tmp_path):
    sees = perceptual(tmp_path / "sees")
    model = tmp_path / "model"
    events = []
    train(
        rows(), out=model, recipe="vqvae", settings=(*TOKENIZER, *PATCHES, *sees, "train.metric=perceptual"), steps=6,
        report=events.append,
    )  # fmt: skip
    steps = of(events, "step")
    assert [("adversarial" in step, "critic" in step) for step in steps] == [(False, False)] * 3 + [(True, True)] * 3
    terms = {"reconstruction": 20.0, "commitment": 0.25, "perceptual": 0.5, "adversarial": 0.1}
    assert steps[-1]["loss"] == pytest.approx(sum(steps[-1][name] * by for name, by in terms.items()), abs=1e-4)
    last = of(events, "evaluation")[-1]["figures"]
    assert {"perceptual", "adversarial", "critic_right"} <= last.keys()
    assert not any("critic" in name or "guide" in name for name in read_tensors(model / "weights.safetensors")[0])
    assert tuwen.load(model).reconstruct([rows()[0]["image"]])[0].made.shape == (16, 16, 3)


def test_a_run_that_is_stopped_before_its_critic_begins_goes_on_exactly(tmp_path):
    def press(event):
        if event["kind"] == "step" and event["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    asked = {"recipe": "vqvae", "settings": (*TOKENIZER, *PATCHES, "train.metric=ssim"), "steps": 6}
    train(rows(), out=tmp_path / "whole", **asked)
    with pytest.raises(KeyboardInterrupt):
        train(rows(), out=tmp_path / "stopped", report=press, **asked)
    assert not any("exp_avg" in name for name in critic_of(tmp_path / "stopped")), "it has made no step"
    train(rows(), out=tmp_path / "stopped", resume=True)
    assert any("exp_avg" in name for name in critic_of(tmp_path / "whole"))
    assert largest_difference(tmp_path / "whole", tmp_path / "stopped") == 0.0


def test_where_the_loss_decides_a_late_beginning_is_refused(tmp_path):
    with pytest.raises(ConfigError) as caught:
        train(rows(), out=tmp_path, recipe="vqvae", settings=(*TOKENIZER, *PATCHES), steps=4)
    assert str(caught.value) == (
        "objective.adversarial.begin is 0.5: the loss has one more term from then on, so that it cannot say which model is "
        "the best. Let a figure decide: --set train.metric=perceptual where there is that term (of a stage: "
        "stages.NAME.metric), else ssim, or set objective.adversarial.begin=0."
    )


def test_both_count_in_the_first_stage_of_gpt_vqvae(tmp_path):
    sees = perceptual(tmp_path / "sees")
    settings = (*SETTINGS["gpt-vqvae"], *PATCHES, *sees, "train.batch=8")
    with pytest.raises(ConfigError) as caught:
        train(rows(), out=tmp_path / "none", recipe="gpt-vqvae", settings=settings, steps=4)
    assert str(caught.value) == (
        "objective.adversarial is of no stage, so that nothing would learn of it; set "
        "stages.tokenizer.objectives=reconstruction,adversarial, or that of another stage."
    )
    settings += (
        "stages.tokenizer.objectives=reconstruction,perceptual,adversarial",
        "stages.tokenizer.metric=perceptual",
    )
    events = []
    train(rows(), out=tmp_path / "model", recipe="gpt-vqvae", settings=settings, steps=8, report=events.append)
    first, second = ([e for e in of(events, "step") if e["stage"] == name] for name in ("tokenizer", "prior"))
    assert {"perceptual", "adversarial"} <= first[-1].keys() and "perceptual" not in second[-1]
