"""Masks, causality, and equality with PyTorch's own attention."""

from functools import partial

import pytest
import torch
from torch import nn

from tuwen.errors import ConfigError
from tuwen.layers import (
    AttentionPool,
    Block,
    CrossAttention,
    Dropout,
    Mlp,
    SelfAttention,
    attention,
    init_transformer,
    masked_mean,
    normal_rows,
)

B, T, D, H = 3, 5, 8, 2


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def padded():
    """Tokens and their mask: the last two of row 0 and the last of row 2 are padding."""
    mask_BT = torch.ones(B, T, dtype=torch.bool)
    mask_BT[0, 3:], mask_BT[2, 4:] = False, False
    return torch.randn(B, T, D), mask_BT


def other_padding(x_BTD, mask_BT):
    return torch.where(mask_BT[:, :, None], x_BTD, torch.full_like(x_BTD, 7.0))


@pytest.mark.parametrize("part", [SelfAttention(D, H, causal=False), Block(D, H).eval()], ids=["attention", "block"])
def test_padding_changes_no_real_token(part):
    x_BTD, mask_BT = padded()
    a, b = part(x_BTD, mask_BT), part(other_padding(x_BTD, mask_BT), mask_BT)
    torch.testing.assert_close(a[mask_BT], b[mask_BT])
    short = part(x_BTD[:1, :3])
    torch.testing.assert_close(a[:1, :3], short)
    assert not torch.allclose(part(x_BTD)[0, :3], short[0])  # the check can fail: without the mask it does


@pytest.mark.parametrize(
    "part", [SelfAttention(D, H, causal=True), Block(D, H, causal=True).eval()], ids=["attention", "block"]
)
def test_a_causal_token_sees_none_behind_it(part):
    x_BTD, _ = padded()
    changed = x_BTD.clone()
    changed[:, 3:] = 7.0
    a, b = part(x_BTD), part(changed)
    torch.testing.assert_close(a[:, :3], b[:, :3])
    assert not torch.allclose(a[:, 3:], b[:, 3:])


def test_a_causal_token_sees_neither_padding_nor_what_is_behind_it():
    """As of the row without its padding; with either rule alone it sees more."""
    part, (x_BTD, mask_BT) = SelfAttention(D, H, causal=True), padded()
    mask_BT[0, 0] = False  # padding in front too
    seen_BTD = part(x_BTD, mask_BT)
    torch.testing.assert_close(seen_BTD[0, 1:3], part(x_BTD[:1, 1:3])[0])
    for other in (part(x_BTD), _free(part)(x_BTD, mask_BT)):
        assert not torch.allclose(seen_BTD[0, 1], other[0, 1])


def _free(part):
    """The same weights without causality."""
    free = SelfAttention(D, H, causal=False)
    free.load_state_dict(part.state_dict())
    return free


def test_without_causality_all_is_seen():
    part, x_BTD = SelfAttention(D, H, causal=False), padded()[0]
    changed = x_BTD.clone()
    changed[:, 4] = 7.0
    assert not torch.allclose(part(x_BTD)[:, 0], part(changed)[:, 0])


@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_is_that_of_pytorch(masked):
    part = SelfAttention(D, H, causal=False)
    theirs = nn.MultiheadAttention(D, H, batch_first=True)
    theirs.load_state_dict({
        "in_proj_weight": part.qkv.weight, "in_proj_bias": part.qkv.bias,
        "out_proj.weight": part.out.weight, "out_proj.bias": part.out.bias,
    })  # fmt: skip
    x_BTD, mask_BT = padded()
    seen = mask_BT if masked else None
    expected, _ = theirs(x_BTD, x_BTD, x_BTD, key_padding_mask=None if seen is None else ~seen)
    torch.testing.assert_close(part(x_BTD, seen), expected)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_in_bfloat16_is_that_of_float32_with_its_gradients(causal):
    """Within what rounding to 8 bits makes; the second row sees nothing and becomes 0, as in float32."""
    rows = [torch.randn(2, H, T, 4, requires_grad=True) for _ in range(3)]
    rounded = [row.detach().bfloat16().requires_grad_() for row in rows]
    seen = None if causal else torch.tensor([[True, True, False, True, False], [False] * T])[:, None, None]
    for q, k, v in (rows, rounded):
        mixed = attention(q, k, v, seen, causal=causal)
        (mixed * torch.linspace(-1, 1, 4, dtype=mixed.dtype)).sum().backward()
    exact = attention(*rows, seen, causal=causal)
    assert (attention(*rounded, seen, causal=causal) - exact).abs().max() < 0.03
    assert causal or attention(*rounded, seen)[1].abs().max() == 0
    for row, other in zip(rows, rounded, strict=True):
        assert (row.grad - other.grad).abs().max() < 0.05
        assert row.grad.abs().max() > 0.2
        assert causal or other.grad[1].abs().max() == 0


def test_cross_attention_reads_real_memory_only():
    part, x_BTD = CrossAttention(D, H, 6), torch.randn(B, 4, D)
    memory_BMD, mask_BM = torch.randn(B, T, 6), padded()[1]
    a = part(x_BTD, part.memory(memory_BMD), mask_BM)
    b = part(x_BTD, part.memory(other_padding(memory_BMD, mask_BM)), mask_BM)
    torch.testing.assert_close(a, b)
    assert a.shape == x_BTD.shape


def test_tokens_of_cross_attention_do_not_see_each_other():
    part, x_BTD = CrossAttention(D, H, 6), torch.randn(B, 4, D)
    memory = part.memory(torch.randn(B, T, 6))
    torch.testing.assert_close(part(x_BTD, memory)[:, 1:2], part(x_BTD[:, 1:2], memory))


def test_attention_pool_reads_real_tokens_only():
    part, (x_BTD, mask_BT) = AttentionPool(D, H), padded()
    pooled = part(x_BTD, mask_BT)
    assert pooled.shape == (B, D)
    torch.testing.assert_close(pooled, part(other_padding(x_BTD, mask_BT), mask_BT))
    torch.testing.assert_close(pooled[:1], part(x_BTD[:1, :3]))


def test_masked_mean_by_hand():
    x_BTD = torch.tensor([[[1.0], [3.0], [50.0]], [[2.0], [4.0], [6.0]]])
    mask_BT = torch.tensor([[True, True, False], [True, True, True]])
    # (1 + 3) / 2 and (2 + 4 + 6) / 3
    assert masked_mean(x_BTD, mask_BT).tolist() == [[2.0], [4.0]]
    assert masked_mean(x_BTD).tolist() == [[18.0], [4.0]]


def test_masked_mean_of_nothing_is_zero():
    assert masked_mean(torch.ones(1, 2, 3), torch.zeros(1, 2, dtype=torch.bool)).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("causal", [False, True])
def test_every_parameter_of_a_block_gets_a_gradient(causal):
    part = Block(D, H, causal=causal)
    part(padded()[0]).square().sum().backward()
    assert not [name for name, p in part.named_parameters() if p.grad is None or not p.grad.any()]


def test_init_transformer_has_small_weights_and_no_bias():
    part = init_transformer_of(nn.Sequential(Mlp(64), nn.Embedding(50, 64), nn.LayerNorm(64)))
    assert part[0][0].weight.std().item() == pytest.approx(0.7 / 64**0.5, rel=0.05)
    assert part[1].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not part[0][0].bias.any()
    assert (part[2].weight == 1).all()


def init_transformer_of(module):
    init_transformer(module)
    return module


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share):
    x = torch.ones(301, 333, requires_grad=True)  # an odd number of numbers
    y = Dropout(share)(x)
    assert (y == 0).float().mean().item() == pytest.approx(share, abs=0.01)
    assert torch.allclose(y[y != 0], torch.tensor(1 / (1 - share)), rtol=2e-4)
    y.sum().backward()
    assert torch.equal(x.grad, y)
    # neighbours are drawn apart, also those that come from one random number
    lost = (y == 0).float() - share
    for step in (1, 2, 3, 4):
        assert abs((lost.flatten()[step:] * lost.flatten()[:-step]).mean()) < 0.005


def test_dropout_follows_the_seed_and_leaves_use_alone():
    drop, x = Dropout(0.5), torch.ones(40, 40)
    torch.manual_seed(3)
    first, second = drop(x), drop(x)
    torch.manual_seed(3)
    assert torch.equal(drop(x), first) and not torch.equal(first, second)
    assert torch.equal(drop.eval()(x), x)
    assert drop.train()(x.bfloat16()).dtype == torch.bfloat16
    for never in (0.0, 1e-9):
        assert torch.equal(Dropout(never)(x), x)
    assert not Dropout(1.0)(x).any()


@pytest.mark.parametrize("part", [AttentionPool, partial(CrossAttention, memory_width=8), Block])
def test_heads_that_do_not_divide_the_width_are_refused(part):
    with pytest.raises(ConfigError, match=r"heads is 6, and the width is 256, which it does not divide; set heads=4"):
        part(256, 6)


@pytest.mark.parametrize("width", [3, 6, 16, 20])
def test_the_first_random_rows_are_the_same_however_many_follow(width):
    first = normal_rows(1, width, torch.Generator().manual_seed(7))
    for num in (2, 3, 17):
        rows = normal_rows(num, width, torch.Generator().manual_seed(7))
        assert rows.shape == (num, width) and torch.equal(rows[:1], first)
    assert normal_rows(0, width, torch.Generator()).shape == (0, width)
