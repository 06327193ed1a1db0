from dataclasses import replace

import pytest
import torch
from tests.contract._parts import latent, one_row

from tuwen.decode.text_rnn import Config, SoftAttention, State
from tuwen.errors import ShapeError
from tuwen.types import Feed, Latent, Widths

CELLS = [{"cell": cell, "attention": attention} for cell in ("rnn", "gru", "lstm") for attention in (False, True)]


def made(**option):
    torch.manual_seed(0)
    part = replace(Config.tiny(), **option).build(Widths(12, 10))
    part.fit(Config.example(4))
    return part.eval()


def feed(part, values, owner) -> Feed:
    data, mask = part.prepare(values)
    return Feed(data, torch.tensor(owner), mask)


@torch.no_grad()
@pytest.mark.parametrize("option", CELLS, ids=lambda o: f"{o['cell']}-{o['attention']}")
@pytest.mark.parametrize("layers", [1, 2])
def test_steps_of_every_cell_give_what_teacher_forcing_gives(option, layers):
    part = made(**option, layers=layers)
    target, memory = feed(part, Config.example(4), [0, 1, 2, 3]), latent(4, masked=True)
    forced = part(memory, target)
    state = part.start(memory)
    stepped = torch.stack([part.step(state, target.data[:, t]) for t in range(forced.mask.shape[1])], 1)
    torch.testing.assert_close(stepped[forced.mask], forced.prediction, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_attention_is_the_mean_where_all_tokens_are_alike():
    # equal keys have equal energies: weights of 1/4 over four tokens, and the context is the gate (0.5) times the token
    look = SoftAttention(3, 2)
    look.gate.weight.zero_(), look.gate.bias.zero_()
    tokens = torch.tensor([2.0, -4.0]).expand(1, 4, 2)
    context, weights = look(State((torch.randn(1, 1, 3),), None, look.keys(tokens), tokens, None, 1))
    torch.testing.assert_close(weights, torch.full((1, 4), 0.25))
    torch.testing.assert_close(context, torch.tensor([[1.0, -2.0]]))


@torch.no_grad()
def test_with_attention_the_tokens_are_read_and_without_they_are_not():
    values = Config.example(2)
    for attention in (True, False):
        part, memory = made(attention=attention), latent(2)
        other = replace(memory, tokens=memory.tokens.flip(2))
        target = feed(part, values, [0, 1])
        same = torch.allclose(part(memory, target).prediction, part(other, target).prediction, atol=1e-6)
        assert same is not attention


@torch.no_grad()
def test_without_tokens_only_the_plain_one_starts():
    bare = replace(latent(1), tokens=None)
    assert made().start(bare).keys_BMA is None
    with pytest.raises(
        ShapeError, match=r"with attention reads the tokens of its latent; it has none\. Set attention=false\."
    ):
        made(attention=True).start(bare)


def test_a_target_without_a_mask_is_refused():
    part = made()
    with pytest.raises(ShapeError, match="takes a masked target, as `prepare` makes it"):
        part(latent(1), Feed(torch.ones(1, 4, dtype=torch.int64), torch.tensor([0])))


def test_a_picture_is_projected_once_for_its_captions():
    part, rows = made(attention=True), []
    part.look.key.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    part(latent(1), feed(part, Config.example(4), [0, 0, 0, 0]))
    assert rows == [1]


@torch.no_grad()
def test_uneven_captions_have_the_attention_of_one_by_one():
    part, memory, owner = made(attention=True), latent(3, masked=True), [0, 0, 0, 2]
    whole = part(memory, feed(part, Config.example(4), owner))
    for row in range(4):
        alone = part(one_row(memory, owner[row]), feed(part, Config.example(4)[row : row + 1], [0]))
        length = alone.attention.shape[1]
        torch.testing.assert_close(whole.attention[row, :length], alone.attention[0], atol=1e-5, rtol=1e-4)


def test_it_learns_a_caption_by_heart():
    # chance is log(266), 5.6 nats a token
    part = made(attention=True, width=32, embed=32).train()
    target, memory = feed(part, Config.example(4), [0, 1, 2, 3]), latent(4)
    optimiser = torch.optim.Adam(part.parameters(), lr=0.02)
    for _ in range(60):
        out = part(memory, target)
        loss = torch.nn.functional.cross_entropy(out.prediction, out.target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.3


@pytest.mark.parametrize("gate", ["feature", "whole"])
def test_it_learns_where_to_look(gate):
    """One of four tokens says which word comes: it gets the most attention. By chance in one of four."""
    words, random = ["red", "blue", "green", "white"], torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    part = Config(width=16, embed=16, attention=True, feed=False, gate=gate, dropout=0.0, vocabulary=300).build(
        Widths(6, 6)
    )
    part.fit(words)
    signs, optimiser = torch.eye(6)[:4] * 3, torch.optim.Adam(part.parameters(), lr=0.01)
    for _ in range(200):
        which, where = (torch.randint(4, (16,), generator=random) for _ in range(2))
        tokens = torch.zeros(16, 4, 6)
        tokens[torch.arange(16), where] = signs[which]
        out = part(Latent(torch.zeros(16, 6), tokens), feed(part, [words[i] for i in which], range(16)))
        loss = torch.nn.functional.cross_entropy(out.prediction, out.target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.5
    assert (out.attention[:, 0].argmax(-1) == where).float().mean() > 0.8


def test_the_gate_of_the_paper_is_one_number():
    assert made(attention=True, gate="whole").look.gate.out_features == 1
    assert made(attention=True).look.gate.out_features == 12
