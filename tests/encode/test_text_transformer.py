import pytest
import torch

from tuwen.encode.text_transformer import Config
from tuwen.errors import ConfigError, DataError, ShapeError
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
