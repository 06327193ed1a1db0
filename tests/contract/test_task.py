"""What every task keeps, whoever writes it."""

import dataclasses
import inspect
import json
import typing

import numpy as np
import pytest
from tests import eight

from tuwen import registry
from tuwen.command._rows import to_json
from tuwen.command._verb import field_docs, picture_fields
from tuwen.errors import CannotError, DataError

TASKS = registry.names("task")
OPTIONS = {"text": ("a red picture", "this is blue"), "question": "what colour is it?", "label": ("red", "blue")}
"""Values for fields that have no usable default, by name."""


@pytest.fixture(params=TASKS)
def task(request):
    return registry.get("task", request.param)


def requests(task, count=3, **changed):
    """Some of its requests, on the first pictures."""
    fields = {f.name: f for f in dataclasses.fields(task.Request)}
    options = {name: value for name, value in OPTIONS.items() if name in fields}
    options |= {name: value[0] for name, value in options.items() if fields[name].type == "str" and value[0:0] == ()}
    images = [one.fields["image"] for one in eight.samples()[:count]]
    return [
        task.Request(**dict.fromkeys(picture_fields(task.Request), image), **options, **changed) for image in images
    ]


def answered(task):
    model = eight.model()
    if not task.able(model):
        pytest.skip("the tiny model is not trained for it")
    return model


def test_it_has_what_a_task_has(task):
    assert task.__doc__ and "\nExample:\n    tuwen " in task.__doc__
    assert task.recipe_hint in registry.names("recipe")
    parameters = inspect.signature(task.run).parameters
    assert list(parameters) == ["model", "requests", "emit", "cancelled"]
    assert all(parameters[name].default is None for name in ("emit", "cancelled"))
    assert callable(task.call) and callable(task.show) and callable(task.able)


def test_request_and_response_are_frozen_and_documented(task):
    for cls in (task.Request, task.Response):
        assert cls.__dataclass_params__.frozen
        docs = field_docs(cls)
        assert [f.name for f in dataclasses.fields(cls) if not docs.get(f.name)] == []


def test_a_request_holds_no_path(task):
    """Pictures and text only: the command line opens paths, a server takes bytes."""
    assert "Path" not in str(typing.get_type_hints(task.Request))


def test_one_response_a_request_in_their_order(task):
    model = answered(task)
    asked = requests(task)
    responses = task.run(model, asked)
    assert [type(response) for response in responses] == [task.Response] * 3
    turned = task.run(model, asked[::-1])
    assert [json.loads(to_json(dataclasses.asdict(r))) for r in turned[::-1]] == [
        approximately(json.loads(to_json(dataclasses.asdict(r)))) for r in responses
    ]
    assert task.run(model, []) == []


def approximately(value):
    """Numbers may differ in the last bits where rows stand elsewhere in a batch."""
    if isinstance(value, dict):
        return {key: approximately(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [approximately(inner) for inner in value]
    return pytest.approx(value, abs=1e-3) if isinstance(value, float) else value


def test_a_response_is_json_and_text(task):
    [response, *_] = task.run(answered(task), requests(task))
    assert json.loads(to_json(dataclasses.asdict(response))).keys() == {
        f.name for f in dataclasses.fields(task.Response)
    }
    assert isinstance(task.show(response), str) and task.show(response).strip()


def test_the_flag_of_the_model_is_left_alone(task):
    model = answered(task)
    try:
        model.train()
        task.run(model, requests(task))
        assert model.training
    finally:
        model.eval()


def test_the_method_of_the_model_is_the_same(task):
    model = answered(task)
    asked = requests(task, count=2)
    [field] = picture_fields(task.Request)
    options = {f.name: getattr(asked[0], f.name) for f in dataclasses.fields(asked[0]) if f.name != field}
    images = [getattr(one, field) for one in asked]
    name = task.__name__.rpartition(".")[2]
    assert getattr(model, name)(images, **options) == task.run(model, asked)


def test_a_picture_that_cannot_be_read_is_a_data_error(task):
    model = answered(task)
    [field] = picture_fields(task.Request)
    bad = dataclasses.replace(requests(task)[0], **{field: np.zeros((2, 2, 9), np.uint8)})
    with pytest.raises(DataError):
        task.run(model, [bad])


def test_an_untrained_model_is_told_what_it_can(task):
    halves = [eight.model(captions=False, steps=1), eight.model(match=False, steps=1)]
    unable = [model for model in halves if not task.able(model)]
    assert unable, "no half of the tiny model lacks it: nothing is tested"
    for model in unable:
        with pytest.raises(CannotError, match="this model was not trained to .*; it can: "):
            task.run(model, requests(task))
