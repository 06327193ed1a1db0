"""Several models as one: their mean decides; the same model twice is itself; what cannot write together says so."""

import functools
import json
from dataclasses import replace

import pytest
import torch
from tests import eight

from tuwen import cli
from tuwen.directory import save
from tuwen.encode import image_cnn
from tuwen.ensemble import Ensemble, _mean
from tuwen.errors import CannotError, ConfigError
from tuwen.evaluation import evaluate
from tuwen.generate import beam, contrastive, greedy, mbr, sampling
from tuwen.matchers import Matchers
from tuwen.model import CrossModal
from tuwen.task._writing import build
from tuwen.task.caption import latent_of
from tuwen.types import Sample


@functools.cache
def other(steps=25):
    """Another model of the same pictures and words: it reads them at another size, and has learned less."""
    recipe = eight.recipe(match=False)
    encode = {"image": replace(image_cnn.Config.tiny(), size=32)}
    recipe = replace(recipe, encode=encode, train=replace(recipe.train, seed=8))
    return eight.learn(CrossModal.create(recipe, eight.samples()), steps)


def first():
    return eight.model(match=False)


@functools.cache
def both():
    return Ensemble([first(), other()]).eval()


def images():
    return [row.fields["image"] for row in eight.samples()]


def test_the_mean_by_hand():
    """Of (1/2, 1/2) and (1/8, 7/8): the roots of 1/16 and 7/16, that is 1 to the root of 7."""
    found = _mean([torch.tensor([[0.5, 0.5]]).log() + 3, torch.tensor([[0.125, 0.875]]).log()]).softmax(-1)
    share = 1 / (1 + 7**0.5)
    assert found.tolist()[0] == pytest.approx([share, 1 - share])


def test_the_same_model_twice_is_itself():
    alone, twice = first(), Ensemble([first(), first()])
    for options in ({}, {"beam": 1}, {"method": "contrastive"}, {"method": "sampling", "best": 3, "seed": 4}):
        one, two = (model.caption(images(), **options) for model in (alone, twice))
        assert [r.caption for r in one] == [r.caption for r in two]
        assert [r.logprob for r in one] == pytest.approx([r.logprob for r in two], abs=1e-3)


@pytest.mark.parametrize("method", [greedy, beam, contrastive, sampling], ids=lambda module: module.__name__[15:])
def test_what_it_writes_is_as_probable_as_the_mean_says(method):
    """Each text is judged again by both models, each from its own pictures, with teacher forcing."""
    model = both()
    latent = latent_of(model, model.batch([Sample(str(i), {"image": one}) for i, one in enumerate(images())]))
    with torch.no_grad():
        written = [texts[0] for texts in method.Config().build()(model.decoders["text"], latent)]
        for row, one in enumerate(written):
            rows = [Sample("x", {"image": images()[row], "text": model.decoders["text"].texts([one.tokens])})]
            singles = [single(single.batch(rows, targets=True)).routes["caption"] for single in (first(), other())]
            assert singles[0].target.tolist() == [*one.tokens, model.decoders["text"].eos]
            mean = _mean([single.prediction for single in singles]).log_softmax(-1)
            again = mean.gather(1, singles[0].target[:, None]).sum().item()
            assert one.logprob == pytest.approx(again, abs=1e-3)


def test_both_are_heard():
    """Its likelihood of the references lies between those of the two, and is neither's."""
    figures = [
        evaluate(model, [model.batch(eight.samples(), targets=True)], method=beam.Config(beams=2)).figures
        for model in (first(), other(), both())
    ]
    nats = [one["nats_per_token"] for one in figures]
    assert min(nats[:2]) + 0.01 < nats[2] < max(nats[:2]) - 0.01
    assert figures[2]["shuffled_gap"] > 0.1  # the pictures of all models are exchanged
    assert figures[2]["cider"] > 0


def test_rows_that_are_picked_are_those_of_all_models():
    batch = both().batch(eight.samples())
    with torch.no_grad():
        latent = both().latent("image", batch.inputs["image"])
        alone = other().latent("image", other().batch(eight.samples()).inputs["image"])
    picked = latent.rows(torch.tensor([5, 2]))
    assert torch.equal(picked.pooled, latent.pooled[[5, 2]])
    torch.testing.assert_close(picked.others[0].pooled, alone.pooled[[5, 2]])


def test_pictures_that_are_done_leave_and_nobody_sees_the_others():
    together = both().caption(images())
    alone = [both().caption(image) for image in images()]
    assert [r.caption for r in together] == [r.caption for r in alone]


def test_vectors_stand_side_by_side():
    vectors = both().encode(images())
    widths = [model.encode(images()).shape[1] for model in (first(), other())]
    assert vectors.shape == (8, sum(widths))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(8))
    torch.testing.assert_close(vectors[:, : widths[0]], first().encode(images()) / 2**0.5)


def test_from_the_command_line(tmp_path, capsys):
    for name, model in (("a", first()), ("b", other())):
        save(model, tmp_path / name)
    data = tmp_path / "photos"
    eight.write_pictures(data)
    pair = f"{tmp_path / 'a'},{tmp_path / 'b'}"
    assert cli.main(["caption", pair, str(data / "red.png"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    expected = both().caption(data / "red.png")
    assert (said["caption"], said["logprob"]) == (expected.caption, expected.logprob)
    page = tmp_path / "page.html"
    asked = ["evaluate", pair, str(data), "--set", "data.val=0", "--set", "data.test=0", "--split", "train"]
    assert cli.main([*asked, "--json", "--html", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figures"]["num_captions"] == 8 and page.stat().st_size > 1000
    assert cli.main(["caption", f"{pair},", str(data / "red.png")]) == 2
    assert "b,': one stands on both sides of each comma, as in A,B" in capsys.readouterr().err
    assert cli.main(["caption", f"{pair},{tmp_path}/./a", str(data / "red.png")]) == 2
    assert "/./a twice, which weighs it twice and adds nothing; name each model once" in capsys.readouterr().err
    assert cli.main(["reconstruct", pair, str(data / "red.png")]) == 2
    assert "b names 2 models, and one is taken here; name one. Several write captions" in capsys.readouterr().err
    assert cli.main(["embed", pair, str(data), "-o", f"{page}.npy"]) == 2
    assert "a does not match pictures with texts, so that it has no vectors" in capsys.readouterr().err
    assert not (tmp_path / "page.html.npy").exists()
    assert cli.main(["caption", f"{tmp_path / 'a'},{tmp_path / 'c'}", str(data / "red.png")]) == 2
    assert f"there is no model directory {tmp_path / 'c'}" in capsys.readouterr().err


def test_what_cannot_write_together_is_said():
    texts = [replace(row, fields={**row.fields, "text": [f"one {row.key} thing"]}) for row in eight.samples()]
    stranger = CrossModal.create(eight.recipe(match=False), texts)
    sizes = [model.decoders["text"].tokenizer.size for model in (first(), stranger)]
    with pytest.raises(
        ConfigError, match=f"a and b have different vocabularies .{sizes[0]} and {sizes[1]} tokens., so"
    ):
        Ensemble([first(), stranger], ["a", "b"])
    with pytest.raises(CannotError, match="this model was not trained to caption; it can: .*classify"):
        Ensemble([first(), eight.classifier()])
    matcher = eight.model(captions=False)
    with pytest.raises(ConfigError, match="a does not caption; name a model that writes beside: tuwen"):
        Ensemble([matcher], ["a"])
    with pytest.raises(
        CannotError, match="several models together have no confidence; leave min_confidence out, or ask"
    ):
        both().caption(images()[0], min_confidence=0.5)
    with pytest.raises(CannotError, match="was not trained to rerank captions; it can: caption"):
        both().caption(images()[0], rerank=True)


def test_one_that_only_matches_has_a_voice_and_ranks():
    """It writes nothing. Minimum Bayes risk and rerank ask it how well texts fit; where nothing does, that is said."""
    matcher = eight.model(captions=False)
    beside = Ensemble([matcher, first()], ["m", "a"]).eval()
    silent = "^m only matches pictures with texts, which changes nothing as captions are written here. Add --method mbr"
    with pytest.raises(ConfigError, match=silent):
        beside.caption(images())
    with pytest.raises(ConfigError, match=silent):
        evaluate(beside, [beside.batch(eight.samples(), targets=True)])
    ranked = beside.caption(images(), rerank=True, best=3)
    for image, one in zip(images(), ranked, strict=True):
        said = [one, *one.alternatives]
        assert [text.match for text in said] == sorted((text.match for text in said), reverse=True)
        assert one.match == pytest.approx(matcher.match(image, [one.caption]).scores[0].cosine, abs=1e-3)
    latent = latent_of(beside, beside.batch([Sample(str(i), {"image": one}) for i, one in enumerate(images())]))
    for rows in (latent, latent.rows(torch.tensor([5, 2]))):
        found = build(beside, mbr.Config()).match(rows, [["a red thing", "a blue thing"]] * len(rows))
        places = range(8) if rows is latent else (5, 2)
        for cosines, place in zip(found, places, strict=True):
            scores = matcher.match(images()[place], ["a red thing", "a blue thing"]).scores
            assert cosines == pytest.approx([score.cosine for score in scores], abs=1e-3)


def test_an_empty_text_fits_nothing():
    beside = Ensemble([first(), eight.model(captions=False)]).eval()
    latent = latent_of(beside, beside.batch([Sample("0", {"image": images()[0]})]))
    match = build(beside, mbr.Config()).match
    assert match(latent, [["", " "]]) == [[-1.0, -1.0]] and match(latent, [["", "a red thing"]])[0][1] > -1


def test_its_voice_decides_where_the_writers_do_not():
    """Of a writer that has learned nothing, what fits the picture better is said where fitting counts."""
    untrained = eight.learn(CrossModal.create(eight.recipe(match=False), eight.samples()), 8)
    matcher = eight.model(captions=False)
    beside = Ensemble([untrained, matcher]).eval()
    latent = latent_of(beside, beside.batch([Sample(str(i), {"image": one}) for i, one in enumerate(images())]))

    def fitting(weight):
        written = build(beside, mbr.Config(match=weight, samples=32, temperature=1.0))(beside.decoders["text"], latent)
        said = beside.decoders["text"].texts([texts[0].tokens for texts in written])
        scores = [
            matcher.match(image, [text or "a"]).scores[0].cosine for image, text in zip(images(), said, strict=True)
        ]
        return sum(scores) / len(scores)

    assert fitting(30.0) > fitting(0.0) + 0.1


def test_equal_encoders_are_asked_once(monkeypatch):
    """Two models of one encoder and a third: two looks at each picture."""
    twin = CrossModal.create(eight.recipe(match=False), eight.samples()).eval()
    twin.encoders["image"].load_state_dict(first().encoders["image"].state_dict())
    model = Ensemble([first(), other(), twin]).eval()
    assert model.twins == {"image": [0, 1, 0]}
    asked = []
    for one in (first(), other(), twin):
        encoder = one.encoders["image"]
        monkeypatch.setattr(
            encoder, "forward", lambda *given, own=encoder.forward: asked.append(len(given[0])) or own(*given)
        )
    feed = model.batch(eight.samples()).inputs["image"]
    assert feed.others[1].data is feed.data
    with torch.no_grad():
        latent = model.latent("image", feed)
        alone = twin.latent("image", twin.batch(eight.samples()).inputs["image"])
    assert asked == [8, 8, 8]  # the last: alone
    torch.testing.assert_close(latent.others[1].tokens, alone.tokens)


def test_an_encoder_that_learned_something_else_is_asked_for_itself():
    twin = CrossModal.create(eight.recipe(match=False), eight.samples())
    assert Ensemble([first(), twin]).twins == {"image": [0, 1]}


def test_one_of_another_vocabulary_is_asked_for_itself():
    """Before they learn, the weights of two text encoders are equal though their words are not."""
    texts = [
        replace(row, fields={**row.fields, "text": [text.replace("picture", "photo") for text in row.fields["text"]]})
        for row in eight.samples()
    ]
    recipe = eight.recipe(captions=False)
    recipe = replace(recipe, encode={**recipe.encode, "text": replace(recipe.encode["text"], tokenizer="word")})
    one, two = (CrossModal.create(recipe, rows) for rows in (eight.samples(), texts))
    weights = [model.encoders["text"].state_dict() for model in (one, two)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert Matchers([one, two]).twins == {"image": [0, 0], "text": [0, 1]}
