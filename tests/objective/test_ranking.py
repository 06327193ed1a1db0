from dataclasses import replace

import pytest
import torch

from tuwen.errors import ConfigError, ShapeError
from tuwen.objective.ranking import Config, ranking
from tuwen.types import Batch, Latent, Made

COSINE = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
PAIRS = torch.eye(4, dtype=torch.bool)


def match(*owner: int, rows: int) -> torch.Tensor:
    return torch.arange(rows)[:, None] == torch.tensor(owner)


def test_a_hand_worked_batch():
    # margin 0.2. pictures: 0.2 - 0.9 + 0.8 = 0.1; 0.2 - 0.4 + 0.5 = 0.3; 0.2 - 0.6 + 0.1 < 0
    # texts: 0.2 - 0.9 + 0.5 < 0; 0.2 - 0.4 + 0.8 = 0.6; 0.2 - 0.6 + 0.3 < 0; the hardest: (0.1 + 0.3 + 0.6) / 3
    cosine = torch.tensor([[0.9, 0.8, 0.0], [0.5, 0.4, 0.3], [0.0, 0.1, 0.6]])
    assert ranking(cosine, torch.eye(3, dtype=torch.bool)).item() == pytest.approx(1.0 / 3)
    # all: also 0.2 - 0.4 + 0.3 = 0.1 for picture 1; no text has another
    assert ranking(cosine, torch.eye(3, dtype=torch.bool), negatives="all").item() == pytest.approx(1.1 / 3)


def test_with_one_text_a_picture_it_is_the_loss_of_the_paper():
    """As in the authors' code: costs of both directions with the diagonal out, their maxima, here the mean over pairs."""
    right = COSINE.diag()
    texts = (0.2 + COSINE - right[:, None]).clamp(min=0).fill_diagonal_(0)
    pictures = (0.2 + COSINE - right[None]).clamp(min=0).fill_diagonal_(0)
    hardest = (texts.max(1).values.sum() + pictures.max(0).values.sum()) / 4
    torch.testing.assert_close(ranking(COSINE, PAIRS), hardest)
    torch.testing.assert_close(ranking(COSINE, PAIRS, negatives="all"), (texts.sum() + pictures.sum()) / 4)


def test_pairs_that_are_nearer_by_the_margin_cost_nothing():
    assert ranking(torch.eye(3), PAIRS[:3, :3], margin=1.0).item() == 0


def test_swapping_the_sides_changes_nothing():
    pairs = match(0, 0, 1, 3, rows=4)
    torch.testing.assert_close(ranking(COSINE, pairs), ranking(COSINE.T, pairs.T))


def test_captions_of_one_picture_are_no_negatives():
    # texts 0 and 1 belong to picture 0, text 2 to picture 1; text 1 is nearer to picture 0 than text 0 is, which costs nothing
    cosine = torch.tensor([[0.5, 0.9, 0.0], [0.0, 0.0, 0.5]])
    assert ranking(cosine, match(0, 0, 1, rows=2)).item() == 0
    assert ranking(cosine, match(0, 1, 1, rows=2)).item() > 0


def test_only_the_hardest_wrong_one_learns():
    cosine = COSINE.clone().requires_grad_()
    one_way = ranking(cosine, PAIRS, margin=1.0)
    pulled = torch.autograd.grad(one_way, cosine)[0].masked_fill(PAIRS, 0) > 0
    hardest = COSINE.masked_fill(PAIRS, -1)
    expected = (hardest == hardest.amax(1, keepdim=True)) | (hardest == hardest.amax(0))
    assert torch.equal(pulled, expected)


def test_a_picture_alone_costs_nothing():
    assert ranking(torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool)).item() == 0


def made(scale: float) -> Made:
    image, text = Latent(torch.eye(3), scale=torch.tensor(scale)), Latent(torch.ones(3, 3), scale=torch.tensor(scale))
    return Made({"image": image, "text": replace(text, bias=torch.tensor(-5.0))})


def test_the_scale_of_a_match_does_not_change_the_margin():
    batch = Batch(["a", "b", "c"], {})
    found = [Config().build()(made(scale), batch).values["ranking"].item() for scale in (1.0, 30.0)]
    assert found == pytest.approx([0.4, 0.4])


@pytest.mark.parametrize("negatives", ["hardest", "all"])
@pytest.mark.parametrize("matched", [True, False])
def test_it_learns_pairs_and_nothing_of_shuffled_ones(negatives, matched):
    """Eight pictures and texts of 16 random numbers each, two linear towers; by chance 1 of 8 is right."""
    random = torch.Generator().manual_seed(0)
    image, text = torch.randn(8, 16, generator=random), torch.randn(8, 16, generator=random)
    torch.manual_seed(0)
    towers = [torch.nn.Linear(16, 8), torch.nn.Linear(16, 8)]
    objective = Config(negatives=negatives).build()
    optimiser = torch.optim.Adam([p for tower in towers for p in tower.parameters()], lr=0.01)
    for step in range(150):
        order = torch.arange(8) if matched else torch.randperm(8, generator=random)
        both = {"image": Latent(towers[0](image)), "text": Latent(towers[1](text[order]))}
        loss = objective(Made(both), Batch([str(step)] * 8, {})).values["ranking"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    a, b = (torch.nn.functional.normalize(tower(x), dim=1) for tower, x in zip(towers, (image, text), strict=True))
    right = int(((a @ b.T).argmax(1) == torch.arange(8)).sum())
    assert right == 8 if matched else right <= 4


def test_a_margin_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"objective\.ranking: margin is 0; it is above 0\. Set margin=0\.2\."):
        Config(margin=0).build()


def test_matches_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"cosines are \(2, 3\) and matches \(3, 2\); they must be alike"):
        ranking(torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.bool))
