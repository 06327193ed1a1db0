"""The text transformer is GPT-2 with cross-attention: same weights, same logits, both ways."""

import builtins

import pytest
import torch
from tests.generate._gpt2 import VOCABULARY, WIDTH, decoder, pictures

from tuwen.decode._gpt2 import from_gpt2, to_gpt2
from tuwen.decode.text_transformer import Config
from tuwen.errors import MissingExtraError, ShapeError
from tuwen.types import Feed, Latent, Widths

pytest.importorskip("transformers", reason="needs the extra 'pretrained'")


@pytest.fixture(scope="module")
def gpt2():
    return to_gpt2(decoder())


def fresh(width=WIDTH, layers=2, memory=WIDTH):
    made = Config(width=width, layers=layers, heads=4, dropout=0.0, max_tokens=24).build(Widths(memory, memory))
    made.settle(VOCABULARY)
    return made.eval()


def logits(gpt2, latent, token_PT):
    with torch.no_grad():
        mask = None if latent.mask is None else latent.mask.long()
        # all tokens are real: without this a token 0 would be taken for padding
        seen = torch.ones_like(token_PT)
        out = gpt2(token_PT, attention_mask=seen, encoder_hidden_states=latent.tokens, encoder_attention_mask=mask)
        return out.logits


@pytest.mark.parametrize("masked", [False, True])
def test_teacher_forced_logits_are_those_of_gpt2(gpt2, masked):
    torch.manual_seed(0)
    latent, _ = pictures(6)
    if masked:
        latent = Latent(latent.pooled, latent.tokens, torch.arange(7) < torch.tensor([7, 3, 1, 5, 2, 6])[:, None])
    token_PT = torch.randint(0, VOCABULARY, (6, 13))
    feed = Feed(token_PT, torch.arange(6), torch.ones(6, 13, dtype=torch.bool))
    with torch.no_grad():
        ours = decoder()(latent, feed).prediction.view(6, 12, VOCABULARY)
    theirs = logits(gpt2, latent, token_PT[:, :-1])
    assert ours.std() > 0.5
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_every_weight_is_mapped_once(gpt2):
    assert sum(p.numel() for p in gpt2.parameters()) == sum(p.numel() for p in decoder().parameters())


def test_back_from_gpt2_gives_the_same_weights(gpt2):
    again = fresh()
    from_gpt2(again, gpt2)
    for name, weight in decoder().state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_the_two_do_not_share_memory(gpt2):
    first = fresh()
    copy = to_gpt2(first)
    with torch.no_grad():
        first.token.weight.zero_()
    assert copy.transformer.wte.weight.abs().sum() > 0


def test_special_tokens_and_length_are_carried_over(gpt2):
    c = gpt2.config
    assert (c.bos_token_id, c.eos_token_id, c.pad_token_id, c.n_positions) == (1, 2, 0, 24)


def test_another_width_of_the_latent_is_refused():
    with pytest.raises(
        ShapeError, match=r"width 48 with layers of width 32; GPT-2 has one .* Set space\.image\.width=32"
    ):
        to_gpt2(fresh(memory=48))


def test_a_gpt2_of_another_shape_is_refused(gpt2):
    with pytest.raises(
        ShapeError, match=r"this GPT-2 has layers 2, .*text_transformer has layers 3.*Build the decoder"
    ):
        from_gpt2(fresh(layers=3), gpt2)


def test_without_transformers_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "transformers":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'tuwen\[pretrained\]'"):
        to_gpt2(fresh())
