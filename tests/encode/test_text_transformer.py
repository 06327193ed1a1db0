from dataclasses import replace

import pytest
import torch

from tuwen.encode.text_transformer import Config
from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.text_part import pad, shortened
from tuwen.tokenizer import BOS, EOS


@pytest.fixture
def part():
    torch.manual_seed(0)
    made = Config.tiny().build().eval()
    made.fit(Config.example(4))
    return made


def test_an_empty_text_is_begin_and_end(part):
    data, mask = part.prepare([""])
    assert data.tolist() == [[BOS, EOS]]
    assert part(data, mask).pooled.isfinite().all()


def test_long_texts_are_cut_and_still_end(part):
    data, mask = part.prepare(["a red dog runs " * 20])
    assert data.shape == (1, 14) and mask.all()
    assert data[0, -1] == EOS


def test_the_pooled_vector_is_the_mean_of_the_real_tokens(part):
    data, mask = part.prepare(["a dog", "two green birds sit"])
    latent = part(data, mask)
    torch.testing.assert_close(latent.pooled[0], latent.tokens[0][mask[0]].mean(0))
    assert not mask[0].all()


def test_it_reads_in_both_directions(part):
    data, mask = part.prepare(["a red dog runs"])
    changed = data.clone()
    changed[0, -2] = 10
    assert not torch.allclose(part(data, mask).tokens[0, 0], part(changed, mask).tokens[0, 0], atol=1e-6)


def test_the_order_of_words_matters(part):
    pooled = part(*part.prepare(["a red dog", "a dog red"])).pooled
    assert not torch.allclose(pooled[0], pooled[1], atol=1e-5)


def test_no_text_to_learn_from_is_said():
    with pytest.raises(DataError, match=r"no text to learn from: no training row has a caption\. `tuwen data DATA`"):
        Config.tiny().build().fit(["", "  "])


def test_options_that_cannot_work_say_what_can():
    with pytest.raises(ConfigError, match=r"width 100 is no multiple of heads 3\. Set width=99\."):
        Config(width=100, heads=3).build()
    with pytest.raises(ConfigError, match=r"max_tokens is 2; with begin and end it is 3 or more\. Set max_tokens=64\."):
        Config(max_tokens=2).build()


def test_more_tokens_than_places_are_refused(part):
    with pytest.raises(ShapeError, match=r"reads up to 14 tokens, got 15; `prepare` cuts texts to that\."):
        part(torch.ones(1, 15, dtype=torch.int64))


# -- shortened texts ---------------------------------------------------------------------------------------------------


def test_what_is_left_of_a_text_keeps_its_order_and_both_ends():
    torch.manual_seed(0)
    data, mask = pad([[BOS, *range(10, 30), EOS], [BOS, *range(10, 14), EOS], [BOS, EOS]] * 50)
    short, some = shortened(data, mask, 1.0)
    assert short.shape == some.shape and short.shape[1] == some.sum(1).max()
    for row, real in zip(short, some, strict=True):
        left = row[real].tolist()
        assert real[: real.sum()].all(), "what is left stands together"
        assert left[0] == BOS and left[-1] == EOS and left[1:-1] == sorted(set(left[1:-1]))


def test_a_share_of_the_texts_is_shortened_by_as_much_as_chance_will_have_it():
    torch.manual_seed(0)
    data, mask = pad([[BOS, *[10] * 100, EOS]] * 2000)
    lost_P = 102 - shortened(data, mask, 0.4)[1].sum(1)
    assert (lost_P > 0).float().mean() == pytest.approx(0.4, abs=0.04)
    assert lost_P[lost_P > 0].float().mean() == pytest.approx(37.5, abs=2.5) and lost_P.max() < 90
    assert torch.equal(shortened(data, mask, 0.0)[0], data)


def test_words_are_left_out_in_training_alone():
    part = replace(Config.tiny(), shortened=1.0).build()
    part.fit(Config.example(4))
    feed = part.prepare(["two green birds sit on a long branch"] * 20)
    whole, again = part.eval()(*feed), part(*feed)
    assert torch.equal(whole.tokens, again.tokens) and torch.equal(whole.mask, feed[1])
    assert part.train()(*feed).mask.sum() < whole.mask.sum()
