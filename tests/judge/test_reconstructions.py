"""Pictures made again, judged: by hand, chance, and rows."""

import numpy as np
import pytest
import torch
from tests import autoencoders, drawing, eight
from tests.test_evaluation import batches

from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.judge import reconstructions
from tuwen.types import Sample


@pytest.fixture(scope="module")
def found():
    model = autoencoders.model()
    return evaluate(model, batches(model, autoencoders.samples(), size=3), method=Greedy(), bootstrap=True)


def test_by_hand(found):
    model, pictures = autoencoders.model(), [one.fields["image"] for one in autoencoders.samples()]
    data = torch.tensor(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        made = model.decoders["image"].make(model.latent("image", model.batch(autoencoders.samples()).inputs["image"]))
    each = (made - data).square().mean((1, 2, 3))
    assert found.figures["mse"] == pytest.approx(each.mean().item(), rel=1e-4)
    assert found.figures["psnr"] == pytest.approx((-10 * each.log10()).mean().item(), rel=1e-4)
    mean = (data - data.mean(0)).square().mean().item()
    assert found.chance["mse"] == pytest.approx(mean, rel=1e-4)


def test_of_errors_the_smallest_is_the_best_on_every_route(found):
    assert "mse" in found.less and "psnr" not in found.less
    model = drawing.model()
    assert set(reconstructions.Judge(model, None).less) == {f"{name}_mse" for name in model.routes}


def test_intervals_and_rows(found):
    assert {"mse", "psnr", "ssim"} <= found.intervals.keys()
    low, high = found.intervals["mse"]
    assert low <= found.figures["mse"] <= high
    assert [row["key"] for row in found.rows] == [one.key for one in autoencoders.samples()]
    assert np.mean([row["mse"] for row in found.rows]) == pytest.approx(found.figures["mse"], abs=1e-6)


def test_a_row_without_a_picture_is_left_out():
    model, rows = autoencoders.model(), autoencoders.samples()
    rows[2] = Sample("nothing", {"image": None, "text": ["a word"]})
    found = evaluate(model, batches(model, rows), method=Greedy())
    assert "nothing" not in {row["key"] for row in found.rows} and len(found.rows) == 7


def test_models_without_pictures_are_not_judged():
    assert not reconstructions.able(eight.model()) and reconstructions.able(autoencoders.model())


def test_pictures_made_of_several_captions_of_a_row_are_one_row():
    error_P = torch.tensor([1.0, 4.0, 3.0, 6.0])
    assert reconstructions._of_rows(error_P, [2, 5, 2, 5], [2, 5]).tolist() == [2.0, 5.0]
    assert reconstructions._of_rows(error_P, [0, 1, 2, 3], [0, 1, 2, 3]) is error_P
