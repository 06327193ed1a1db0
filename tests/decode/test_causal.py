"""The cache that the beams of a picture share, and the copy whose weights are laid out for quick products."""

import copy

import pytest
import torch
from tests import eight
from torch import nn

from tuwen.decode import _causal
from tuwen.decode._laid import Laid, lay_out
from tuwen.layers import Mlp
from tuwen.task.caption import latent_of

BEAMS, STEPS = 5, 11


def begun(kind):
    """A decoder, and what it reads of two pictures."""
    with torch.enable_grad():  # the first who asks trains it
        model = eight.model(match=False)
    decoder = model.decoders["text"]
    with torch.no_grad():
        return decoder.rounded() if kind == "bfloat16" else decoder, latent_of(model, model.batch(eight.samples()[:2]))


@pytest.mark.parametrize(("kind", "cache"), [("float32", "float32"), ("bfloat16", "float32"), ("bfloat16", "bfloat16")])
@torch.no_grad()
def test_places_that_no_beam_sees_leave_the_cache(monkeypatch, kind, cache):
    """All beams go on from one of them, so that the others are forgotten; what it says stays what it says alone."""
    if cache == "bfloat16":
        monkeypatch.setattr(_causal, "_MANY", 0)
    decoder, latent = begun(kind)
    many, alone = decoder.start(latent, beams=BEAMS), decoder.start(latent)
    assert {one.dtype for state in (many, alone) for one in state.cache} == {getattr(torch, cache)}
    generator = torch.Generator().manual_seed(0)
    token_PK = torch.full((2, BEAMS), decoder.bos)
    for step in range(STEPS):
        beam = step % BEAMS
        apart = decoder.step(many, token_PK.flatten()).view(2, BEAMS, -1)
        single = decoder.step(alone, token_PK[:, beam])
        torch.testing.assert_close(apart[:, beam], single, atol=0.1 if kind == "bfloat16" else 1e-4, rtol=0)
        decoder.reorder(many, (torch.arange(2 * BEAMS) // BEAMS) * BEAMS + beam)
        token_PK = torch.randint(4, 40, (2, BEAMS), generator=generator)
    # one place for each token, what the last tokens of all beams hold, and room for a few more
    assert many.length == STEPS and many.seen_BKC.shape[2] <= STEPS + 5 * BEAMS < BEAMS * STEPS
    assert alone.length == alone.filled == STEPS


@torch.no_grad()
def test_one_beam_forgets_nothing_and_rows_may_leave():
    decoder, latent = begun("float32")
    state = decoder.start(latent, beams=2)
    for _ in range(6):
        decoder.step(state, torch.full((4,), 5))
    assert state.filled == 12 and ((state.seen_BKC == 0).sum(2) == 6).all()
    decoder.drop(state, torch.tensor([1]))
    rest = decoder.start(latent.rows(torch.tensor([1])), beams=2)
    for _ in range(6):
        decoder.step(rest, torch.full((2,), 5))
    for _ in range(4):  # grows after a picture has left
        found, expected = (decoder.step(one, torch.full((2,), 7)) for one in (state, rest))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_laid_out_layers_say_the_same():
    part = nn.Sequential(nn.Linear(16, 32), Mlp(32))
    x = torch.randn(3, 2, 16, generator=torch.Generator().manual_seed(0))
    expected = part(x)
    lay_out(part)
    torch.testing.assert_close(part(x).float(), expected, atol=0.02, rtol=0.02)
    assert [type(one) for one in part[1]] == [Laid, nn.Identity, Laid] and isinstance(part[0], Laid)
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        assert all(one.laid is not None for one in part.modules() if isinstance(one, Laid))
    torch.testing.assert_close(copy.deepcopy(part)(x), part(x))


@torch.no_grad()
def test_where_a_machine_cannot_lay_them_out_they_say_the_same(monkeypatch):
    def fails(*given, **named):
        raise RuntimeError("no such product here")

    linear, x = nn.Linear(16, 16), torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    expected = Laid(linear, gelu=True)(x)
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", fails)
    plain = Laid(linear, gelu=True)
    assert plain.laid is None
    torch.testing.assert_close(plain(x), expected, atol=0.02, rtol=0.02)


@torch.no_grad()
def test_logits_that_are_asked_again_are_not_rounded():
    decoder, latent = begun("bfloat16")
    state = decoder.start(latent, beams=BEAMS)
    for token in (decoder.bos, 5):  # the first step is made once for all beams
        rough_NV = decoder.rough_step(state, torch.full((2 * BEAMS,), token))
        beam_BC, token_BC = torch.tensor([[0, 3], [4, 0]]), torch.tensor([[7, 8], [9, 7]])
        found_BC = decoder.again(state, beam_BC, token_BC)
        rough_BC = rough_NV.view(2, BEAMS, -1)[torch.arange(2)[:, None], beam_BC, token_BC]
        top_BKD = decoder.top(state).view(2, BEAMS, -1)
        exact_BC = (top_BKD[torch.arange(2)[:, None], beam_BC] * decoder.token.weight[token_BC]).sum(-1)
        torch.testing.assert_close(found_BC - found_BC[0, 0], exact_BC - exact_BC[0, 0], atol=1e-4, rtol=0)
        assert rough_BC.dtype is torch.bfloat16 and (rough_BC.float() - found_BC).abs().max() < 0.1
        assert not torch.equal(rough_BC.float(), found_BC)
