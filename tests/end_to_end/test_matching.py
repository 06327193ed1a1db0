"""Every recipe of matching, and its variants by `--set`: trained on eight pictures, it retrieves 8 of 8; by chance one."""

import pytest
import torch
from tests import eight

import tuwen
from tuwen.encode.image_pretrained import tiny_source
from tuwen.errors import CannotError, ConfigError, MissingExtraError
from tuwen.registry import get_recipe
from tuwen.train.loop import train
from tuwen.types import Facts

_ALL = (
    "data.val=0", "data.test=0", "train.lr=5e-3", "train.ema=0", "train.precision=float32", "train.threads=1",
    "train.warmup=0.1", "space.image.width=32", "space.image.embed=16", "space.image.heads=2", "space.text.width=32",
    "space.text.embed=16",
)  # fmt: skip
_CNN = ("encode.image=image_cnn", "encode.image.size=16", "encode.image.stem=8", "encode.image.widths=16,32")
_TRANSFORMER = ("encode.text.width=32", "encode.text.heads=2", "encode.text.layers=1", "encode.text.dropout=0")
_RNN = ("encode.text.width=16", "encode.text.embed=16", "encode.text.dropout=0", "encode.text.word_dropout=0")
_BOW = ("encode.text=text_bow", "encode.text.min_texts=1")
VARIANTS = {
    "dual-encoder": ("train.batch=8", "encode.text.min_texts=1", "space.image.dropout=0", "space.text.dropout=0"),
    "clip": (*_CNN, *_TRANSFORMER),
    "siglip": (*_CNN, *_TRANSFORMER),
    "clip with ranking": (*_CNN, *_TRANSFORMER, "objective.match=ranking"),
    "clip with ranking over all": (*_CNN, *_TRANSFORMER, "objective.match=ranking", "objective.match.negatives=all"),
    "clip with words": (*_CNN, *_BOW),
    "clip with runs of characters": (*_CNN, *_BOW, "encode.text.unit=char", "encode.text.weighting=counts"),
    "clip with an lstm": (*_CNN, "encode.text=text_rnn", "encode.text.cell=lstm", *_RNN),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_eight_of_eight(variant, tmp_path):
    recipe, settings = variant.partition(" ")[0], [*_ALL, *VARIANTS[variant], f"data.cache={tmp_path}/cache"]
    if recipe == "dual-encoder":
        try:
            settings.append(f"encode.image.source={tiny_source()}")
        except MissingExtraError as error:
            pytest.skip(str(error))
    paths = [path for path in eight.write_pictures(tmp_path / "photos") if path.suffix == ".png"]
    train(tmp_path / "photos", out=tmp_path / "model", recipe=recipe, settings=settings, steps=100, seed=0)
    model = tuwen.load(tmp_path / "model")
    texts = [eight.texts(colour)[1] for colour in eight.COLOURS]
    answers = model.match(paths, texts)
    assert [answer.best for answer in answers] == texts
    assert "match" in model.can()
    cosine = model.similarity(paths, texts)
    torch.testing.assert_close(cosine, model.encode(paths) @ model.encode(texts).T)
    assert cosine.argmax(1).tolist() == list(range(8)) and cosine.abs().max() <= 1 + 1e-5
    assert [[score.cosine for score in answer.scores] for answer in answers] == pytest.approx(cosine.numpy(), abs=1e-3)
    with pytest.raises(CannotError, match="not trained to caption; it can: .*match"):
        model.caption(paths[0])


def test_a_frozen_tower_without_a_source_says_what_to_set(tmp_path):
    eight.write_pictures(tmp_path / "photos")
    with pytest.raises(ConfigError, match=r"does not say which model; .* encode\.image\.source=facebook/dinov2-small"):
        train(tmp_path / "photos", out=tmp_path / "model", recipe="dual-encoder", settings=_ALL[:2], steps=1)


def test_the_sigmoid_begins_with_its_bias():
    """Scale 10 and bias -10, in halves; what it costs at first is near the one right pair of each text."""
    recipe = get_recipe("siglip")(Facts(num_train=8))
    for space in recipe.space.values():
        assert (space.scale, space.bias) == (10.0, -10.0)
    assert recipe.train.batch < get_recipe("clip")(Facts(num_train=8)).train.batch
