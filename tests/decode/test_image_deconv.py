import numpy as np
import pytest
import torch

from tuwen.decode.image_deconv import Config
from tuwen.errors import ConfigError, ShapeError
from tuwen.types import Feed, Latent, Widths


def latent(rows=2, grid=None, width=12):
    tokens = None if grid is None else torch.randn(rows, grid[0] * grid[1], width)
    return Latent(torch.randn(rows, 10), tokens, grid=grid)


def test_two_stages_make_a_picture_of_four_times_the_grid():
    part = Config(side=28, channels=1, widths=(16, 8)).build(Widths(12, 10)).eval()
    assert part.grid == (7, 7) and part.make(latent()).shape == (2, 1, 28, 28)


def test_a_token_grows_where_it_stands():
    """Of a grid only the corner is changed: the far corner of the picture stays as it was."""
    torch.manual_seed(0)
    part = Config(side=64, widths=(8, 8), read="grid", blocks=0).build(Widths(12, 10)).eval()
    one = latent(1, (16, 16))
    other = Latent(one.pooled, one.tokens.clone(), grid=one.grid)
    other.tokens[0, 0] += 5
    with torch.no_grad():
        moved = (part.make(one) - part.make(other)).abs().sum(1)[0]
    assert moved[:4, :4].sum() > 0 and moved[32:, 32:].sum() == 0


def test_a_grid_of_another_size_is_refused():
    part = Config(side=16, widths=(8, 8), read="grid").build(Widths(12, 10))
    with pytest.raises(
        ShapeError, match=r"makes 16 pixels of a grid of \(4, 4\); it got a grid of \(2, 8\)\. Give the encoder as many"
    ):
        part.make(latent(1, (2, 8)))
    with pytest.raises(ShapeError, match=r"it got no tokens\. .* or set read=pooled"):
        part.make(latent(1))


def test_a_side_that_does_not_divide_names_the_nearest():
    with pytest.raises(
        ConfigError, match=r"side is 30; 2 stages make a multiple of 4, .* Set side=32, or give other widths"
    ):
        Config(side=30, widths=(8, 8)).build(Widths(12, 10))
    with pytest.raises(ConfigError, match="0 stages make a multiple of 1, and there is at least one"):
        Config(widths=()).build(Widths(12, 10))


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_predictions_and_targets_are_on_one_scale(output):
    part = Config(side=8, channels=1, widths=(8,), output=output).build(Widths(12, 10)).eval()
    white = Feed(part.prepare([np.full((8, 8), 255, np.uint8)] * 2)[0], torch.tensor([1, 1]))
    with torch.no_grad():
        given = latent()
        made = part(given, white)
        shown = part.make(given)
    assert made.target.max() == made.target.min() == 1 and made.prediction.shape == made.target.shape
    assert torch.equal(made.prediction[0], made.prediction[1]), "both targets belong to the second latent"
    torch.testing.assert_close(shown[1], made.prediction[1].clamp(0, 1))
    assert (made.logits is None) == (output == "linear")


def test_pictures_are_bytes():
    part = Config(side=4, channels=1, widths=(4,)).build(Widths(1, 1))
    made = torch.tensor([0.0, 0.25, 1.0, 2.0]).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    [pixels] = part.pictures(made)
    assert pixels.shape == (4, 4, 1) and pixels.dtype == np.uint8
    assert pixels[0, :, 0].tolist() == [0, 64, 255, 255], "0.25 * 255 = 63.75"


def test_cells_read_the_tokens_that_are_real():
    torch.manual_seed(0)
    part = Config(side=16, widths=(8, 8), read="tokens").build(Widths(12, 10)).eval()
    tokens, mask, pooled = torch.randn(1, 3, 12), torch.tensor([[True, True, False]]), torch.randn(1, 10)
    drawn = []
    for change in (None, 1, 2):
        other = tokens.clone()
        if change is not None:
            other[0, change] += 1
        with torch.no_grad():
            drawn.append(part.make(Latent(pooled, other, mask)))
    assert not torch.allclose(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])
    with pytest.raises(ShapeError, match="with read='tokens' got none; set read=pooled"):
        part.make(Latent(pooled))


def test_shuffled_pixels_save_a_stage():
    part = Config(side=16, widths=(8,), shuffle=2).build(Widths(12, 10)).eval()
    assert part.grid == (4, 4) and part.make(latent()).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("read", ["pooled", "grid", "tokens"])
def test_noise_makes_another_picture_of_the_same_latent(read):
    torch.manual_seed(0)
    part = Config(side=16, widths=(8, 8), read=read, noise=6).build(Widths(12, 10)).eval()
    given = latent(2, (4, 4))

    def drawn(seed):
        with torch.no_grad():
            return part.make(given, generator=None if seed is None else torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(3), drawn(3)) and torch.equal(drawn(None), drawn(0))
    assert not torch.allclose(drawn(3), drawn(4), atol=1e-4)
    same = latent(2, (4, 4))
    same.pooled[1], same.tokens[1] = same.pooled[0], same.tokens[0]
    given = same
    assert not torch.allclose(*drawn(3), atol=1e-4), "each row has noise of its own"


def test_noise_is_new_in_each_step_of_training_and_always_the_same_in_evaluation():
    part = Config(side=16, widths=(8, 8), noise=6).build(Widths(12, 10))
    target = Feed(torch.zeros(2, 3, 16, 16, dtype=torch.uint8), torch.tensor([0, 1]))
    given, random = latent(), torch.get_rng_state()
    first, second = (part.train()(given, target).prediction for _ in range(2))
    assert not torch.allclose(first, second)
    torch.set_rng_state(random)
    torch.testing.assert_close(part(given, target).prediction, first)
    before = torch.get_rng_state()
    first, second = (part.eval()(given, target).prediction for _ in range(2))
    assert torch.equal(first, second) and torch.equal(before, torch.get_rng_state())
    with torch.no_grad():
        torch.testing.assert_close(part.make(given), first)


def test_without_noise_there_is_one_picture_of_a_latent():
    part = Config(side=16, widths=(8, 8)).build(Widths(12, 10)).eval()
    given = latent()
    with torch.no_grad():
        assert torch.equal(part.make(given, generator=torch.Generator().manual_seed(1)), part.make(given))
    assert part.begin[0].in_features == 10
