"""Pictures that a model made, beside those that they should be."""

from tests import eight
from tests.report._read import Page

from tuwen.data._config import Data
from tuwen.decode import image_dense as decode_dense
from tuwen.encode import image_dense as encode_dense
from tuwen.evaluation import Evaluation, evaluate
from tuwen.model import CrossModal
from tuwen.objective import reconstruction
from tuwen.recipe import Recipe
from tuwen.report._look import Look
from tuwen.report.evaluation import evaluation_page
from tuwen.report.reconstructions import section
from tuwen.space import bottleneck
from tuwen.types import Route


def look():
    recipe = Recipe(
        name="dense-autoencoder",
        encode={"image": encode_dense.Config(size=12, channels=3, widths=(16,))},
        space={"image": bottleneck.Config(width=4)},
        decode={"image": decode_dense.Config(side=12, channels=3, hidden=(16,))},
        objective={"reconstruction": reconstruction.Config()},
        routes={"reconstruct": Route(given=("image",), make="image")},
        data=Data(),
    )
    rows = eight.samples()
    model = CrossModal.create(recipe, rows).eval()
    return Look(found=evaluate(model, [model.batch(rows, targets=True)]), samples=rows, model=model)


def test_each_stands_beside_what_it_should_be():
    read = Page(section(look()))
    alts = [image["alt"] for image in read.named("img")]
    assert len(alts) == 16 and not read.wrong
    assert alts[1::2] == [f"{alt}, made from its image" for alt in alts[::2]]
    assert "as it is from image mse" in read.text


def test_the_page_has_a_map_of_the_pictures():
    read = Page(evaluation_page(look()))
    assert [part["id"] for part in read.named("section")] == ["figures", "reconstructions", "map-of-the-shared-space"]


def test_none():
    assert section(Look(found=Evaluation(figures={}))) == ""
