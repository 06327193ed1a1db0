"""Captions: batches, ways of writing, the Python form, what is said where it cannot be."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tests import eight

from tuwen.errors import CannotError, ConfigError, DataError
from tuwen.task.caption import Request, Response, able, mean_logprob, method_of, run, show

IMAGES = [one.fields["image"] for one in eight.samples()]


@pytest.fixture(scope="module")
def model():
    return eight.model()


def test_it_says_what_it_learned(model):
    """By chance one of eight would name its colour."""
    said = [response.caption for response in run(model, [Request(image=image) for image in IMAGES])]
    assert all(colour in text for colour, text in zip(eight.COLOURS, said, strict=True)), said


def test_requests_do_not_see_each_other(model):
    """Different options in one call, in any order: each gets what it gets alone with its neighbours away."""
    requests = [Request(image=IMAGES[i % 8], beam=1 + i % 3, max_tokens=4 + i % 2) for i in range(12)]
    together = run(model, requests)
    turned = run(model, requests[::-1])[::-1]
    assert [one.caption for one in together] == [one.caption for one in turned]
    assert together[0].caption == run(model, [requests[0], requests[0]])[1].caption


def test_one_picture(model):
    for beam in (1, 5):
        assert "red" in run(model, [Request(image=IMAGES[0], beam=beam)])[0].caption


def test_none(model):
    assert run(model, []) == []


def test_best_gives_alternatives(model):
    response = run(model, [Request(image=image, beam=4, best=3) for image in IMAGES[:2]])[0]
    assert len(response.alternatives) == 2
    assert len({response.caption, *(text.caption for text in response.alternatives)}) == 3
    assert show(response).splitlines() == [response.caption, *(text.caption for text in response.alternatives)]


def test_max_tokens_cuts(model):
    short = run(model, [Request(image=image, max_tokens=1) for image in IMAGES])
    assert all(len(model.decoders["text"].tokenizer.encode([one.caption])[0]) <= 1 for one in short)


def test_logprob_is_the_mean_of_what_teacher_forcing_gives(model):
    """Sum of the log-probabilities of the written tokens and the end, divided by their number."""
    response = run(model, [Request(image=image, beam=1) for image in IMAGES])[0]
    sample = eight.Sample("x", {"image": IMAGES[0], "text": [response.caption]})
    decoded = model(model.batch([sample], targets=True)).routes["caption"]
    wanted = decoded.prediction.log_softmax(-1).gather(1, decoded.target[:, None]).mean().item()
    assert response.logprob == pytest.approx(wanted, abs=2e-3)


def test_mean_logprob_by_hand():
    class Written:
        tokens, logprob, finished = [5, 6, 7], -2.0, True

    assert mean_logprob(Written) == -0.5  # -2 over three tokens and the end
    Written.finished = False
    assert mean_logprob(Written) == pytest.approx(-2 / 3)


def test_emit_streams_the_text(model):
    said = []
    [last, _] = run(
        model, [Request(image=image, beam=1) for image in IMAGES[:2]], emit=lambda i, text: said.append((i, text))
    )
    mine = [text for i, text in said if i == 0]
    assert mine[-1] == last.caption and len(mine) > 1
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(mine))


def test_cancelled_ends_at_once(model):
    responses = run(model, [Request(image=image, beam=1) for image in IMAGES], cancelled=lambda: True)
    assert [one.caption for one in responses] == [""] * 8


def test_the_model_is_left_as_it_was(model):
    try:
        model.train()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        run(model, [Request(image=image, beam=1) for image in IMAGES])
        assert model.training
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    finally:
        model.eval()


def test_the_python_form(model, tmp_path):
    paths = eight.write_pictures(tmp_path)
    by_path = model.caption([str(path) for path in paths], beam=2)
    by_bytes = model.caption([path.read_bytes() for path in paths], beam=2)
    by_pixels = model.caption(IMAGES, beam=2)
    assert by_path == by_bytes == by_pixels and isinstance(by_path[0], Response)
    assert model.caption(IMAGES[:1], beam=1)[0] == model.caption(IMAGES[0], beam=1)


def test_method_of():
    assert method_of(Request(image=None, beam=1)).__class__.__module__ == "tuwen.generate.greedy"
    config = method_of(Request(image=None, beam=3, length_penalty=0.5, best=2, min_tokens=2, max_tokens=9))
    assert (config.beams, config.length_penalty, config.best, config.min_tokens, config.max_tokens) == (3, 0.5, 2, 2, 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam is 0; it takes a whole number from 1, for example beam=5"),
        ({"max_tokens": 0}, "max_tokens is 0; it takes a whole number from 1"),
        ({"min_tokens": -1}, "min_tokens is -1; it takes a whole number from 0"),
        ({"beam": 2, "best": 3}, "best is 3 and beam is 2; best is at most beam. Set beam=3."),
        ({"min_tokens": 9, "max_tokens": 4}, "min_tokens is 9 and max_tokens is 4; set max_tokens=9."),
        ({"baem": 2}, "caption has no option 'baem'. Did you mean 'beam'"),
    ],
)
def test_options_that_cannot_be(model, options, message):
    with pytest.raises(ConfigError, match=message):
        model.caption(IMAGES[0], **options)


def test_a_picture_that_cannot_be_read_is_named(model, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with pytest.raises(DataError, match="broken.jpg cannot be read as an image"):
        model.caption([IMAGES[0], str(tmp_path / "broken.jpg")])
    with pytest.raises(DataError, match="is no picture; an array is"):
        model.caption(np.zeros((3, 3), np.float64))


def test_a_model_without_it():
    matcher = eight.model(captions=False, steps=1)
    assert able(eight.model()) and not able(matcher)
    with pytest.raises(
        CannotError,
        match="this model was not trained to caption; it can: classify, match. `tuwen train DATA -r coca` trains one",
    ):
        matcher.caption(IMAGES[0])
