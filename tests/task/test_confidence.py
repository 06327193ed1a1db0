"""Captions with a confidence: what it is made of, when it is there, and what is said where it is too low."""

import numpy as np
import pytest
import torch
from tests import eight

from tuwen.directory import load, save, save_confidence
from tuwen.errors import CannotError, CheckpointError, ConfigError
from tuwen.task._asking import pictures
from tuwen.task._confidence import known_of, written_as
from tuwen.task.caption import Request, latent_of, method_of, run, show

IMAGES = [sample.fields["image"] for sample in eight.samples()]


@pytest.fixture
def model():
    """The model of all tests, calibrated for a while: it is the surer, the longer a caption is."""
    model = eight.model()
    model.confidence = eight.confidence({"tokens": 1.0}, bias=-8.5)
    yield model
    model.confidence = None


def known(model, images):
    from tuwen.generate.beam import Config as Beam

    with torch.no_grad():
        latent = latent_of(model, pictures(model, images))
        written = [texts[0] for texts in Beam().build()(model.decoders["text"], latent)]
        return known_of(model, latent, written), latent, written


def test_what_is_known_of_a_caption(model):
    found, _, written = known(model, IMAGES)
    answers = model.caption(IMAGES)
    assert found["logprob"] == pytest.approx([one.logprob for one in answers], abs=1e-3)
    assert found["tokens"].tolist() == [len(one.tokens) + one.finished for one in written]
    cosines = [model.match(image, [a.caption]).scores[0].cosine for image, a in zip(IMAGES, answers, strict=True)]
    assert found["match"] == pytest.approx(cosines, abs=1e-3)


def test_gain_is_what_the_picture_adds(model):
    """Recomputed token by token by the decoder's own steps, with a latent of zeros."""
    from dataclasses import replace

    found, latent, written = known(model, IMAGES[:3])
    decoder = model.decoders["text"]
    empty = replace(latent, pooled=latent.pooled * 0, tokens=latent.tokens * 0)
    for row, one in enumerate(written):
        with torch.no_grad():
            state, total, last = decoder.start(empty.rows(torch.tensor([row]))), 0.0, decoder.bos
            for token in [*one.tokens, decoder.eos]:
                total += float(decoder.step(state, torch.tensor([last])).log_softmax(-1)[0, token])
                last = token
        assert found["gain"][row] == pytest.approx(one.score() - total / (len(one.tokens) + 1), abs=1e-4)
    assert (found["gain"] > 0.1).all(), "a model that knows its pictures does worse without them"


def test_each_caption_carries_it(model):
    answers = model.caption(IMAGES)
    tokens = known(model, IMAGES)[0]["tokens"]
    assert [a.confidence for a in answers] == pytest.approx(1 / (1 + np.exp(8.5 - tokens)), abs=1e-3)
    assert model.caption(IMAGES[3]).confidence == pytest.approx(answers[3].confidence, abs=1e-3), (
        "whatever is beside it"
    )
    assert model.caption(IMAGES[0], best=3).confidence == pytest.approx(answers[0].confidence, abs=1e-3)


def test_it_is_only_there_for_what_it_was_fitted_for(model):
    for options in ({"beam": 3}, {"method": "sampling"}, {"prompt": "this"}, {"no_repeat": 2}, {"rerank": True}):
        assert model.caption(IMAGES[0], **options).confidence is None
    model.confidence = eight.confidence({}, written={"use": "greedy"})
    assert model.caption(IMAGES[0], beam=1).confidence == 0.5 and model.caption(IMAGES[0]).confidence is None
    model.confidence = None
    assert model.caption(IMAGES[0]).confidence is None


def test_a_larger_longest_length_than_the_model_has_is_the_same_way(model):
    usual = written_as(model, method_of(Request(image=None)))
    assert usual == {"use": "beam"} == written_as(model, method_of(Request(image=None, max_tokens=50, best=2)))
    assert written_as(model, method_of(Request(image=None, max_tokens=3))) == {"use": "beam", "max_tokens": 3}
    assert written_as(model, method_of(Request(image=None, without="red"))) == {"use": "beam", "without": ["red"]}


def test_the_best_of_several_draws_is_another_way_than_one_draw(model):
    """Without samples as many are drawn as are given back; a search, and agreement, find the same first one of all."""
    drawn = {"image": None, "method": "sampling"}
    ways = [{}, {"best": 5}, {"samples": 5}, {"best": 2, "samples": 5}]
    written = [written_as(model, method_of(Request(**drawn, **way))) for way in ways]
    assert written == [{"use": "sampling"}, *[{"use": "sampling", "samples": 5}] * 3]
    model.confidence = eight.confidence({}, written=written[0])
    assert model.caption(IMAGES[0], method="sampling").confidence == 0.5
    with pytest.raises(ConfigError, match="fitted for method=sampling with its usual options, not for what was asked"):
        model.caption(IMAGES[0], method="sampling", best=5, min_confidence=0.5)
    for way in ("diverse", "mbr", "constrained"):
        more = {"method": way, **({"words": "red"} if way == "constrained" else {})}
        one, three = (written_as(model, method_of(Request(image=None, best=best, **more))) for best in (1, 3))
        assert one == three and "best" not in one


def test_too_low_a_confidence_says_nothing_and_why(model):
    answers = model.caption(IMAGES)
    sure = sorted(a.confidence for a in answers)
    least = (sure[0] + sure[-1]) / 2
    silent = model.caption(IMAGES, min_confidence=least, best=3)
    assert len(silent) == 8 and 0 < sum(not a.caption for a in silent) < 8, "no row is lost"
    for before, after in zip(answers, silent, strict=True):
        assert after.confidence == pytest.approx(before.confidence, abs=1e-3) and after.logprob == before.logprob
        if before.confidence < least:
            assert after.caption == "" and after.alternatives == () and after.attention == ()
            assert after.abstained == f"confidence {after.confidence:.2f} is below {least:g}"
            assert show(after) == f"[no caption: {after.abstained}]"
        else:
            assert after.caption == before.caption and after.abstained == "" and len(after.alternatives) == 2


def test_nothing_is_streamed_that_may_be_taken_back(model):
    said = []
    model.confidence = eight.confidence({}, bias=-3.0)
    run(model, [Request(image=IMAGES[0], min_confidence=0.5)], emit=lambda row, text: said.append((row, text)))
    assert said == [(0, "")]


def test_without_calibration_it_cannot_be_held(model):
    with pytest.raises(ConfigError, match=r"min_confidence is 1.5; it is a probability from 0 to 1, for example"):
        model.caption(IMAGES[0], min_confidence=1.5)
    message = "min_confidence is 0.5, and the model's confidence was fitted for method=beam with its usual options, not"
    with pytest.raises(ConfigError, match=message):
        model.caption(IMAGES[0], min_confidence=0.5, beam=2)
    model.confidence = eight.confidence({}, written={"use": "beam", "beams": 4})
    with pytest.raises(ConfigError, match="fitted for method=beam with beam=4, not for what was asked. Write captions"):
        model.caption(IMAGES[0], min_confidence=0.5)
    model.confidence = None
    with pytest.raises(
        CannotError, match="confidence is not calibrated, so min_confidence cannot be held; `tuwen evalu"
    ):
        model.caption(IMAGES[0], min_confidence=0.5)


def test_it_lies_in_the_model_directory_and_goes_with_the_weights(tmp_path):
    model = eight.model()
    save(model, tmp_path / "m")
    save_confidence(tmp_path / "m", eight.confidence({"gain": 0.7}))
    again = load(tmp_path / "m")
    assert again.confidence == eight.confidence({"gain": 0.7})
    again.save(tmp_path / "copy")
    assert load(tmp_path / "copy").confidence == again.confidence
    save(model, tmp_path / "m")  # other weights: their captions are not as sure
    assert load(tmp_path / "m").confidence is None
    (tmp_path / "m" / "calibration.json").write_text("{}")
    with pytest.raises(CheckpointError, match="m/calibration.json is damaged: it lacks 'mean'. Calibrate anew"):
        load(tmp_path / "m")
