"""Captions: batches, ways of writing, the Python form, what is said where it cannot be."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tests import eight

from tuwen.errors import CannotError, ConfigError, DataError
from tuwen.generate._written import Written
from tuwen.task import caption
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
    assert mean_logprob(Written([5, 6, 7], -2.0, True)) == -0.5  # -2 over three tokens and the end
    assert mean_logprob(Written([5, 6, 7], -2.0, False)) == pytest.approx(-2 / 3)


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


WAYS = [
    {"method": "greedy"},
    {"method": "beam"},
    {"method": "diverse"},
    {"method": "sampling", "temperature": 0.3},
    {"method": "contrastive", "penalty": 0.2},
    {"method": "constrained", "words": "picture"},
    {"method": "mbr", "samples": 8},
    {"method": "mbr", "similarity": "embedding", "temperature": 0.5},
]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_every_way_of_writing_says_what_it_learned(model, options):
    """By chance one of eight would name its colour."""
    said = [response.caption for response in model.caption(IMAGES, **options)]
    assert sum(colour in text for colour, text in zip(eight.COLOURS, said, strict=True)) >= 7, said
    assert all("picture" in text for text in said if options["method"] == "constrained")


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_alone_and_together_it_is_the_same(model, options):
    together = model.caption(IMAGES[:3], **options)
    assert [one.caption for one in together] == [model.caption(image, **options).caption for image in IMAGES[:3]]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_prompt_is_gone_on_from_and_streamed(model, options):
    options = {**options, "words": ""} if options["method"] == "constrained" else options
    said = []
    requests = [Request(image=image, prompt="this is", **options) for image in IMAGES]
    responses = run(model, requests, emit=lambda number, text: said.append((number, text)))
    assert all(one.caption.startswith("this is") and len(one.caption) > len("this is") for one in responses)
    named = [colour in one.caption for colour, one in zip(eight.COLOURS, responses, strict=True)]
    assert sum(named) >= 7, responses
    assert dict(said) == {number: one.caption for number, one in enumerate(responses)}


def test_words_must_and_may_not_occur(model):
    """The pictures have one colour; captions are made to name another, and not to name their own."""
    for colour, image in zip(eight.COLOURS, IMAGES, strict=True):
        other = "green" if colour == "red" else "red"
        forced = model.caption(image, method="constrained", words=f"{other}, picture", beam=4).caption.split()
        assert {other, "picture"} <= set(forced)
        assert colour not in model.caption(image, without=[colour]).caption.split()
    assert model.caption(IMAGES[0], without="red", method="sampling", best=20, temperature=2.0).alternatives
    for text in model.caption(IMAGES[0], without="red", method="sampling", best=20, temperature=2.0).alternatives:
        assert "red" not in text.caption.split()


def test_a_seed_gives_the_same_again(model):
    options = {"method": "sampling", "temperature": 2.0, "best": 3}
    first = model.caption(IMAGES[:2], seed=1, **options)
    assert first == model.caption(IMAGES[:2], seed=1, **options)
    assert first[0].caption != model.caption(IMAGES[0], seed=2, **options).caption
    assert first[0] == model.caption(IMAGES[0], seed=1, **options)


def test_rerank_puts_what_matches_first(model):
    plain = model.caption(IMAGES, beam=5, best=5)
    for image, before, response in zip(IMAGES, plain, model.caption(IMAGES, rerank=True, best=5), strict=True):
        texts = [response, *response.alternatives]
        assert {text.caption for text in texts} == {before.caption, *(text.caption for text in before.alternatives)}
        cosines = model.match(image, [text.caption for text in texts]).scores
        assert [text.match for text in texts] == pytest.approx([score.cosine for score in cosines], abs=1e-3)
        assert [text.match for text in texts] == sorted((text.match for text in texts), reverse=True)
        assert before.match is None
    drawn = model.caption(IMAGES[0], rerank=True, method="sampling", samples=12, temperature=1.5)
    assert "red" in drawn.caption and not drawn.alternatives


def test_of_captions_that_fit_alike_the_likelier_is_first(model, monkeypatch):
    """And the cosine counts beyond the digits that are shown."""
    response = model.caption(IMAGES[0], best=3)
    before = [one.caption for one in (response, *response.alternatives)]
    assert len(before) == 3
    for cosines, wanted in (((0.5, 0.5, 0.5), before), ((0.50001, 0.50003, 0.50002), [before[i] for i in (1, 2, 0)])):
        monkeypatch.setattr(caption, "match_of", lambda *_, cosines=cosines: [list(cosines)])
        after = model.caption(IMAGES[0], rerank=True, beam=3, best=3)
        assert [after.caption, *(one.caption for one in after.alternatives)] == wanted


def test_a_caption_grows_as_it_is_written(model):
    """One picture: the text so far; of several, the place in the list too."""
    grown = []
    whole = model.caption(IMAGES[0], beam=1, emit=grown.append).caption
    assert grown[-1] == whole and len(grown) > 2 and all(whole.startswith(part) for part in grown)
    grown.clear()
    made = model.caption(IMAGES[:2], beam=1, emit=lambda number, text: grown.append((number, text)))
    assert {number: text for number, text in grown} == {i: one.caption for i, one in enumerate(made)}


def test_more_tokens_than_a_model_writes(model):
    with pytest.raises(ConfigError, match=r"min_tokens is 60, and this model writes at most 12; set min_tokens=12"):
        model.caption(IMAGES[0], min_tokens=60)


def test_only_a_model_that_matches_reranks():
    captioner = eight.model(match=False, steps=1)
    with pytest.raises(CannotError, match="this model was not trained to rerank captions; it can: caption"):
        captioner.caption(IMAGES[0], rerank=True)
    with pytest.raises(CannotError, match="no encoder of 'text'"):
        captioner.caption(IMAGES[0], method="mbr", similarity="embedding")


def test_an_unknown_way_is_named(model):
    for way in ("beem", "heun"):
        with pytest.raises(ConfigError, match=f"method is '{way}'..* It can be beam, constrained, contrastive"):
            model.caption(IMAGES[0], method=way)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"temperature": 0.5},
            "temperature is 0.5, which has no effect with method=beam. Leave it out, or set method to mbr or sampling.",
        ),
        (
            {"words": "red"},
            "words is 'red', which has no effect with method=beam. Leave it out, or set method to constrained.",
        ),
        ({"method": "sampling", "beam": 3}, "beam is 3, which has no effect with method=sampling"),
        ({"method": "greedy", "best": 2}, "best is 2, which has no effect with method=greedy"),
        ({"method": "sampling", "top_p": 1.5}, "generate.sampling.top_p is 1.5; it is above 0 and at most 1"),
        (
            {"method": "diverse", "groups": 3},
            "generate.diverse.groups is 3; it divides the number of beams, 5: 0 .*, 1, 5",
        ),
        ({"method": "diverse", "best": 6}, "generate.diverse.best is 6; it is from 1 to the number of beams, 5"),
        ({"beam": 1, "rerank": True}, "rerank chooses among several captions and only one is written; set beam=5"),
        ({"method": "constrained", "words": "red", "without": "red"}, "'red' is in words and 'red' in without"),
        (
            {"method": "constrained", "words": "red", "max_tokens": 1, "prompt": " ".join(["red"] * 30)},
            "shorten the prompt",
        ),
        (
            {"method": "constrained", "words": "a red picture,blue", "max_tokens": 2},
            "take . tokens and a text has at most 2",
        ),
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
