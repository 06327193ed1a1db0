"""A critic and a model that learns of it: losses by hand, no gradient that goes astray, and eight colours that are learned."""

import copy

import pytest
import torch
import torch.nn.functional as F
from tests import eight
from torch import nn

from tuwen.errors import ConfigError
from tuwen.objective import adversarial
from tuwen.objective._drawn import drawn
from tuwen.objective.adversarial import Config, pleased, r1, refused
from tuwen.types import Batch, Decoded, Latent, Made

COLOURS = torch.tensor(list(eight.COLOURS.values())) / 255
REAL = COLOURS[:, :, None, None].expand(-1, -1, 8, 8)
TEXTS = torch.eye(8)
BATCH = Batch(list("abcdefgh"), {})


def made(pixels=REAL, real=REAL, given=TEXTS, **more):
    return Made({"draw": Latent(given, **more)}, {"draw": Decoded(pixels, real)})


def begun(seed=0, **more):
    torch.manual_seed(seed)
    objective = Config(**{"widths": (8, 16), "features": 32, "changes": (), **more}).build()
    objective.begin(made())
    return objective


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_hinge_by_hand():
    """Real 0.5 and 2 cost (0.5 + 0) / 2; drawn -0.5 and -3 cost (0.5 + 0) / 2; a wrong text at 1 costs 2."""
    real, fake, wrong = torch.tensor([0.5, 2.0]), torch.tensor([-0.5, -3.0]), torch.tensor([1.0])
    assert refused(real, fake, wrong, loss="hinge", wrong=0.5).item() == 0.25 + (0.25 + 2) / 2
    assert refused(real, fake, wrong, loss="hinge", wrong=0.25).item() == 0.25 + 0.75 * 0.25 + 0.25 * 2
    assert refused(real, fake, wrong[:0], loss="hinge", wrong=0.5).item() == 0.25 + 0.25, "no wrong text in the batch"
    assert pleased(fake, "hinge").item() == 1.75


def test_non_saturating_by_hand():
    """-ln(sigmoid(ln 3)) = ln(4/3); of minus that, ln 4."""
    three = torch.tensor([3.0]).log()
    assert refused(three, -three, three, loss="non_saturating", wrong=0.5).item() == pytest.approx(
        0.287682 + (0.287682 + 1.386294) / 2, abs=1e-5
    )
    assert pleased(three, "non_saturating").item() == pytest.approx(0.287682, abs=1e-5)
    assert pleased(-three, "non_saturating").item() == pytest.approx(1.386294, abs=1e-5)


def test_guessing_costs_two_ln_2():
    nothing = torch.zeros(4)
    cost = refused(nothing, nothing, nothing, loss="non_saturating", wrong=0.5)
    assert cost.item() == pytest.approx(2 * 0.693147, abs=1e-5)


def test_the_slope_of_a_linear_critic_is_its_weights():
    """Half of 1 + 4 + 4, whatever the pictures are; twice that for scores twice as steep."""
    weight = torch.tensor([1.0, 2.0, 2.0])
    pixels = torch.randn(5, 3, requires_grad=True)
    assert r1(pixels @ weight, pixels).item() == pytest.approx(4.5)
    assert r1(2 * pixels @ weight, pixels).item() == pytest.approx(18.0)
    flat = torch.randn(5, 3, requires_grad=True)
    assert r1((flat * 0).sum(1), flat).item() == 0


def test_the_penalty_comes_in_some_steps_only_and_as_many_times_as_heavy():
    objective = begun(r1=2.0, r1_every=3)
    critic = [objective.against(made(), BATCH).values["critic"].item() for _ in range(4)]
    assert critic[1] == critic[2] != critic[0] == critic[3], "the weights do not move here"
    real = (REAL * 2 - 1).requires_grad_()
    penalty = r1(objective.critic(real, TEXTS), real).item()
    assert critic[0] - critic[1] == pytest.approx(2.0 * 3 * penalty, rel=1e-4)


def test_critic_right_by_hand():
    """Of eight real pictures those above 0 are right, of eight drawn ones those below; the same ones: half."""
    objective = begun()
    with torch.no_grad():
        assert objective(made(), BATCH).reports["critic_right"] == 0.5
        noise = torch.rand(8, 3, 8, 8)
        terms = objective(made(noise), BATCH)
        real, fake = objective.critic(REAL * 2 - 1, TEXTS), objective.critic(noise * 2 - 1, TEXTS)
    assert terms.reports["critic_right"].item() == ((real > 0).sum() + (fake < 0).sum()).item() / 16
    assert terms.values["adversarial"].item() == pytest.approx(pleased(fake, "non_saturating").item(), rel=1e-5)


# -- which texts are wrong ones ----------------------------------------------------------------------------------------


def wrong(objective, what):
    """How many wrong pairs a step has: their mean score is reported where there are some."""
    other, apart = adversarial._of_others(drawn(what, "draw", "draw"))
    assert ("critic_wrong" in objective.against(what, BATCH).reports) == bool(apart.any())
    return other, apart


def test_a_wrong_text_is_that_of_the_picture_half_a_batch_away():
    other, apart = wrong(begun(), made())
    assert torch.equal(other, TEXTS.roll(4, 0)) and apart.all()


def test_the_same_text_is_not_a_wrong_one():
    classes = TEXTS[[0, 1, 2, 3, 0, 1, 4, 5]]
    assert wrong(begun(), made(given=classes))[1].tolist() == [False, False, True, True] * 2
    assert not wrong(begun(), made(given=TEXTS[:1].expand(8, -1)))[1].any()


def test_another_text_of_the_same_row_is_not_a_wrong_one():
    owner = torch.tensor([0, 0, 1, 1, 0, 1, 2, 2])
    assert wrong(begun(), made(owner_P=owner))[1].tolist() == [False, True, True, True] * 2


def test_it_is_taught_that_a_wrong_text_is_wrong():
    """Real pictures with right texts against the same with wrong ones; a critic that is not taught cannot know."""
    gaps = {}
    for share in (0.5, 0.0):
        objective = begun(wrong=share, steady="spectral")
        optimiser = torch.optim.Adam(objective.parameters(), lr=1e-2)
        for _ in range(40):
            objective.against(made(REAL), BATCH).values["critic"].backward()  # drawn ones are as real as real ones
            optimiser.step()
            optimiser.zero_grad()
        with torch.no_grad():
            right, other = (objective.critic(REAL * 2 - 1, given) for given in (TEXTS, TEXTS.roll(4, 0)))
        gaps[share] = float((right - other).mean())
    assert gaps[0.5] > 0.5 > abs(gaps[0.0])


# -- gradients ---------------------------------------------------------------------------------------------------------


class Model(nn.Module):
    """Text and two random numbers -> a picture."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 192), nn.Unflatten(1, (3, 8, 8)), nn.Sigmoid()
        )

    def forward(self):
        return made(self.layers(torch.cat([TEXTS, torch.randn(8, 2)], 1)))


@pytest.mark.parametrize("more", [{}, {"loss": "hinge", "steady": "spectral"}])
def test_each_step_moves_its_own_weights_only(more):
    torch.manual_seed(1)
    model, objective = Model(), begun(**more, changes=("colour", "translation", "cutout"))
    before = copy.deepcopy(objective.state_dict())
    one = model()
    objective.against(one, BATCH).values["critic"].backward()
    assert all(p.grad is None for p in model.parameters())
    assert all(p.grad is not None for p in objective.parameters())
    objective.zero_grad()
    objective(one, BATCH).values["adversarial"].backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    assert all(p.grad is None for p in objective.parameters())
    assert all(torch.equal(before[name], value) for name, value in objective.state_dict().items() if "original" in name)


def test_a_model_cannot_please_a_critic_by_bending_its_texts():
    given = torch.randn(8, 8, requires_grad=True)
    objective = begun()
    pixels = REAL.clone().requires_grad_()
    objective(made(pixels, given=given), BATCH).values["adversarial"].backward()
    assert pixels.grad.any() and given.grad is None


@pytest.mark.parametrize("more", [{}, {"steady": "spectral"}])
def test_evaluation_draws_no_random_numbers_and_changes_nothing(more):
    objective = begun(**more, changes=("colour", "translation", "cutout"))
    objective.against(made(), BATCH)
    before, state = torch.get_rng_state(), copy.deepcopy(objective.state_dict())
    with torch.no_grad():
        first, second = (objective(made(), BATCH).values["adversarial"] for _ in range(2))
    assert torch.equal(first, second) and torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(state[name], value) for name, value in objective.state_dict().items())
    assert not any(module.training for module in objective.critic.modules())


# -- what cannot be ----------------------------------------------------------------------------------------------------


def test_what_it_cannot_judge_is_said():
    objective = Config(route="paint").build()
    with pytest.raises(ConfigError) as caught:
        objective.begin(made())
    assert str(caught.value) == (
        "objective.adversarial judges the pictures of the route 'paint', drawn from the latent 'draw'; there are routes of "
        "pictures: draw; latents: draw. Set objective.adversarial.route and objective.adversarial.given."
    )
    with pytest.raises(ConfigError, match="from the latent 'text'; .* latents: draw"):
        Config(given="text").build().begin(made())
    with pytest.raises(
        ConfigError, match=r"widths has 4 convolutions, which halve 8 pixels to nothing; give at most 3"
    ):
        Config(widths=(4, 4, 4, 4)).build().begin(made())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"wrong": 1.0}, "wrong is 1.0; it is from 0 to below 1"),
        ({"r1_every": 0}, "r1_every is 0; it is 1 or more"),
        ({"begin": 1.0}, "begin is 1.0; it is a share of the run, from 0 to below 1, as in begin=0.3"),
    ],
)
def test_settings_that_cannot_be(more, words):
    with pytest.raises(ConfigError, match=words):
        Config(**more).build()


# -- learning ----------------------------------------------------------------------------------------------------------


def learned(steps=200, *, broken=False, **more):
    """How many of eight texts a model draws in a colour that is nearest to their own, after learning from a critic alone."""
    objective = begun(**more)
    torch.manual_seed(0)
    model = Model()
    both = [torch.optim.Adam(one.parameters(), lr=1e-2, betas=(0.5, 0.9)) for one in (objective, model)]
    for _ in range(steps):
        one = model()
        seen = Made({"draw": Latent(TEXTS[torch.randperm(8)])}, one.routes) if broken else one
        objective.against(seen, BATCH).values["critic"].backward()
        both[0].step()
        both[0].zero_grad()
        objective(seen, BATCH).values["adversarial"].backward()
        both[1].step()
        both[1].zero_grad()
    with torch.no_grad():
        mean = model().routes["draw"].prediction.mean((2, 3))
    return int((torch.cdist(mean, COLOURS).argmin(1) == torch.arange(8)).sum())


@pytest.mark.parametrize(("loss", "steady"), [("non_saturating", "r1"), ("hinge", "spectral")])
def test_eight_colours_are_learned_from_the_critic_alone(loss, steady):
    """Chance: one of eight."""
    assert learned(loss=loss, steady=steady) >= 7


def test_a_critic_that_sees_texts_at_random_teaches_nothing_of_them():
    """Broken on purpose. Chance: one of eight."""
    assert learned(broken=True) <= 3


@pytest.mark.parametrize("steady", ["r1", "spectral"])
def test_in_bfloat16_it_learns_the_same_within_its_precision(steady):
    found = []
    for low in (False, True):
        objective = begun(steady=steady)
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            critic = objective.against(made(), BATCH).values["critic"]
            critic.backward()
        found.append((critic.item(), torch.cat([p.grad.flatten() for p in objective.parameters()])))
    assert found[1][0] == pytest.approx(found[0][0], rel=0.05)
    assert torch.nn.functional.cosine_similarity(found[0][1], found[1][1], dim=0) > 0.98


# -- patches -----------------------------------------------------------------------------------------------------------


def again(pixels, real):
    return Made(routes={"reconstruct": Decoded(pixels, real)})


def judge(**more):
    torch.manual_seed(0)
    objective = Config(**{"route": "reconstruct", "patches": True, "widths": (8, 16), "changes": (), **more}).build()
    objective.begin(again(REAL, REAL))
    return objective


def test_each_patch_counts_for_itself_and_the_penalty_is_that_of_their_mean():
    objective, noise = judge(r1=2.0, r1_every=1), torch.rand(8, 3, 8, 8)
    real, fake = ((one * 2 - 1).requires_grad_() for one in (REAL, noise))
    real_PN, drawn_PN = (objective.critic(one, None) for one in (real, fake))
    assert real_PN.shape == (8, 4)
    wanted = F.softplus(-real_PN).mean() + F.softplus(drawn_PN).mean() + 2.0 * r1(real_PN.mean(1), real)
    terms = objective.against(again(noise, REAL), BATCH)
    assert (
        terms.values["critic"].item() == pytest.approx(wanted.item(), rel=1e-4) and "critic_wrong" not in terms.reports
    )
    found = objective(again(noise, REAL), BATCH).values["adversarial"]
    assert found.item() == pytest.approx(F.softplus(-drawn_PN).mean().item(), rel=1e-4)


def test_before_it_begins_there_is_no_term():
    objective = judge(begin=0.5)
    for done, counts in ((0.0, False), (0.49, False), (0.5, True), (0.9, True)):
        objective.done = done
        assert bool(objective.against(again(REAL, REAL), BATCH).values) is counts
        assert bool(objective(again(REAL, REAL), BATCH).values) is counts


def test_a_route_that_makes_no_pictures_is_said():
    with pytest.raises(ConfigError) as caught:
        Config(patches=True).build().begin(again(REAL, REAL))
    assert str(caught.value) == (
        "objective.adversarial judges the pictures of the route 'draw'; there are routes of pictures: reconstruct. "
        "Set objective.adversarial.route."
    )


def stripes(num, random):
    """Stripes of four pixels, two bright, that begin anywhere; those of the first half stand, those of the second lie."""
    phase = torch.randint(4, (num, 1, 1), generator=random)
    standing = ((torch.arange(16)[None, None] + phase) % 4 < 2).float().expand(-1, 16, -1)
    lying = (torch.arange(num) >= num // 2)[:, None, None]
    return torch.where(lying, standing.transpose(1, 2), standing)[:, None]


def steepness(pixels):
    """Mean difference of neighbours."""
    return sum(pixels.diff(dim=axis).abs().mean().item() for axis in (2, 3))


def sharpened(weight, *, broken=False, steps=150):
    """How steep pictures are that come back of one number, as a share of real ones; it says whether stripes stand or lie."""
    random = torch.Generator().manual_seed(0)
    objective = Config(route="reconstruct", patches=True, widths=(8, 16), changes=(), lr=1e-2).build()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 256), nn.Sigmoid(), nn.Unflatten(1, (1, 16, 16)))
    lies = (torch.arange(16) >= 8)[:, None].float()
    objective.begin(again(model(lies).detach(), stripes(16, random)))
    both = [torch.optim.Adam(one.parameters(), lr=1e-2, betas=(0.0, 0.99)) for one in (objective, model)]
    for _ in range(steps):
        real = stripes(16, random)
        one = again(model(lies), real)
        if weight:
            # broken: what it is to take for real is as grey as what the pixels alone teach
            objective.against(
                again(one.routes["reconstruct"].prediction, real * 0 + 0.5) if broken else one, BATCH
            ).values["critic"].backward()
            both[0].step()
            both[0].zero_grad()
        loss = (one.routes["reconstruct"].prediction - real).square().mean()
        if weight:
            loss = loss + weight * objective(one, BATCH).values["adversarial"]
        loss.backward()
        both[1].step()
        both[1].zero_grad()
    return steepness(model(lies)) / steepness(real)


def test_patches_are_made_sharp_where_pixels_alone_blur():
    """Where the stripes begin is lost on the way: squared errors make them grey. Real ones have 1."""
    assert sharpened(0.0) < 0.2
    assert 0.6 < sharpened(0.05) < 1.4


def test_a_critic_that_takes_grey_for_real_makes_nothing_sharp():
    """Broken on purpose."""
    assert sharpened(0.05, broken=True) < 0.3
