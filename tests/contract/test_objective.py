"""Every file in objective/ passes this."""

from dataclasses import replace

import pytest
import torch
from tests import eight
from tests.contract._parts import every, latent, make_config, survives_json

from tuwen.train.guide import guide
from tuwen.types import Batch, Decoded, Made, Terms


@pytest.fixture(params=every("objective"))
def config(request):
    return make_config(request.param)


@pytest.fixture
def objective(config):
    return ready(config)


def ready(config):
    """The objective as a run has it: with its own weights, or the frozen model that it asks."""
    torch.manual_seed(0)
    if hasattr(config, "source"):
        config = replace(config, source=str(eight.directory(captions=False)))
    objective = config.build()
    if hasattr(objective, "begin"):
        objective.begin(example(config)[0])
    guide([objective], torch.device("cpu"))
    return objective


def example(config) -> tuple[Made, Batch]:
    """What the Config says it reads, or a batch of two pictures with three captions."""
    if hasattr(config, "example"):
        return config.example()
    image = replace(latent(2, pooled=6), owner_P=torch.tensor([0, 1]))
    text = replace(latent(3, pooled=6, seed=2), owner_P=torch.tensor([0, 0, 1]))
    logits = torch.randn(5, 11, generator=torch.Generator().manual_seed(3))
    mask = torch.tensor([[True, True], [True, True], [True, False]])
    said = Decoded(logits, torch.tensor([1, 2, 3, 4, 5]), mask, torch.tensor([0, 0, 1]))
    return Made({"image": image, "text": text}, {"caption": said}), Batch(["a", "b"], {})


def leaves(made: Made) -> list[torch.Tensor]:
    found = [one.pooled for one in made.latents.values()]
    decoded = made.routes.values()
    return found + [t for one in decoded for t in (one.logits, one.prediction, one.attention) if t is not None]


def test_terms_are_finite_scalars_with_a_gradient(config, objective):
    made, batch = example(config)
    for tensor in leaves(made):
        tensor.requires_grad_()
    terms = objective(made, batch)
    assert isinstance(terms, Terms) and terms.values
    for value in terms.values.values():
        assert value.ndim == 0 and value.isfinite()
    sum(terms.values.values()).backward()
    assert any(tensor.grad is not None and tensor.grad.any() for tensor in leaves(made))


def test_a_batch_without_its_fields_has_no_term(objective):
    assert objective(Made(), Batch(["a"], {})).values == {}


def test_the_same_twice_is_the_same(config):
    first, second = (ready(config)(*example(config)).values for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_bfloat16_agrees_with_float32(config, objective):
    with torch.no_grad():  # as in evaluation, where nothing is drawn at random
        exact = objective(*example(config)).values
        with torch.autocast("cpu", torch.bfloat16):
            low = objective(*example(config)).values
    for name, value in exact.items():
        torch.testing.assert_close(low[name].float(), value, atol=0.03, rtol=0.03)


def test_without_its_own_weights_or_its_guide_it_has_no_term(config):
    objective = config.build()
    if not hasattr(objective, "begin") and not hasattr(objective, "guide"):
        pytest.skip("needs neither")
    assert objective(*example(config)).values == {}


def test_what_it_learns_itself_is_finite_and_reaches_all_its_weights_and_nothing_else(config, objective):
    if not hasattr(objective, "against"):
        pytest.skip("has no weights of its own")
    made, batch = example(config)
    for tensor in leaves(made):
        tensor.requires_grad_()
    assert objective.against(Made(), batch).values == {}
    terms = objective.against(made, batch)
    assert not terms.values.keys() & objective(made, batch).values.keys()
    sum(terms.values.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())
    assert all(tensor.grad is None for tensor in leaves(made))
    objective.zero_grad()
    sum(objective(made, batch).values.values()).backward()
    assert all(p.grad is None and p.requires_grad for p in objective.parameters())


def test_config_survives_json(config):
    assert survives_json(config, "objective")
