"""The learning rate of a step, which weights decay, and the running average, by hand."""

import math

import pytest
import torch
from torch import nn

from tuwen.recipe import Train
from tuwen.train.optimiser import (
    Average,
    hidden_maps,
    learns_norms,
    make_optimiser,
    optimiser_tensors,
    orthogonal,
    restore_optimiser,
    set_lr,
    trainable,
)


class Pretrained(nn.Module):
    pretrained = True

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.own, self.old, self.frozen = nn.Linear(3, 2), Pretrained(), nn.Linear(4, 4)
        self.frozen.requires_grad_(False)


def rates(steps, **settings):
    train = Train(lr=1.0, **settings)
    optimiser = make_optimiser(nn.Linear(1, 1), train)
    return [set_lr(optimiser, step, steps, train) for step in range(steps)]


def test_the_rate_rises_in_a_line_and_falls_by_a_cosine():
    """10 steps, 2 of them warm-up: 1/2, 1, then (1 + cos(pi k / 8)) / 2 for k = 0 .. 7."""
    expected = [0.5, 1.0] + [(1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)]
    assert rates(10, warmup=0.2) == pytest.approx(expected)
    assert rates(10, warmup=0.2)[6] == pytest.approx(0.5)  # half way down


def test_the_rate_ends_at_its_share():
    made = rates(100, warmup=0.0, final_lr=0.1)
    assert made[0] == 1.0
    assert made[-1] == pytest.approx(0.1, abs=1e-3)
    assert rates(1) == [1.0]


def test_past_the_end_the_rate_stays_down():
    train = Train(lr=1.0, final_lr=0.25)
    assert set_lr(make_optimiser(nn.Linear(1, 1), train), 50, 10, train) == pytest.approx(0.25)


def test_matrices_decay_vectors_do_not_and_pretrained_parts_have_their_own_rate():
    model = Model()
    optimiser = make_optimiser(model, Train(lr=1e-3, lr_pretrained=1e-5, weight_decay=0.05))
    names = {id(p): name for name, p in model.named_parameters()}
    groups = {names[id(p)]: (g["weight_decay"], g["peak"]) for g in optimiser.param_groups for p in g["params"]}
    assert groups == {
        "own.weight": (0.05, 1e-3),
        "own.bias": (0.0, 1e-3),
        "old.linear.weight": (0.05, 1e-5),
        "old.linear.bias": (0.0, 1e-5),
    }
    set_lr(optimiser, 0, 100, train := Train(lr=1e-3, lr_pretrained=1e-5, warmup=0.1))
    assert sorted({g["lr"] for g in optimiser.param_groups}) == pytest.approx([1e-6, 1e-4])
    assert train.warmup == 0.1


def test_what_is_frozen_is_not_trained():
    assert [name for name in trainable(Model()) if name.startswith("frozen")] == []


def single(value):
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def test_the_average_by_hand():
    """From 0 towards 1 with decay min(0.5, (1 + t) / (10 + t)): 1 - 1/10 = 0.9, then 0.9 * 2/11 + 9/11 = 54/55."""
    model = single(0.0)
    average = Average(model, 0.5)
    nn.init.constant_(model.weight, 1.0)
    average.update(model, 0)
    assert average.weights["weight"].item() == pytest.approx(0.9)
    average.update(model, 1)
    assert average.weights["weight"].item() == pytest.approx(54 / 55)
    nn.init.constant_(model.weight, 0.0)
    average.update(model, 1000)  # the warm-up is over: one half
    assert average.weights["weight"].item() == pytest.approx(27 / 55)


def test_the_average_is_applied_and_taken_back_also_after_an_error():
    model = single(3.0)
    average = Average(model, 0.9)
    nn.init.constant_(model.weight, 5.0)
    weight = model.weight
    with average.applied(model):
        assert model.weight.item() == 3.0
        assert model.weight is weight  # the optimiser still knows it
    assert model.weight.item() == 5.0
    with pytest.raises(RuntimeError), average.applied(model):
        raise RuntimeError
    assert model.weight.item() == 5.0
    assert average.weights["weight"].item() == 3.0


def test_without_a_decay_nothing_is_averaged():
    model = single(3.0)
    average = Average(model, 0.0)
    average.update(model, 5)
    with average.applied(model):
        assert model.weight.item() == 3.0
    assert average.weights == {}


def test_training_goes_on_after_the_average_was_applied():
    """The swap of the data must not part the optimiser from the weights."""

    def run(looks):
        model = single(1.0)
        average, optimiser = Average(model, 0.9), make_optimiser(model, Train(lr=0.1))
        for step in range(6):
            (model(torch.ones(1, 1)) - 3).pow(2).sum().backward()
            optimiser.step()
            optimiser.zero_grad()
            average.update(model, step)
            if looks:
                with average.applied(model):
                    model.state_dict()
        return model.weight.item(), average.weights["weight"].item()

    assert run(True) == run(False)
    assert run(False)[0] > 1.3


def test_the_optimiser_comes_back_and_steps_the_same():
    def step(model, optimiser):
        sum(p.pow(2).sum() for p in trainable(model).values()).backward()
        optimiser.step()
        optimiser.zero_grad()

    torch.manual_seed(0)
    one, other = Model(), Model()
    first, second = make_optimiser(one, Train()), make_optimiser(other, Train())
    step(one, first)
    step(one, first)
    saved = {name: value.clone() for name, value in optimiser_tensors(one, first).items()}
    assert sorted(saved)[:2] == ["optimiser.exp_avg.old.linear.bias", "optimiser.exp_avg.old.linear.weight"]
    other.load_state_dict(one.state_dict())
    restore_optimiser(other, second, saved)
    step(one, first)
    step(other, second)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(saved["optimiser.step.own.bias"], torch.tensor(2.0))  # a copy: not stepped with the other


def test_batch_norms_that_stay_as_they_are_do_not_count():
    class Still(nn.Sequential):
        def train(self, mode=True):
            return super().train(False)

    assert learns_norms(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))
    assert not learns_norms(nn.Sequential(nn.Linear(3, 4), Still(nn.BatchNorm2d(4))))


def test_orthogonal_keeps_directions_and_makes_them_equally_long():
    """Singular vectors stay; singular values, between 0.1 and 10 before, lie between 0.68 and 1.14 (five steps of the iteration)."""
    random = torch.Generator().manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(3, 6, 6, generator=random))
    right, _ = torch.linalg.qr(torch.randn(3, 9, 6, generator=random))
    matrix_NRC = left @ torch.diag(torch.tensor([10.0, 5.0, 2.0, 1.0, 0.5, 0.1])) @ right.mT
    for given, made in ((matrix_NRC, orthogonal(matrix_NRC)), (matrix_NRC.mT, orthogonal(matrix_NRC.mT).mT)):
        assert made.shape == matrix_NRC.shape and given.numel() == made.numel()
        inner = left.mT @ made @ right
        values = inner.diagonal(dim1=1, dim2=2)
        assert (inner - torch.diag_embed(values)).abs().max() < 1e-4
        assert values.min() > 0.5 and values.max() < 1.25


@pytest.mark.parametrize("columns", [8, 64])
def test_orthogonal_of_long_and_square_matrices_is_the_same_iteration_in_both_precisions(columns):
    random = torch.Generator().manual_seed(0)
    left, right = (
        torch.linalg.qr(torch.randn(2, n, 8, generator=random, dtype=torch.float64))[0] for n in (8, columns)
    )
    matrix_NRC = left @ torch.diag(torch.linspace(0.3, 3, 8, dtype=torch.float64)) @ right.mT
    x = matrix_NRC / matrix_NRC.norm(dim=(1, 2), keepdim=True)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x - 4.775 * gram @ x + 2.0315 * gram @ gram @ x
    assert (orthogonal(matrix_NRC.float()) - x).abs().max() < 1e-4
    assert (orthogonal(matrix_NRC.float(), torch.bfloat16) - x).abs().max() < 0.05
    assert orthogonal(matrix_NRC.float(), torch.bfloat16).dtype == torch.float32


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out, self.conv, self.map = (
            nn.Embedding(5, 4),
            nn.Linear(4, 5),
            nn.Conv2d(2, 3, 3),
            nn.Linear(4, 4),
        )
        self.out.weight = self.table.weight


def test_muon_moves_maps_and_adamw_the_rest():
    model = Words()
    assert {id(p) for p in hidden_maps(model)} == {id(model.conv.weight), id(model.map.weight)}
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimiser = make_optimiser(model, Train(lr=0.1, weight_decay=0.0, optimiser="muon", warmup=0.0))
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(len(p)))
    set_lr(optimiser, 5, 10, Train(lr=0.1, final_lr=1.0))
    optimiser.step()
    moved = {name: p.detach() - before[name] for name, p in model.named_parameters()}
    # the first step of AdamW is lr for each number; of Muon, in the mean square, a fifth of it
    assert moved["table.weight"].abs().mean() == pytest.approx(0.1, rel=1e-3)
    assert moved["map.weight"].square().mean().sqrt() == pytest.approx(0.02, rel=0.25)
    assert moved["conv.weight"].square().mean().sqrt() == pytest.approx(0.02, rel=0.25)
    assert all(p.grad is None for p in hidden_maps(model))


def test_muon_goes_on_where_it_was():
    made = []
    for again in (False, True):
        torch.manual_seed(0)
        model = Words()
        optimiser = make_optimiser(model, Train(lr=0.1, optimiser="muon"))
        for step in range(4):
            if again and step == 2:
                kept = optimiser_tensors(model, optimiser)
                optimiser = make_optimiser(model, Train(lr=0.1, optimiser="muon"))
                restore_optimiser(model, optimiser, kept)
            for p in model.parameters():
                p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(step))
            optimiser.step()
        made.append({name: p.detach().clone() for name, p in model.named_parameters()})
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_step_at_rate_0_changes_nothing(optimiser):
    """What the estimate of a run's cost relies on."""
    model = Words()
    made = make_optimiser(model, Train(optimiser=optimiser))
    before = [p.detach().clone() for p in model.parameters()]
    for group in made.param_groups:
        group["lr"] = 0.0
    for p in model.parameters():
        p.grad = torch.randn(p.shape)
    made.step()
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
