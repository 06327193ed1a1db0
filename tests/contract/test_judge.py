"""What every judge does: says whether it is able, takes batches, gives finite figures and rows that are JSON."""

import json
import math
from contextlib import contextmanager

import pytest
import torch
from tests import eight

from tuwen import registry
from tuwen.generate.greedy import Config as Greedy
from tuwen.judge._asked import Asked
from tuwen.model import CrossModal
from tuwen.recipe import Recipe
from tuwen.task._confidence import written_as

METHOD = Greedy(max_tokens=5)
NAMES = registry.names("judge")


@pytest.fixture(params=NAMES)
def module(request):
    return registry.get("judge", request.param)


def judged(module, model, samples, shuffled=True):
    judge = module.Judge(model, Asked(method=METHOD.build(), shuffled=shuffled))
    with torch.no_grad():
        for start in range(0, len(samples), 4):
            batch = model.batch(samples[start : start + 4], targets=True)
            judge.add(model(batch), batch)
    return judge


def able(module):
    for model in (eight.model(), eight.classifier()):
        if module.able(model):
            return model
    pytest.skip("judges another kind of model; its own test has one")


@contextmanager
def sure(model):
    """The model while it says how sure it is, where it writes captions."""
    if "text" in model.decoders:
        model.confidence = eight.confidence({"tokens": 1.0}, written=written_as(model, METHOD))
    yield
    model.confidence = None


def test_a_model_without_routes_is_not_judged(module):
    assert not module.able(CrossModal(Recipe(name="empty"), lambda where, part: None))


def test_figures_are_finite_and_chance_belongs_to_them(module):
    judge = judged(module, able(module), eight.samples())
    found = list(judge.rates())
    figures = {name: value for rates, _ in found for name, value in rates.figures.items()}
    assert figures and all(math.isfinite(value) for value in figures.values())
    assert all(math.isfinite(value) for _, chance in found for value in chance.values())
    for rates, _ in found:
        assert rates.intervals().keys() <= rates.figures.keys()
    assert set(module.Judge.less) <= figures.keys()


def test_rows_are_json_and_have_their_key(module):
    samples = eight.samples()
    rows = judged(module, able(module), samples).rows()
    assert {row["key"] for row in rows} <= {sample.key for sample in samples}
    json.dumps(rows)


def test_tables_are_json(module):
    if not hasattr(module.Judge, "tables"):
        pytest.skip("gives none")
    model = able(module)
    with sure(model):
        tables = judged(module, model, eight.samples()).tables(bootstrap=True)
    assert tables and all(isinstance(name, str) and rows and isinstance(rows, list) for name, rows in tables.items())
    json.dumps(tables)


def test_nothing_seen_gives_nothing(module):
    judge = judged(module, able(module), [])
    assert judge.rows() == [] and not any(rates.figures for rates, _ in judge.rates())
