"""What a model draws while it learns lies beside its log, for models that draw alone, and changes nothing of the run."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tests import drawing, eight
from tests.tiny import SETTINGS, rows

from tuwen.judge._drawn import PROMPTS
from tuwen.report.curves import training_curves
from tuwen.train.loop import train
from tuwen.train.samples import write_sheet


def evaluations(out):
    events = [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]
    return [event for event in events if event["kind"] == "evaluation"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("flow") / "model"
    settings = (*SETTINGS["flow"], "train.metric=loss", "train.ema=0.5", "train.evaluations=2", "data.val=0.2")
    train([{**row, "split": None} for row in rows(40)], out=out, recipe="flow", settings=settings, steps=6, seed=0)
    return out


def test_sheets_of_the_same_texts(run):
    found = evaluations(run)
    assert [event["drawn"] for event in found] == ["samples/step_000003.png", "samples/step_000006.png"]
    sheets = [Image.open(run / event["drawn"]) for event in found]
    texts = [json.loads(sheet.info["texts"]) for sheet in sheets]
    assert 2 <= len(texts[0]) <= PROMPTS and texts[0] == texts[1] and all(texts[0])
    assert (
        sheets[0].size == sheets[1].size and max(sheets[0].size) <= 56 and not np.array_equal(*map(np.asarray, sheets))
    ), "it has learned something"


def test_a_run_of_two_threads_in_half_precision_draws_at_its_looks(tmp_path):
    settings = (*SETTINGS["flow"], "train.threads=2", "train.precision=bfloat16", "train.evaluations=1", "data.val=0.4")
    train([{**row, "split": None} for row in rows(60)], out=tmp_path, recipe="flow", settings=settings, steps=2, seed=0)
    assert [event["drawn"] for event in evaluations(tmp_path)] == ["samples/step_000002.png"]


def test_the_page_shows_them(run):
    page = training_curves(run / "log.jsonl")
    assert page.index("step 3") < page.index("step 6") and "The same noise every time, for these texts" in page


def test_the_same_weights_draw_the_same_and_no_random_number_is_taken(tmp_path):
    model, before = drawing.model(), torch.get_rng_state()
    first, again = (write_sheet(model, drawing.ROWS, tmp_path, step, {}) for step in (1, 2))
    assert (tmp_path / first).read_bytes() == (tmp_path / again).read_bytes()
    assert torch.equal(before, torch.get_rng_state())


def test_a_model_that_does_not_draw_writes_nothing(tmp_path):
    assert write_sheet(eight.model(), eight.samples(), tmp_path, 1, {}) == "" and not list(tmp_path.iterdir())
