"""The weights of the best evaluations: which are kept, what their mean is, when their files go, and when it is taken."""

import json

import pytest
import torch
from tests.tiny import SETTINGS

from tuwen._tensors import read_tensors
from tuwen.command._progress import describe
from tuwen.errors import CheckpointError
from tuwen.evaluation import Evaluation
from tuwen.train.best import Best
from tuwen.train.checkpoint import newest_state
from tuwen.train.looks import Looks
from tuwen.train.loop import train

LESS = frozenset({"loss"})


@pytest.fixture
def best(tmp_path):
    (tmp_path / "state").mkdir()
    return Best(tmp_path, 2)


def offer(best, *scores, first=1):
    for step, score in enumerate(scores, first):
        best.offer(score, step, {"a": torch.full((3,), float(step)), "b": torch.tensor([[10.0 * step]])})


def files(best):
    return sorted(int(path.stem.removeprefix("best-")) for path in best.folder.glob("best-*"))


def test_the_mean_of_the_best_by_hand(best):
    offer(best, 0.3, 0.9, 0.5, 0.1)
    assert (best.steps, best.kept) == ([2, 3], [(0.9, 2), (0.5, 3)])
    mean = best.mean()
    assert mean["a"].tolist() == [2.5] * 3 and mean["b"].tolist() == [[25.0]]
    assert mean["a"].dtype is torch.float32


def test_of_equal_scores_the_earlier_stays(best):
    offer(best, 0.5, 0.5, 0.5)
    assert best.steps == [1, 2]


def test_files_stay_until_neither_of_the_two_newest_states_names_them(best):
    offer(best, 0.1, 0.2)
    best.saved()
    offer(best, 0.3, 0.4, first=3)
    assert files(best) == [1, 2, 3, 4]
    best.saved()
    assert files(best) == [1, 2, 3, 4]  # the state before names 1 and 2
    best.saved()
    assert files(best) == [3, 4]


def test_a_run_that_goes_on_finds_what_its_state_names(best, tmp_path):
    offer(best, 0.1, 0.2)
    best.saved()
    kept = json.loads(json.dumps(best.kept))
    offer(best, 0.3, first=3)  # and then it was killed
    again = Best(tmp_path, 2)
    again.restore(kept)
    assert again.steps == [1, 2] and again.mean()["a"].tolist() == [1.5] * 3
    again.saved()
    assert files(again) == [1, 2]


def test_a_file_that_is_gone_is_said(best):
    offer(best, 0.1, 0.2)
    (best.folder / "best-00000001.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"best-00000001.safetensors \(missing\) cannot be read as tensors"):
        best.mean()


# -- in a run ----------------------------------------------------------------------------------------------------------


def learn(out, monkeypatch, losses, *settings):
    """A run of 16 steps with four evaluations, whose losses are given; and one before it, and one of the mean."""
    given, events = iter(losses), []
    monkeypatch.setattr(Looks, "judge", lambda looks, rows=0: Evaluation(figures={"loss": next(given)}, less=LESS))
    settings = (*SETTINGS["cnn-transformer"], "train.metric=loss", "train.evaluations=4", "train.ema=0.9", *settings)
    train("scenes:0:32", out=out, recipe="cnn-transformer", settings=settings, steps=16, report=events.append)
    return events


def kept(out):
    return read_tensors(out / "weights.safetensors")[0]


@pytest.mark.parametrize("mean", [0.5, 5.0], ids=["better", "worse"])
def test_the_mean_is_kept_where_it_judges_better_than_the_best(tmp_path, monkeypatch, mean):
    events = learn(tmp_path, monkeypatch, [9, 3, 1, 2, 4, mean], "train.average_best=2")
    [said] = [event for event in events if event["kind"] == "averaged"]
    assert (said["steps"], said["best"], said["figures"]) == ([8, 12], mean < 1, {"loss": mean})
    best = [read_tensors(tmp_path / "state" / f"best-{step:08d}.safetensors")[0] for step in (8, 12)]
    expected = {name: (best[0][name] + best[1][name]) / 2 if mean < 1 else best[0][name] for name in best[0]}
    weights = kept(tmp_path)
    assert len(expected) > 20 and any("running_mean" in name for name in expected)
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, atol=1e-6, rtol=1e-6)
    assert json.loads((tmp_path / "figures.json").read_text()) == {"loss": min(mean, 1.0)}
    assert ("the mean of those at steps 8, 12" in (tmp_path / "card.md").read_text("utf-8")) == (mean < 1)
    assert newest_state(tmp_path).plain["averaged"]
    assert describe(said) == (
        f"the mean of the weights of steps 8, 12: loss {mean:.3g} "
        f"({'better than the best of them, and kept' if mean < 1 else 'not better, and left'})"
    )


def test_a_finished_run_that_is_resumed_does_not_average_again(tmp_path, monkeypatch):
    learn(tmp_path, monkeypatch, [9, 3, 1, 2, 4, 0.5], "train.average_best=2")
    events, before = [], kept(tmp_path)
    train("", out=tmp_path, resume=True, report=events.append)
    assert [event["kind"] for event in events if event["kind"] != "cache"] == ["done"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in kept(tmp_path).items())


def test_none_is_averaged_if_not_asked_for(tmp_path, monkeypatch):
    events = learn(tmp_path, monkeypatch, [9, 3, 1, 2, 4])
    assert not [event for event in events if event["kind"] == "averaged"]
    assert not list(tmp_path.glob("state/best-*"))
