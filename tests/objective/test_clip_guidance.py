"""Pictures are drawn towards their texts by a frozen model of ours: by hand, its gradient, what it leaves alone."""

from dataclasses import replace

import pytest
import torch
from tests import eight

from tuwen.embedder import open_embedder
from tuwen.errors import CannotError, ConfigError
from tuwen.objective import adversarial
from tuwen.objective.clip_guidance import Config
from tuwen.train.guide import guide
from tuwen.types import Batch, Decoded, Latent, Made

ROWS = eight.samples(16)
PIXELS = torch.stack([torch.tensor(one.fields["image"]).permute(2, 0, 1) for one in ROWS]).float() / 255
BATCH = Batch([one.key for one in ROWS], {}, raw=ROWS)


def made(pixels, **more):
    return Made({"draw": Latent(torch.zeros(8, 4), **more)}, {"draw": Decoded(pixels, PIXELS)})


@pytest.fixture(scope="module")
def objective():
    built = Config(source=str(eight.directory(captions=False)), changes=()).build()
    guide([built], torch.device("cpu"))
    return built


def term(objective, pixels, **more):
    return objective(made(pixels, **more), BATCH).values["clip_guidance"]


def test_it_is_one_less_the_mean_cosine_with_the_first_texts(objective):
    model = eight.model(captions=False)
    texts = [one.fields["text"][0] for one in ROWS]
    cosines = model.similarity([one.fields["image"] for one in ROWS], texts).diagonal()
    assert term(objective, PIXELS).item() == pytest.approx(1 - cosines.mean().item(), abs=1e-5)


def test_pictures_of_other_texts_fit_less(objective):
    assert term(objective, PIXELS) < term(objective, PIXELS.roll(1, 0)) - 0.3


def test_texts_are_those_of_the_rows_that_pictures_belong_to(objective):
    owner = torch.arange(8).roll(1)
    assert term(objective, PIXELS.roll(1, 0), owner_P=owner).item() == pytest.approx(term(objective, PIXELS).item())


def test_rows_without_a_text_are_left_out(objective):
    raw = [replace(one, fields={**one.fields, "text": text}) for one, text in zip(ROWS[:2], ([], None), strict=True)]
    some = Batch(BATCH.keys, {}, raw=[*raw, *ROWS[2:]])
    found = objective(made(PIXELS), some).values["clip_guidance"]
    alone = objective(
        Made({"draw": Latent(torch.zeros(6, 4))}, {"draw": Decoded(PIXELS[2:], PIXELS[2:])}),
        Batch([], {}, raw=ROWS[2:]),
    )
    assert found.item() == pytest.approx(alone.values["clip_guidance"].item(), abs=1e-6)
    none = Made({"draw": Latent(torch.zeros(2, 4))}, {"draw": Decoded(PIXELS[:2], PIXELS[:2])})
    assert objective(none, Batch([], {}, raw=raw)).values == {}


def test_grey_pixels_move_towards_their_colours(objective):
    """Following the gradient of the pixels alone, grey squares come to fit their texts, and the right ones best."""
    pixels = torch.full((8, 3, 16, 16), 0.5, requires_grad=True)
    optimiser = torch.optim.Adam([pixels], lr=0.05)
    first = term(objective, pixels).item()
    for _ in range(15):
        term(objective, pixels.clamp(0, 1)).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert term(objective, pixels.clamp(0, 1)).item() < first - 0.3
    drawn = [(one.permute(1, 2, 0).clamp(0, 1) * 255).byte().numpy() for one in pixels.detach()]
    found = eight.model(captions=False).similarity(drawn, [one.fields["text"][0] for one in ROWS])
    assert (found.argmax(1) == torch.arange(8)).sum() >= 6, "chance: one of eight"


def test_the_guide_is_frozen_and_no_part_of_the_objective(objective):
    pixels = PIXELS.clone().requires_grad_()
    term(objective, pixels).backward()
    assert pixels.grad.any()
    parts = objective.guide.model
    assert not parts.training and all(not p.requires_grad and p.grad is None for p in parts.parameters())
    assert not isinstance(objective, torch.nn.Module)


def test_pictures_are_moved_in_training_and_not_in_evaluation(objective):
    moved = Config(changes=("translation",)).build()
    moved.guide = objective.guide
    torch.manual_seed(0)
    noise = torch.rand(8, 3, 16, 16)
    assert term(moved, noise) != term(moved, noise)
    with torch.no_grad():
        assert term(moved, noise) == term(moved, noise) == term(objective, noise)


# -- the model that is asked -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "channels"), [(16, 3), (24, 3), (16, 1)])
def test_it_sees_drawn_pictures_as_it_sees_files(side, channels):
    embedder = open_embedder(str(eight.directory(captions=False)))
    pixels = [torch.tensor(one.fields["image"]) for one in eight.samples(side)]
    if channels == 1:
        pixels = [one.float().mean(-1, keepdim=True).round().byte() for one in pixels]
    wanted = torch.tensor(embedder.images([one.expand(-1, -1, 3).numpy() for one in pixels]))
    found = embedder.drawn(torch.stack(pixels).permute(0, 3, 1, 2).float() / 255)
    torch.testing.assert_close(torch.nn.functional.normalize(found, dim=1), wanted, atol=2e-3, rtol=0)


def test_a_guide_that_is_not_named_or_cannot_match_is_said_and_what_to_type():
    with pytest.raises(ConfigError) as caught:
        guide([adversarial.Config().build(), Config().build()], torch.device("cpu"))
    assert str(caught.value) == (
        "objective.clip_guidance needs a model that matches pictures and texts: `tuwen train DATA -o MATCHES -r clip` makes "
        "one, --set objective.clip_guidance.source=MATCHES names it."
    )
    with pytest.raises(ConfigError, match="objective.clip_guidance: there is no folder '/no/such'"):
        guide([Config(source="/no/such").build()], torch.device("cpu"))
    with pytest.raises(CannotError, match="was not trained to say how well texts fit pictures; it can: caption"):
        guide([Config(source=str(eight.directory(match=False))).build()], torch.device("cpu"))
