"""Sampling: frequencies against the distribution, what leaves tokens out beside transformers, seeds."""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from tests.generate._gpt2 import decoder, pictures
from tests.generate._table import Table, blank, random_table

from tuwen.errors import ConfigError
from tuwen.generate._drawn import gumbel, narrowed
from tuwen.generate.greedy import Config as Greedy
from tuwen.generate.sampling import Config

DRAWN = 3000


def frequencies(config, table, picture=0):
    """(times each text was drawn, times it is expected), for all texts of at most 3 of the tokens 2, 4 and 5."""
    allowed = [2, 4, 5]
    found = config.build()(table, blank(picture + 1))[picture]
    counts = Counter((*w.tokens, *[2] * w.finished) for w in found)

    def chance(text):
        total = 1.0
        for place, (last, token) in enumerate(zip((1, *text), text, strict=False)):
            share_V = table.chance_BTVV[picture, place, last] ** (1 / config.temperature)
            total *= (share_V[token] / share_V[allowed].sum()).item()
        return total

    texts = [text for text, _ in table.every_text(3, allowed, picture)]
    assert set(counts) <= set(texts)
    expected = torch.tensor([chance(text) for text in texts], dtype=torch.float64)
    return [counts[text] for text in texts], (expected / expected.sum() * DRAWN).tolist()


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.7])
def test_texts_are_as_frequent_as_they_are_probable(temperature):
    table = Table(torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(7)).div(2).softmax(-1))
    config = Config(best=DRAWN, max_tokens=3, temperature=temperature, seed=5)
    for picture in range(2):
        seen, expected = frequencies(config, table, picture)
        assert min(expected) > 5
        assert chisquare(seen, expected).pvalue > 0.01
        assert chisquare(seen, expected[::-1]).pvalue < 1e-6, "the test must see a wrong distribution"


def test_logprob_is_the_models_own():
    table = random_table(pictures=3, length=5, vocabulary=7, seed=3)
    config = Config(best=6, temperature=2.0, top_k=3)
    for picture, found in enumerate(config.build()(table, blank(3))):
        assert [w.score() for w in found] == sorted((w.score() for w in found), reverse=True)
        for w in found:
            assert w.logprob == pytest.approx(table.logprob((*w.tokens, *[2] * w.finished), picture), abs=1e-5)


def test_nearly_no_temperature_is_greedy():
    latent, _ = pictures(24)
    greedy = Greedy(max_tokens=16).build()(decoder(), latent)
    for settings in ({"temperature": 1e-4}, {"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}):
        assert [
            [w.tokens for w in found] for found in Config(max_tokens=16, **settings).build()(decoder(), latent)
        ] == [[w.tokens for w in found] for found in greedy]


@pytest.mark.parametrize(
    ("name", "value", "warper"),
    [
        ("top_k", 5, "TopKLogitsWarper"),
        ("top_p", 0.8, "TopPLogitsWarper"),
        ("top_p", 0.3, "TopPLogitsWarper"),
        ("min_p", 0.1, "MinPLogitsWarper"),
        ("typical", 0.9, "TypicalLogitsWarper"),
        ("typical", 0.2, "TypicalLogitsWarper"),
    ],
)
def test_what_is_left_out_is_what_transformers_leaves_out(name, value, warper):
    process = pytest.importorskip("transformers.generation.logits_process", reason="needs the extra 'pretrained'")
    logits_NV = torch.randn(200, 40, generator=torch.Generator().manual_seed(1)) * 2
    logits_NV[:, :3] = float("-inf")
    found = narrowed(logits_NV, Config(**{name: value}))
    wanted = getattr(process, warper)(value)(None, logits_NV.clone())
    assert torch.equal(found, wanted)
    assert 0 < found.isfinite().sum() < logits_NV.isfinite().sum()


def test_by_hand():
    """0.5, 0.25, 0.15, 0.1: the surprises are 0.69, 1.39, 1.90, 2.30, the expected one is 1.21."""
    logits = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()

    def kept(**settings):
        return narrowed(logits, Config(**settings)).isfinite().tolist()

    assert kept() == [True] * 4
    assert kept(top_k=2) == [True, True, False, False]
    assert kept(top_p=0.7) == [True, True, False, False]
    assert kept(top_p=0.76) == [True, True, True, False]
    assert kept(min_p=0.25) == [True, True, True, False]
    assert kept(typical=0.2) == [False, True, False, False]
    assert kept(typical=0.6) == [True, True, False, False]


def test_seeds():
    table = random_table(pictures=4, length=6, vocabulary=9, seed=1)
    texts = {seed: Config(seed=seed).build()(table, blank(4)) for seed in (0, 1, 0, 2)}
    assert texts[0] == Config(seed=0).build()(table, blank(4))
    assert len({str(found) for found in texts.values()}) == 3


def test_a_text_does_not_depend_on_the_pictures_beside_it():
    latent, _ = pictures(12)
    method = Config(max_tokens=16, best=3, seed=4).build()
    together = method(decoder(), latent)
    alone = [method(decoder(), latent.rows(torch.tensor([i])))[0] for i in range(12)]
    backwards = method(decoder(), latent.rows(torch.arange(11, -1, -1)))[::-1]
    for one, other, turned in zip(together, alone, backwards, strict=True):
        assert [w.tokens for w in one] == [w.tokens for w in other] == [w.tokens for w in turned]
    assert len({tuple(w.tokens) for found in together for w in found}) > 24


def test_finished_pictures_leave_the_batch():
    chance = torch.full((3, 6, 8, 8), 1e-9)
    for picture, length in enumerate((1, 5, 3)):
        chance[picture, :length, :, 4] = 1.0
        chance[picture, length:, :, 2] = 1.0
    table = Table(chance)
    texts = Config(best=2).build()(table, blank(3))
    assert [[w.tokens for w in found] for found in texts] == [[[4] * n] * 2 for n in (1, 5, 3)]
    assert table.rows_seen == [6, 6, 4, 4, 2, 2]


def test_several_are_drawn_and_the_best_given_back():
    table = random_table(pictures=3, length=4, vocabulary=7, seed=2)
    drawn = Config(best=8).build()(table, blank(3))
    assert [found[:2] for found in drawn] == Config(samples=8, best=2).build()(table, blank(3))


def test_tokens_are_streamed_as_they_come():
    seen, table = [], random_table(pictures=2, length=4, vocabulary=7, seed=2)
    method = Config().build()
    texts = method(table, blank(2), emit=lambda row, token: seen.append((row, token)))
    assert [[token for row, token in seen if row == i] for i in range(2)] == [found[0].tokens for found in texts]
    assert seen[0][0] == 0 and seen[1][0] == 1, "both pictures at every step"
    assert (
        Config().streams and Config(samples=1).streams and not Config(best=2).streams and not Config(samples=2).streams
    )


def test_noise_has_the_mean_of_the_gumbel_distribution():
    """0.5772, Euler's constant; its standard error is sqrt(pi ** 2 / 6 / 100000) = 0.004."""
    noise = gumbel((100_000,), torch.Generator().manual_seed(0))
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.016)
    assert noise.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"temperature": 0.0},
            r"generate\.sampling\.temperature is 0\.0; it is from 0\.000001 to 1000, .* greedy is the limit at 0",
        ),
        ({"temperature": float("inf")}, r"temperature is inf; it is from 0\.000001 to 1000"),
        ({"seed": 2**64}, r"seed is 18446744073709551616; it is 0 or more, below 2 \*\* 63"),
        ({"top_k": -1}, r"top_k is -1; it is 0 \(all\) or more, for example top_k=50"),
        ({"top_p": 0.0}, r"top_p is 0\.0; it is above 0 and at most 1 \(all\), for example top_p=0\.9"),
        ({"min_p": 1.5}, r"min_p is 1\.5; it is from 0 \(all\) to 1, for example min_p=0\.1"),
        ({"typical": 2.0}, r"typical is 2\.0; it is above 0 and at most 1"),
        ({"seed": -1}, r"seed is -1; it is 0 or more"),
        ({"best": 0}, r"best is 0; it is at least 1"),
        ({"best": 4, "samples": 2}, r"samples is 2; it is at least 4, for best=4\. Set samples=4\."),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config(**settings).build()
