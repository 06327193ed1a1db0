"""Several that match as one: the mean of their cosines, whatever their widths and words; vectors and neighbours of them."""

import functools
import json
from dataclasses import replace

import pytest
import torch
from tests import eight

from tuwen import cli
from tuwen.directory import save
from tuwen.encode import text_transformer
from tuwen.ensemble import Ensemble
from tuwen.errors import CannotError, ConfigError
from tuwen.generate import mbr
from tuwen.matchers import Matchers, side_by_side
from tuwen.model import CrossModal
from tuwen.space import projection
from tuwen.task._writing import build
from tuwen.task.caption import latent_of
from tuwen.types import Latent, Sample

TEXTS = ["a red picture", "this is blue", "so very green"]


def first():
    return eight.model(captions=False)


@functools.cache
def other(steps=25):
    """One of whole words, in a narrower space, that has learned less."""
    recipe = eight.recipe(captions=False)
    encode = {**recipe.encode, "text": replace(text_transformer.Config.tiny(), tokenizer="word")}
    space = dict.fromkeys(("image", "text"), projection.Config(width=16, embed=8, heads=2, scale=5.0))
    recipe = replace(recipe, encode=encode, space=space, train=replace(recipe.train, seed=8))
    return eight.learn(CrossModal.create(recipe, eight.samples()), steps)


@functools.cache
def both():
    return Matchers([first(), other()], ["a", "b"]).eval()


def images():
    return [row.fields["image"] for row in eight.samples()]


def cosines(model):
    return torch.tensor([[score.cosine for score in one.scores] for one in model.match(images(), TEXTS)])


def mean():
    return (first().similarity(images(), TEXTS) + other().similarity(images(), TEXTS)) / 2


def test_side_by_side_by_hand():
    """Cosines 0.6 and 1 have the mean 0.8, however long the vectors; scales 4 and 9 the geometric mean 6."""
    one, two = (Latent(pooled=torch.tensor([place])) for place in ([3.0, 4.0], [0.0, 0.0, 2.0]))
    red, far = (Latent(pooled=torch.tensor([place])) for place in ([5.0, 0.0], [0.0, 0.0, 1.0]))
    both = side_by_side([one, two]), side_by_side([red, far])
    assert both[0].pooled.norm().item() == pytest.approx(1) and both[0].scale is None and both[0].bias is None
    assert (both[0].pooled * both[1].pooled).sum().item() == pytest.approx(0.8)
    scaled = [
        replace(one, scale=torch.tensor(scale), bias=torch.tensor(bias)) for scale, bias in ((4.0, -1.0), (9.0, -3.0))
    ]
    assert (side_by_side(scaled).scale.item(), side_by_side(scaled).bias.item()) == (pytest.approx(6), -2)
    assert side_by_side([scaled[0], one]).scale is None and side_by_side([one]) is one


def test_a_cosine_is_the_mean_of_theirs():
    """Each reads texts by its own words; what they say apart is not the same."""
    assert (first().similarity(images(), TEXTS) - other().similarity(images(), TEXTS)).abs().max() > 0.1
    torch.testing.assert_close(cosines(both()), mean(), atol=1e-4, rtol=0)
    torch.testing.assert_close(both().similarity(images(), TEXTS), mean())
    assert both().encode(TEXTS).shape == (3, 16 + 8)


def test_the_same_model_twice_and_once_is_itself():
    alone = first().match(images(), TEXTS)
    for models in ([first()], [first(), first()]):
        again = Matchers(models).eval()
        for one, two in zip(alone, again.match(images(), TEXTS), strict=True):
            for mine, theirs in zip(one.scores, two.scores, strict=True):
                assert (mine.cosine, mine.share) == pytest.approx((theirs.cosine, theirs.share), abs=2e-4)


def test_their_order_turns_no_answer():
    torch.testing.assert_close(cosines(Matchers([other(), first()]).eval()), cosines(both()), atol=2e-4, rtol=0)


def test_writers_ask_them_all():
    """Rerank and minimum Bayes risk hear the mean; what is written does not change."""
    writer = eight.model(match=False)
    beside = Ensemble([first(), writer, other()]).eval()
    with pytest.raises(ConfigError, match="^one of the models only matches pictures with texts, which changes nothing"):
        beside.caption(images())
    for image, one in zip(images(), beside.caption(images(), rerank=True), strict=True):
        apart = [single.match(image, [one.caption]).scores[0].cosine for single in (first(), other())]
        assert one.match == pytest.approx(sum(apart) / 2, abs=2e-4)
    latent = latent_of(beside, beside.batch([Sample(str(i), {"image": one}) for i, one in enumerate(images())]))
    rows = torch.tensor([5, 2])
    found = torch.tensor(build(beside, mbr.Config()).match(latent.rows(rows), [TEXTS] * 2))
    torch.testing.assert_close(found, mean()[rows])


def test_vectors_and_neighbours_of_several(tmp_path, capsys):
    """`tuwen embed A,B` makes them, in the order in which the models are named where captions are asked for."""
    writer = str(eight.directory(match=False))
    for name, model in (("a", first()), ("b", other())):
        save(model, tmp_path / name)
    eight.write_pictures(tmp_path / "photos")
    a, b, photos, out = (str(tmp_path / name) for name in ("a", "b", "photos", "v.npy"))
    assert cli.main(["embed", f"{a},{b}", photos, "-o", out, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["vectors"] == {"image": 8, "text": 16} and made["width"] == 16 + 8
    way = ["--method", "mbr", "--neighbours", out, "--json"]
    asked = ["evaluate", f"{writer},{a},{b}", photos, "--split", "train", "--set", "data.val=0", "--set", "data.test=0"]
    assert cli.main([*asked, *way]) == 0
    assert json.loads(capsys.readouterr().out)["figures"]["num_captions"] == 8
    for models, names in (((b, a), f"{b},{a}"), ((a,), a)):
        assert cli.main(["caption", ",".join((writer, *models)), f"{photos}/red.png", *way]) == 2
        said = capsys.readouterr().err
        assert f"not those of the model that matches here; make them with it: tuwen embed {names} DATA --split" in said
        assert said.endswith("; or name the models in the order in which they made them\n") is (len(models) > 1)


def test_they_match_name_and_are_evaluated_as_one(tmp_path, capsys):
    for name, model in (("a", first()), ("b", other())):
        save(model, tmp_path / name)
    eight.write_pictures(tmp_path / "photos")
    several, photos = f"{tmp_path / 'a'},{tmp_path / 'b'}", tmp_path / "photos"

    def said(*words):
        assert cli.main([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    found = said("match", several, photos / "red.png", *(word for text in TEXTS for word in ("--text", text)))
    alone = [model.match(str(photos / "red.png"), TEXTS).scores for model in (first(), other())]
    for one, mine, theirs in zip(found["scores"], *alone, strict=True):
        assert one["cosine"] == pytest.approx((mine.cosine + theirs.cosine) / 2, abs=2e-4)
    labels = [word for colour in eight.COLOURS for word in ("--label", colour)]
    named = said("classify", several, photos / "red.png", *labels, "--template", "a {} picture")
    assert "red" in json.dumps(named)
    both, one = (
        said("evaluate", model, photos, "--split", "train", "--set", "data.val=0", "--set", "data.test=0")["figures"]
        for model in (several, tmp_path / "a")
    )
    assert both.keys() == one.keys() and both["t2i_r1"] >= 0.75
    assert cli.main(["classify", f"{several},{eight.directory(match=False)}", str(photos / "red.png"), *labels]) == 2
    assert "does not match pictures with texts" in capsys.readouterr().err


def test_one_that_does_not_match_is_named():
    with pytest.raises(CannotError, match="^c does not match pictures with texts, so .* compare. Leave it out: a,b.$"):
        Matchers([first(), eight.model(match=False), other()], ["a", "c", "b"])
    with pytest.raises(CannotError, match="^model 1 does not match .*`tuwen train DATA -r dual-encoder` trains one"):
        Matchers([eight.model(match=False)])
    with pytest.raises(ConfigError, match="a and b do not caption; name .* beside: tuwen caption WRITER,a,b photo.jpg"):
        Ensemble([first(), other()], ["a", "b"])
