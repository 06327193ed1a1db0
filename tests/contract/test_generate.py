"""Every way of making a text keeps this contract, with every decoder that writes text. Flows: `test_flowing.py`."""

import dataclasses
import json
import re
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from tests.contract._parts import made_by

from tuwen import registry
from tuwen.generate._limits import Limits
from tuwen.tokenizer import BOS, EOS, PAD, UNK
from tuwen.types import Feed, Latent, Widths

WIDTH, PICTURES = 16, 6


@cache
def part(name):
    """A small decoder whose weights are made large, so that its texts differ."""
    config = registry.get("decode", name).Config.tiny()
    torch.manual_seed(0)
    made = config.build(Widths(WIDTH, WIDTH))
    if made.modality != "text":
        return None
    made.fit(config.example(4))
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim == 2:
                weight.mul_(5)
    return made.eval()


def latent_of(pictures=PICTURES, masked=False):
    torch.manual_seed(1)
    tokens_PTD = torch.randn(pictures, 5, WIDTH)
    mask_PT = torch.arange(5) < torch.arange(pictures)[:, None] % 5 + 1 if masked else None
    return Latent(tokens_PTD.mean(1), tokens_PTD, mask_PT)


WRITING = made_by("generate", Limits)


@pytest.fixture(params=WRITING)
def config(request):
    return registry.get("generate", request.param).Config.tiny()


@pytest.fixture(params=registry.names("decode"))
def decoder(request):
    return part(request.param) or pytest.skip(f"{request.param} does not write text")


def plain(texts):
    return [[(w.tokens, w.finished) for w in found] for found in texts]


def test_there_is_one_list_a_picture(config, decoder):
    texts = config.build()(decoder, latent_of())
    assert len(texts) == PICTURES
    assert all(found for found in texts)
    assert len({tuple(found[0].tokens) for found in texts}) > 1


@pytest.mark.parametrize("masked", [False, True])
def test_alone_and_in_a_batch_the_text_is_the_same(config, decoder, masked):
    latent, method = latent_of(masked=masked), config.build()
    together = method(decoder, latent)
    alone = [method(decoder, latent.rows(torch.tensor([i])))[0] for i in range(PICTURES)]
    assert plain(together) == plain(alone)
    for one, other in zip(together, alone, strict=True):
        assert [w.logprob for w in one] == pytest.approx([w.logprob for w in other], abs=1e-3)


def test_masked_tokens_are_not_read(config, decoder):
    latent = latent_of(masked=True)
    noise = latent.tokens.masked_fill(~latent.mask[:, :, None], 7.0)
    other = dataclasses.replace(latent, tokens=noise)
    assert plain(config.build()(decoder, latent)) == plain(config.build()(decoder, other))


def test_it_is_deterministic(config, decoder):
    assert config.build()(decoder, latent_of()) == config.build()(decoder, latent_of())


def test_logprob_is_that_of_the_decoder_taught_the_same_text(config, decoder):
    latent, method = latent_of(), config.build()
    for row, found in enumerate(method(decoder, latent)):
        for written in found:
            whole = torch.tensor([[BOS, *written.tokens, *[EOS] * written.finished]])
            feed = Feed(whole, torch.tensor([0]), torch.ones_like(whole, dtype=torch.bool))
            with torch.no_grad():
                decoded = decoder(latent.rows(torch.tensor([row])), feed)
            expected = -F.cross_entropy(decoded.prediction, decoded.target, reduction="sum").item()
            assert written.logprob == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("length", [1, 3])
def test_max_tokens_is_kept(config, decoder, length):
    texts = dataclasses.replace(config, max_tokens=length).build()(decoder, latent_of())
    assert all(len(w.tokens) + w.finished <= length for found in texts for w in found)


def test_the_decoder_is_not_asked_for_more_than_it_can(config, decoder):
    longest = dataclasses.replace(config, max_tokens=500, min_tokens=500).build()(decoder, latent_of(2))
    assert all(len(w.tokens) == decoder.max_tokens and not w.finished for found in longest for w in found)


def test_special_tokens_are_never_written(config, decoder):
    latent = latent_of()
    for found in dataclasses.replace(config, max_tokens=12).build()(decoder, latent):
        assert not {PAD, BOS, EOS, UNK} & {token for w in found for token in w.tokens}


def test_cancelling_at_once_gives_empty_texts(config, decoder):
    texts = config.build()(decoder, latent_of(), cancelled=lambda: True)
    assert plain(texts) == [[([], False)]] * PICTURES
    assert all(found[0].logprob == 0 for found in texts)


def test_cancelling_later_gives_what_there_is(config, decoder):
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) == 3

    texts = config.build()(decoder, latent_of(), cancelled=cancelled)
    assert all(len(w.tokens) + w.finished <= 2 for found in texts for w in found)
    assert any(found[0].tokens for found in texts)


def test_the_best_text_is_emitted(config, decoder):
    said = [[] for _ in range(PICTURES)]
    texts = config.build()(decoder, latent_of(), emit=lambda row, token: said[row].append(token))
    assert said == [found[0].tokens for found in texts]


def test_it_streams_where_it_says_so(config, decoder, monkeypatch):
    """Each token but the last is told before the decoder is asked for the next but one; else none before the last step."""
    steps, said = [], []
    step = decoder.step
    monkeypatch.setattr(decoder, "step", lambda *given: steps.append(True) or step(*given))
    method = dataclasses.replace(config, max_tokens=4, min_tokens=4).build()
    method(decoder, latent_of(1), emit=lambda row, token: said.append(len(steps)))
    assert len(said) == 4 and len(steps) >= 4
    assert (said[0] < len(steps) and said == sorted(set(said))) if config.streams else said == [len(steps)] * 4


def test_a_prompt_is_gone_on_from(config, decoder):
    """What comes after it has the probability that the decoder, taught the whole, gives it; alone and in a batch."""
    latent, given = latent_of(), decoder.spelled("a dog")
    method = dataclasses.replace(config, prompt="a dog", max_tokens=4).build()
    texts = method(decoder, latent)
    for row, found in enumerate(texts):
        one = latent.rows(torch.tensor([row]))
        assert [w.tokens for w in method(decoder, one)[0]] == [w.tokens for w in found]
        for written in found:
            assert decoder.texts([[*given, *written.tokens]])[0].startswith("a dog")
            whole = torch.tensor([[BOS, *given, *written.tokens, *[EOS] * written.finished]])
            feed = Feed(whole, torch.tensor([0]), torch.ones_like(whole, dtype=torch.bool))
            with torch.no_grad():
                decoded = decoder(one, feed)
            nats_N = F.cross_entropy(decoded.prediction, decoded.target, reduction="none")
            assert written.logprob == pytest.approx(-nats_N[len(given) :].sum().item(), abs=1e-3)
    assert len({tuple(found[0].tokens) for found in texts}) > 1


def test_a_prompt_leaves_room_for_what_the_decoder_can(config, decoder):
    given = len(decoder.spelled("a dog"))
    longest = dataclasses.replace(config, prompt="a dog", max_tokens=500, min_tokens=500).build()(decoder, latent_of(2))
    assert all(len(w.tokens) == decoder.max_tokens - given for found in longest for w in found)


def test_no_token_comes_twice_where_none_may(config, decoder):
    settings = dataclasses.replace(config, no_repeat_ngram=1, max_tokens=10, min_tokens=8, prompt="a dog")
    for found in settings.build()(decoder, latent_of()):
        for w in found:
            whole = [*decoder.spelled("a dog"), *w.tokens]
            assert len(set(whole)) == len(whole) > 8


def test_words_that_may_not_be_are_not(config, decoder):
    """All words and letters that it has a token for: what it would write from random weights is full of these."""
    words = {piece.strip().decode() for piece in decoder.pieces if piece.strip().isalnum() and piece.islower()}
    method = dataclasses.replace(config, max_tokens=12, min_tokens=12, without=tuple(words)).build()
    texts = [w.tokens for found in method(decoder, latent_of()) for w in found]
    assert not words & set(re.findall(r"\w+", " ".join(decoder.texts(texts))))


def test_no_picture_gives_no_text(config, decoder):
    assert config.build()(decoder, latent_of().rows(torch.tensor([], dtype=torch.int64))) == []


def test_the_decoder_is_left_as_it_was(config, decoder):
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    latent = latent_of(masked=True)
    kept = latent.tokens.clone(), latent.mask.clone()
    config.build()(decoder, latent)
    assert not decoder.training
    assert all(torch.equal(value, before[name]) for name, value in decoder.state_dict().items())
    assert torch.equal(latent.tokens, kept[0])
    assert torch.equal(latent.mask, kept[1])


def test_it_runs_in_bfloat16(config, decoder):
    with torch.autocast("cpu", torch.bfloat16):
        texts = config.build()(decoder, latent_of())
    assert all(found[0].logprob < 0 for found in texts)


def test_config_survives_json(config):
    assert type(config)(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
