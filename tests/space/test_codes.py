"""Quantised spaces: every code is what its token stands for, the codebook follows its tokens, and pictures come back."""

from dataclasses import replace

import pytest
import torch
from tests import eight
from tests.contract._parts import latent

from tuwen.decode import image_deconv
from tuwen.encode import image_cnn
from tuwen.errors import ConfigError, ShapeError
from tuwen.evaluation import evaluate
from tuwen.model import CrossModal
from tuwen.objective import reconstruction
from tuwen.recipe import Recipe
from tuwen.space import finite_scalar, vector_quantized
from tuwen.space._codes import used
from tuwen.types import Latent, Made, Route, Widths

SPACES = {"finite_scalar": finite_scalar.Config, "vector_quantized": vector_quantized.Config}


def made(config, widths=(12, 10), seed=0):
    torch.manual_seed(seed)
    return config.build(Widths(*widths))


@pytest.fixture(params=SPACES)
def config(request):
    return SPACES[request.param].tiny()


def test_a_code_stands_for_its_token(config):
    part = made(config).eval()
    found = part(latent(5))
    assert found.codes.shape == (5, 7) and found.codes.min() >= 0 and found.codes.max() < part.size
    torch.testing.assert_close(part.tokens_of(found.codes), found.tokens)
    torch.testing.assert_close(found.pooled, found.tokens.mean(1))


def test_gradients_pass_the_rounding(config):
    part, given = made(config).train(), latent(5).tokens.requires_grad_()
    part(Latent(torch.zeros(5, 10), given)).tokens.square().sum().backward()
    assert given.grad.abs().sum() > 0


def test_without_tokens_there_are_no_codes(config):
    with pytest.raises(ShapeError, match="makes codes of tokens, and the encoder gave none"):
        made(config)(replace(latent(1), tokens=None))


def test_use_of_codes_by_hand():
    """Two codes of four used alike: half; one alone: a quarter; what is masked does not count."""
    assert used(torch.tensor([[0, 3]]), None, 4).item() == pytest.approx(0.5)
    assert used(torch.tensor([[0, 3]]), torch.tensor([[True, False]]), 4).item() == pytest.approx(0.25)


# -- finite scalars ----------------------------------------------------------------------------------------------------


def test_every_code_of_finite_scalars_can_be_reached():
    """4 levels times 3: 12 codes, each with values of its own between -1 and 1."""
    part = made(finite_scalar.Config.tiny()).eval()
    values = part.values(torch.arange(12)[None])[0]
    assert len(values.unique(dim=0)) == 12 and values.abs().max() <= 1
    given = torch.randn(1, 4000, 2, generator=torch.Generator().manual_seed(0)) * 3
    codes, near, _ = part.quantise(given, None)
    assert codes.unique().tolist() == list(range(12))
    torch.testing.assert_close(near, part.values(codes))


def test_levels_have_to_be_levels():
    with pytest.raises(ConfigError, match=r"levels is \(8, 1\); each number has 2 or more\. Set levels=8,5,5,5"):
        made(finite_scalar.Config(levels=(8, 1)))


# -- a codebook --------------------------------------------------------------------------------------------------------


def clusters(num=400, seed=0):
    """Tokens around 6 places far apart, and which place each is of."""
    random = torch.Generator().manual_seed(seed)
    place_N = torch.randint(6, (num,), generator=random)
    return torch.nn.functional.one_hot(place_N, 6) * 10.0 + torch.randn(num, 6, generator=random) * 0.1, place_N


def book(codes=6, **options):
    part = made(vector_quantized.Config(codes=codes, inner=6, width=6, **options), widths=(6, 6))
    with torch.no_grad():
        part.inward.weight.copy_(torch.eye(6))
        part.inward.bias.zero_()
    return part


def test_the_codebook_finds_clusters():
    part = book(codes=12).train()
    for step in range(60):
        part(Latent(torch.zeros(1, 6), clusters(seed=step)[0][None]))
    tokens_ND, place_N = clusters(seed=99)
    found = part.eval()(Latent(torch.zeros(1, 6), tokens_ND[None]))
    assert found.aside.values["commitment"] < 0.1
    for code in found.codes.unique():
        assert len(place_N[found.codes[0] == code].unique()) == 1, "a code is of one cluster"


def test_the_first_step_of_the_codebook_by_hand():
    """Counts begin at 1 and vectors at tokens; after one step a count is decay + (1 - decay) * its tokens."""
    part = book(codes=2, decay=0.9, least=0.0).train()
    part.begun.fill_(1.0)
    part.book_KD.copy_(torch.eye(6)[:2] * 10)
    part.total_KD.copy_(part.book_KD)
    tokens_ND = torch.eye(6)[:2][[0, 0, 0, 1]] * 8.0
    part(Latent(torch.zeros(1, 6), tokens_ND[None]))
    torch.testing.assert_close(part.count_K, torch.tensor([0.9 + 0.1 * 3, 0.9 + 0.1 * 1]))
    assert part.book_KD[0, 0].item() == pytest.approx((0.9 * 10 + 0.1 * 24) / 1.2)
    assert part.book_KD[1, 1].item() == pytest.approx((0.9 * 10 + 0.1 * 8) / 1.0)


def test_dead_codes_begin_anew():
    for least, alive in ((0.03, True), (0.0, False)):
        part = book(codes=6, decay=0.5, least=least).train()
        part.begun.fill_(1.0)
        part.book_KD.copy_(torch.full((6, 6), 1000.0))
        part.book_KD[0] = 0.0
        part.total_KD.copy_(part.book_KD)
        for step in range(20):
            part(Latent(torch.zeros(1, 6), clusters(seed=step)[0][None]))
        codes = part.eval()(Latent(torch.zeros(1, 6), clusters(seed=99)[0][None])).codes
        assert (len(codes.unique()) >= 5) is alive


def test_hidden_tokens_do_not_move_the_codebook():
    moved = []
    for last in (0.0, 500.0):
        part, tokens_ND = book().train(), clusters()[0].clone()
        tokens_ND[-1] = last
        mask = torch.ones(1, 400, dtype=torch.bool)
        mask[0, -1] = False
        torch.manual_seed(0)
        part(Latent(torch.zeros(1, 6), tokens_ND[None], mask))
        moved.append(part.book_KD.clone())
    assert torch.equal(*moved)


def test_terms_of_two_spaces_stand_side_by_side():
    image, sound = (book(codes=codes)(Latent(torch.zeros(1, 6), clusters()[0][None])) for codes in (12, 2))
    found = Made({"image": image, "sound": sound}).aside()
    assert list(found.values) == ["commitment", "sound_commitment"]
    assert list(found.reports) == ["codes_used", "sound_codes_used"]
    assert found.values["sound_commitment"] is sound.aside.values["commitment"]


# -- a tokenizer of pictures -------------------------------------------------------------------------------------------


def tokenizer(config):
    recipe = Recipe(
        name="vqvae",
        encode={"image": image_cnn.Config(size=16, stem=8, stride=1, widths=(8, 16), blocks=(1, 1))},
        space={"image": replace(config, width=16)},
        decode={"image": image_deconv.Config(side=16, widths=(16, 8), read="grid")},
        objective={"reconstruction": reconstruction.Config()},
        weight={"reconstruction": 20.0, "commitment": 0.25},
        routes={"reconstruct": Route(given=("image",), make="image")},
    )
    return eight.learn(CrossModal.create(recipe, eight.samples()), 120)


def test_pictures_come_back_from_their_codes(config):
    """The mean picture errs by chance; with codes of other pictures, by more."""
    model = tokenizer(config)
    found = evaluate(model, [model.batch(eight.samples(), targets=True)])
    assert found.figures["mse"] < 0.25 * found.chance["mse"]
    assert 0 < found.figures["code_use"] <= 1 and 0 < found.figures["code_perplexity"] <= 1
    batch = model.batch(eight.samples(), targets=True)
    with torch.no_grad():
        made_of = model(batch).latents["image"]
        other = replace(made_of, tokens=model.spaces["image"].tokens_of(made_of.codes.roll(1, 0)))
        apart = model.decoders["image"].make(other) - batch.targets["image"].data / 255
    assert apart.square().mean() > found.chance["mse"]


def test_numbers_of_two_levels_are_learned_too():
    """Half of what comes in lies on either side, and gradients are as large as with three levels."""
    found = {}
    for levels in ((2,) * 6, (3,) * 6):
        space = made(finite_scalar.Config(levels=levels))
        given_PTD = torch.randn(4, 64, 6, requires_grad=True)
        codes_PT, near_PTD, _ = space.quantise(given_PTD, None)
        (near_PTD * torch.randn(6)).sum().backward()
        found[levels[0]] = given_PTD.grad.abs().mean().item()
        assert len(codes_PT.unique()) > 0.6 * min(space.size, 256)
        step_PTD = space.values(codes_PT)
        torch.testing.assert_close(step_PTD, near_PTD.detach())
    assert found[2] > found[3] / 4
