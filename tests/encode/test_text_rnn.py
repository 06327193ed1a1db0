from dataclasses import replace

import pytest
import torch

from tuwen.encode.text_rnn import Config
from tuwen.errors import ConfigError
from tuwen.text_part import drop_words
from tuwen.tokenizer import BOS, EOS, PAD, UNK


def made(**option):
    torch.manual_seed(0)
    part = replace(Config.tiny(), **option).build()
    part.fit(Config.example(4))
    return part.eval()


def read(part, values):
    return part(*part.prepare(values))


def test_an_empty_text_is_begin_and_end():
    part = made()
    data, mask = part.prepare([""])
    assert data.tolist() == [[BOS, EOS]]
    assert part(data, mask).pooled.isfinite().all()


def test_long_texts_are_cut_and_still_end():
    data, mask = made().prepare(["a red dog runs " * 20])
    assert data.shape == (1, 14) and mask.all() and data[0, -1] == EOS


def test_padding_is_not_read():
    part = made()
    data, mask = part.prepare(["a dog", "two green birds sit on"])
    changed = data.masked_fill(~mask, 7)
    torch.testing.assert_close(part(changed, mask).pooled, part(data, mask).pooled, atol=0, rtol=0)
    assert not part(data, mask).tokens[0][~mask[0]].any()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_each_way_of_pooling_is_what_it_says(cell, layers):
    options = {"cell": cell, "layers": layers}
    values = ["a dog", "two green birds sit"]
    for pool in ("mean", "max", "last"):
        part = made(**options, pool=pool)
        latent = read(part, values)
        for row in range(2):
            real = latent.tokens[row][latent.mask[row]]
            expected = {"mean": real.mean(0), "max": real.amax(0), "last": torch.cat([real[-1, :8], real[0, 8:]])}
            torch.testing.assert_close(latent.pooled[row], expected[pool])


def test_it_is_what_torch_computes_for_each_text_alone():
    part = made()
    latent = read(part, ["a dog", "two green birds sit"])
    alone, _ = part.cell(part.token(part.prepare(["a dog"])[0]))
    torch.testing.assert_close(latent.tokens[0][latent.mask[0]], alone[0])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_it_reads_from_the_end_only_if_told(bidirectional):
    part = made(bidirectional=bidirectional)
    data, mask = part.prepare(["a red dog runs"])
    changed = data.clone()
    changed[0, -2] = 10
    same = torch.allclose(part(data, mask).tokens[0, 0], part(changed, mask).tokens[0, 0], atol=1e-7)
    assert same is not bidirectional


def test_words_are_dropped_in_training_only():
    part = made(word_dropout=0.5)
    values = ["two green birds sit on a long branch"]
    assert torch.equal(read(part, values).pooled, read(part, values).pooled)
    part.train()
    assert len({read(part, values).pooled.sum().item() for _ in range(5)}) > 1


def test_dropped_words_are_unknown_and_the_frame_stays():
    data = torch.tensor([[BOS, 10, 11, 12, EOS, PAD]])
    assert drop_words(data, 1.0).tolist() == [[BOS, UNK, UNK, UNK, EOS, PAD]]
    assert torch.equal(drop_words(data, 0.0), data)
    many = drop_words(torch.full((100, 100), 10), 0.2)
    assert (many == UNK).float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_no_room_for_a_token_is_refused():
    with pytest.raises(
        ConfigError, match=r"text_rnn: max_tokens is 2; with begin and end it is 3 or more\. Set max_tokens=64\."
    ):
        Config(max_tokens=2).build()
