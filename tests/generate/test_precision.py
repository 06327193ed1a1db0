"""Writing in bfloat16: a copy of the decoder that steps in it, for the ways that ask for it."""

import copy

import pytest
import torch
from tests import eight
from torch import nn

from tuwen import machine
from tuwen.decode import text_rnn
from tuwen.decode._laid import Laid
from tuwen.ensemble import Ensemble
from tuwen.errors import ConfigError
from tuwen.generate.beam import Config as Beam
from tuwen.generate.greedy import Config as Greedy
from tuwen.types import Widths


def written(model, **options):
    """Captions of the eight pictures, and their log-probabilities."""
    images = [row.fields["image"] for row in eight.samples()]
    responses = model.caption(images, **options)
    return [one.caption for one in responses], torch.tensor([one.logprob for one in responses])


@pytest.mark.parametrize("method", ["beam", "greedy", "diverse", "mbr"])
def test_what_is_written_is_as_good(method):
    """Both captions of a picture are as probable; which comes first may turn."""
    model = eight.model(match=False)
    (_, sure), (rounded, nearly) = (written(model, method=method, precision=kind) for kind in ("float32", "bfloat16"))
    assert all(text in row.fields["text"] for text, row in zip(rounded, eight.samples(), strict=True))
    assert (nearly - sure).abs().max() < 0.05 and not torch.equal(nearly, sure)


def test_the_model_stays_as_it_was():
    decoder = eight.model(match=False).decoders["text"]
    other = decoder.rounded()
    assert other.rough and {part.weight_OD.dtype for part in other.modules() if isinstance(part, Laid)} == {
        torch.bfloat16
    }
    assert not any(isinstance(part, nn.Linear) for part in other.modules())
    assert not decoder.rough and not any(isinstance(part, Laid) for part in decoder.modules())
    assert {one.dtype for one in decoder.parameters()} == {torch.float32}
    assert other.tokenizer.to_json() == decoder.tokenizer.to_json()


def test_the_rounded_copy_is_made_anew_when_weights_have_changed():
    decoder = copy.deepcopy(eight.model(match=False).decoders["text"])
    other = decoder.rounded()
    assert decoder.rounded() is other
    with torch.no_grad():
        decoder.token.weight.mul_(2)
    torch.testing.assert_close(decoder.rounded().token.weight, other.token.weight * 2)


def test_the_rounded_copy_is_made_anew_after_training():
    """Fused steps of an optimiser leave the versions of the weights as they were."""
    decoder = copy.deepcopy(eight.model(match=False).decoders["text"])
    before = decoder.rounded()
    decoder.train()
    for one in decoder.parameters():
        one.grad = torch.ones_like(one)
    torch.optim.AdamW(decoder.parameters(), lr=0.1, fused=True).step()
    decoder.eval()
    assert (decoder.rounded().token.weight - before.token.weight).abs().max() > 0.05
    assert decoder.rounded() is decoder.rounded()


@pytest.mark.parametrize("pays", [True, False])
def test_auto_is_what_the_self_test_says(monkeypatch, pays):
    model = eight.model(match=False)
    monkeypatch.setattr(machine, "bfloat16_pays", lambda kind: pays)
    same = torch.equal(written(model, precision="auto")[1], written(model)[1])
    assert same is not pays


def test_several_models_write_in_it_too():
    one = eight.model(match=False)
    several = Ensemble([one, one]).eval()
    found, expected = (written(model, precision="bfloat16")[1] for model in (several, one))
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)  # means of several are not looked at again


def test_what_gains_nothing_by_it_writes_as_always():
    decoder = text_rnn.Config.tiny().build(Widths(pooled=16, tokens=16))
    assert decoder.rounded() is decoder


@pytest.mark.parametrize("way", [Beam, Greedy])
def test_another_precision_is_refused(way):
    with pytest.raises(ConfigError, match=r"precision is 'float16'; it is one of float32, bfloat16, auto"):
        way(precision="float16").build()
