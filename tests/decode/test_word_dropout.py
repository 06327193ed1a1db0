"""Some of the words that a decoder reads in training are unknown: how many, which never, and what it still has to say."""

from dataclasses import replace

import pytest
import torch
from tests.contract._parts import latent

from tuwen.decode import text_rnn, text_transformer
from tuwen.tokenizer import BOS, UNK
from tuwen.types import Feed, Widths

TEXTS = ["a red dog runs", "a dog", "two green birds sit", "a black dog"] * 40


@pytest.fixture(params=[text_transformer, text_rnn], ids=["transformer", "rnn"])
def part(request):
    torch.manual_seed(0)
    made = replace(request.param.Config.tiny(), word_dropout=0.3).build(Widths(12, 10))
    made.fit(TEXTS)
    return made


def read(part):
    """The tokens that are looked up when it is taught, and what it made."""
    found = []
    hook = part.token.register_forward_pre_hook(lambda module, given: found.append(given[0].clone()))
    data, mask = part.prepare(TEXTS)
    target = Feed(data, torch.arange(len(TEXTS)), mask)
    made = part(latent(len(TEXTS)), target)
    hook.remove()
    return found[0].flatten(), target, made


def test_a_share_of_the_words_is_unknown_in_training_and_never_the_first(part):
    tokens, target, made = read(part.train())
    said = target.data[:, :-1]
    words = int((said > UNK).sum())
    dropped = int((tokens == UNK).sum())
    deviation = (0.3 * 0.7 * words) ** 0.5
    assert abs(dropped - 0.3 * words) < 4 * deviation and words > 400
    assert int((tokens == BOS).sum()) == len(TEXTS)
    assert torch.equal(made.target, target.data[:, 1:][made.mask])  # what it has to say is what was said
    again, _, _ = read(part)
    assert not torch.equal(again, tokens)


def test_nothing_is_unknown_in_use(part):
    with torch.no_grad():
        tokens, target, first = read(part.eval())
        assert not (tokens == UNK).any()
        assert torch.equal(read(part)[2].prediction, first.prediction)
        part.train()
        found = []
        part.token.register_forward_pre_hook(lambda module, given: found.append(given[0]))
        part.step(part.start(latent(2)), target.data[:2, 1])
    assert found[0].flatten().tolist() == target.data[:2, 1].tolist()


def test_a_blank_has_an_embedding_that_is_learned(part):
    part.train()
    _, _, made = read(part)
    part.zero_grad()
    picked = made.prediction[:, UNK + 1 :].logsumexp(-1).sum()  # not by way of the output, which shares the weights
    picked.backward()
    assert part.token.weight.grad[UNK].abs().sum() > 0
