"""What is better than the others becomes more probable: by hand, and in a model that learns by reward alone."""

import copy
import functools
from collections import Counter
from dataclasses import replace

import pytest
import torch
from tests import eight

from tuwen.decode import text_transformer
from tuwen.errors import ConfigError
from tuwen.generate import greedy
from tuwen.generate._own import _draw, own_texts
from tuwen.objective.self_critical import Config, mean_of_others, self_critical
from tuwen.tokenizer import UNK
from tuwen.types import Batch, Decoded, Feed, Latent, Made, Route, Sample, Widths

ROUTES = {"caption": Route(given=("image",), make="text"), "text": Route(given=("text",), how="embed")}


def test_the_term_by_hand():
    """Probabilities 1/2 and 1/4 of the tokens, 3 ahead and 1 behind: -(3 ln 1/2 - ln 1/4) / 2."""
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]).log() + 7.0
    found = self_critical(logits, torch.tensor([0, 1]), torch.tensor([3.0, -1.0]))
    assert found.item() == pytest.approx(-(3 * -0.693147 - -1.386294) / 2, abs=1e-5)


def test_the_gradient_lifts_what_is_ahead_and_lowers_what_is_behind():
    logits = torch.zeros(2, 4, requires_grad=True)
    self_critical(logits, torch.tensor([1, 3]), torch.tensor([1.0, -1.0])).backward()
    # -ahead * (1 - p) / N on the token itself, ahead * p / N on the others
    torch.testing.assert_close(logits.grad[0], torch.tensor([0.125, -0.375, 0.125, 0.125]))
    torch.testing.assert_close(logits.grad[1], torch.tensor([-0.125, -0.125, -0.125, 0.375]))


def test_the_mean_of_the_others_in_rows_of_different_size():
    reward, owner = torch.tensor([4.0, 1.0, 2.0, 0.0]), torch.tensor([2, 0, 0, 2])
    assert mean_of_others(reward, owner, 3).tolist() == [0.0, 2.0, 1.0, 4.0]


def drawn(texts, tokens=2):
    """Two rows with half of the texts each, of `tokens` tokens."""
    num = len(texts)
    mask = torch.ones(num, tokens, dtype=torch.bool)
    logits = torch.zeros(num * tokens, 5, requires_grad=True)
    ends = torch.ones(num, dtype=torch.bool)
    return Decoded(
        logits, torch.zeros(num * tokens, dtype=torch.int64), mask, torch.arange(num) * 2 // num, texts=texts,
        finished=ends,
    )  # fmt: skip


ROWS = [Sample("x", {"text": ["a red dog"]}), Sample("y", {"text": ["two birds sit", "two birds"]})]


def test_a_text_is_compared_with_the_others_of_its_row_alone():
    """Texts of a row that are alike are not ahead, however good; rewards come from the references of the key."""
    objective = Config(samples=2).build()
    objective.fit(ROWS)
    made = drawn(["a red dog", "a red dog", "two birds", "a red dog"])
    terms = objective(Made({}, {"caption@drawn": made}), Batch(["x", "y"], {}))
    terms.values["self_critical"].backward()
    per_text = made.prediction.grad[:, 0].view(4, 2).sum(1)
    assert per_text[:2].tolist() == [0.0, 0.0]
    assert per_text[2] < 0 < per_text[3]
    [whole] = objective.reward.scores(["a red dog"], [["a red dog"]])
    other = objective.reward.scores(["two birds", "a red dog"], [ROWS[1].fields["text"]] * 2)
    assert other[1] == 0.0
    assert terms.reports["reward"].item() == pytest.approx((2 * whole + other[0]) / 4)


def test_with_the_greedy_baseline_all_texts_of_a_row_can_be_ahead():
    objective = Config(samples=1, baseline="greedy").build()
    objective.fit(ROWS)
    made = drawn(["a red dog", "two dogs"])
    probable = drawn(["a cat", "two birds"])
    objective(Made({}, {"caption@drawn": made, "caption@probable": probable}), Batch(["x", "y"], {})).values[
        "self_critical"
    ].backward()
    per_text = made.prediction.grad[:, 0].view(2, 2).sum(1)
    assert per_text[0] < 0 < per_text[1]
    assert probable.prediction.grad is None


def test_without_fit_the_captions_of_the_batch_are_the_references():
    made = drawn(["a red dog", "a cat", "two birds", "two birds"])
    terms = Config(samples=2).build()(Made({}, {"caption@drawn": made}), Batch(["x", "y"], {}, raw=ROWS))
    assert terms.reports["reward"] > 3


def test_the_routes_that_it_adds():
    assert Config().routes(ROUTES) == {"caption@drawn": Route(given=("image",), make="text", how="sample", samples=5)}
    greedy = Config(baseline="greedy", samples=1).routes(ROUTES)
    assert [(name, route.samples) for name, route in greedy.items()] == [("caption@drawn", 1), ("caption@probable", 0)]


def test_what_cannot_work_is_said():
    with pytest.raises(ConfigError, match="samples is 1; with baseline=others it is 2 or more, for example samples=5"):
        Config(samples=1)
    with pytest.raises(ConfigError, match="samples is 0; with baseline=greedy it is 1 or more"):
        Config(samples=0, baseline="greedy")
    with pytest.raises(
        ConfigError, match="draws texts by the route 'tell', which the recipe has not. .* one of: caption"
    ):
        Config(route="tell").routes(ROUTES)


# -- learning ----------------------------------------------------------------------------------------------------------


COLOURS = list(eight.COLOURS)
LATENT = Latent(torch.zeros(8, 4), torch.randn(8, 1, 16, generator=torch.Generator().manual_seed(3)))
"""Stands for eight pictures."""


@functools.cache
def beginner(**settings):
    """A decoder that says one of two colours of each picture, of which one is right."""
    torch.manual_seed(0)
    config = text_transformer.Config(
        width=32, layers=1, heads=2, dropout=0.0, tokenizer="word", max_tokens=6, **settings
    )
    decoder = config.build(Widths(16, 4))
    texts = [f"a {name} picture" for name, other in zip(COLOURS, COLOURS[4:] + COLOURS[:4], strict=True)
             for name in (name, other)]  # fmt: skip
    decoder.fit(texts)
    data, mask = decoder.prepare(texts)
    target = Feed(data, torch.arange(16) // 2, mask)
    optimiser = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    for _ in range(60):
        made = decoder(LATENT, target)
        torch.nn.functional.cross_entropy(made.prediction, made.target).backward()
        optimiser.step()
        optimiser.zero_grad()
    return decoder.eval()


def rewarded(steps=40, *, shuffled=False, **settings):
    """The share of drawn captions that say the right colour, before and after learning by reward alone."""
    decoder, config = copy.deepcopy(beginner()), Config(**settings)
    objective = config.build()
    objective.fit([Sample(name, {"text": [f"a {name} picture"]}) for name in COLOURS])
    if shuffled:
        unshuffled, order = objective._rewards, torch.Generator().manual_seed(0)

        def rewards(decoded, batch):
            found = unshuffled(decoded, batch)
            return found[torch.randperm(len(found), generator=order)]

        objective._rewards = rewards
    optimiser = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    torch.manual_seed(0)

    def right():
        with torch.no_grad():
            texts = own_texts(decoder, LATENT, 40).texts
        return sum(text == f"a {COLOURS[i // 40]} picture" for i, text in enumerate(texts)) / len(texts)

    before = right()
    for _ in range(steps):
        made = Made({}, {config.drawn: own_texts(decoder, LATENT, config.samples)})
        if config.baseline == "greedy":
            made.routes[config.probable] = own_texts(decoder, LATENT, 0)
        objective(made, Batch(COLOURS, {})).values["self_critical"].backward()
        optimiser.step()
        optimiser.zero_grad()
    return before, right()


@pytest.mark.parametrize("settings", [{}, {"baseline": "greedy", "samples": 6}], ids=["others", "greedy"])
def test_it_learns_by_reward_alone(settings):
    before, after = rewarded(**settings)
    assert 0.3 < before < 0.65  # it says one of two colours: 0.5 by chance
    assert after > 0.8


def test_it_learns_nothing_from_rewards_of_others(tmp_path):
    before, after = rewarded(shuffled=True)
    assert after < before + 0.15


# -- what is drawn -----------------------------------------------------------------------------------------------------


def test_drawn_texts_are_as_frequent_as_they_are_probable_and_judged_alike():
    decoder = beginner()
    torch.manual_seed(1)
    with torch.no_grad():
        made = own_texts(decoder, LATENT.rows(torch.tensor([2])), 1000)
    logprob = made.prediction.log_softmax(-1).gather(1, made.target[:, None])[:, 0]
    place = torch.arange(1000).repeat_interleave(made.mask.sum(1))
    chance = torch.zeros(1000).index_add(0, place, logprob).exp().tolist()
    seen = Counter(made.texts)
    common = {text: chance[made.texts.index(text)] for text in seen if chance[made.texts.index(text)] > 0.01}
    assert common.keys() == {"a yellow picture", "a white picture"}
    for text, expected in [*common.items(), ("", 1 - sum(common.values()))]:
        count = seen[text] if text else 1000 - sum(seen[text] for text in common)
        assert abs(count / 1000 - expected) < 4 * (expected * (1 - expected) / 1000) ** 0.5
    assert made.prediction[:, :2].isneginf().all() and made.prediction[:, UNK].isneginf().all()  # never written
    assert made.finished.all()


def test_tokens_are_drawn_as_often_as_they_are_probable_by_a_chi_square():
    chance = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.15, 0.05, 0.0])
    torch.manual_seed(0)
    counts = torch.bincount(_draw(chance.expand(20_000, -1))[:, 0], minlength=7)
    assert counts[chance == 0].sum() == 0
    expected = 20_000 * chance[chance > 0]
    assert ((counts[chance > 0] - expected) ** 2 / expected).sum() < 16.3  # 3 degrees of freedom: 1 in 1,000


def test_the_training_flag_changes_nothing_that_is_drawn_and_stays():
    found = []
    for training in (False, True):
        decoder = copy.deepcopy(beginner(word_dropout=0.5)).train(training)
        decoder.dropout.p = 0.5
        torch.manual_seed(2)
        found.append(own_texts(decoder, LATENT, 3))
        assert all(module.training is training for module in decoder.modules())
    assert found[0].texts == found[1].texts
    torch.testing.assert_close(found[0].prediction, found[1].prediction)
    assert found[0].owner_P.tolist() == [row for row in range(8) for _ in range(3)]
    assert len(set(zip(found[0].owner_P.tolist(), found[0].texts, strict=True))) > 8


def test_texts_belong_to_batch_rows_and_may_break_off():
    owned = replace(LATENT.rows(torch.tensor([0, 5])), owner_P=torch.tensor([1, 4]))
    decoder = copy.deepcopy(beginner())
    decoder.max_tokens = 2
    made = own_texts(decoder, owned, 2)
    assert made.owner_P.tolist() == [1, 1, 4, 4]
    assert not made.finished.any() and made.mask.sum(1).tolist() == [2] * 4
    assert all(len(text.split()) == 2 for text in made.texts)


def test_the_most_probable_texts_are_those_of_greedy_and_have_no_gradient():
    decoder = beginner()
    made = own_texts(decoder, LATENT, 0)
    assert made.texts == decoder.texts([texts[0].tokens for texts in greedy.Config().build()(decoder, LATENT)])
    assert not made.prediction.requires_grad and own_texts(decoder, LATENT, 2).prediction.requires_grad


def test_a_decoder_that_writes_nothing_is_refused():
    decoder = torch.nn.Linear(2, 2)
    decoder.modality = "image"
    with pytest.raises(ConfigError, match="a route with how='sample' draws texts, and its decoder makes image"):
        own_texts(decoder, None, 2)
