"""Every file in decode/ passes this; those that write text also what `generate` relies on."""

import dataclasses
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.contract._parts import (
    again,
    alike,
    every,
    flags,
    latent,
    make,
    make_config,
    one_row,
    same,
    survives_json,
    without_gradient,
)
from torch import Tensor

from tuwen.tokenizer import UNK
from tuwen.types import Decoded, Feed, Widths

TOKENS = 7
"""Tokens of the latent: a number that no other axis has."""


TEXT, OTHERS = every("decode", starts="text_"), every("decode", but="text_")


@pytest.fixture
def config(request):
    return make_config(request.param)


def pytest_generate_tests(metafunc):
    """Tests that ask for `text` run for text decoders, those that ask for `other` for the others, the rest for all."""
    if "config" in metafunc.fixturenames:
        chosen = (
            TEXT if "text" in metafunc.fixturenames else OTHERS if "other" in metafunc.fixturenames else TEXT + OTHERS
        )
        metafunc.parametrize("config", chosen, indirect=True)


@pytest.fixture
def values(config):
    return list(config.example(4))[:4]


@pytest.fixture
def build(config):
    return lambda: config.build(Widths(12, 10))


@pytest.fixture
def part(build, values):
    return make(build, values)


@pytest.fixture
def text(part):
    assert part.modality == "text"
    return part


@pytest.fixture
def other(part):
    return part


def feed(part, values, owner) -> Feed:
    data, mask = part.prepare(values)
    return Feed(data, torch.tensor(owner), mask)


def memory_of(part, rows: int, **more):
    """A latent; as a grid where the part reads one."""
    grid = getattr(part, "grid", None) if getattr(part.config, "read", "") == "grid" else None
    tokens = torch.Size(grid).numel() if grid else TOKENS
    return replace(latent(rows, tokens=tokens, **more), grid=grid)


def run(part, values, rows: int = 4, masked: bool = True) -> Decoded:
    return part(memory_of(part, rows, masked=masked), feed(part, values, [i % rows for i in range(len(values))]))


def test_every_trainable_parameter_gets_a_gradient(part, values):
    assert without_gradient(part.train(), run(part, values).prediction) == []


def test_config_survives_json(config):
    assert survives_json(config, "decode")


def test_a_restored_part_gives_the_same(build, part, values):
    same(run(again(part, build), values), run(part, values), atol=0, rtol=0)


def test_the_same_seed_gives_the_same(build, part, values):
    same(run(make(build, values), values), run(part, values), atol=0, rtol=0)


def test_bfloat16_agrees_with_float32(part, values):
    with torch.autocast("cpu", torch.bfloat16):
        low = run(part, values)
    alike(run(part, values).prediction, low.prediction)


@pytest.mark.parametrize("training", [True, False])
def test_the_training_flag_is_left_alone(part, values, training):
    before = flags(part.train(training))
    run(part, values)
    assert flags(part) == before


def test_what_it_makes_depends_on_the_latent(part, values):
    first = run(part, values).prediction
    other = part(memory_of(part, 4, seed=8, masked=True), feed(part, values, range(4))).prediction
    assert not torch.allclose(first, other, atol=1e-5)


def test_there_is_one_prediction_for_each_target(other, values):
    made = run(other, values)
    assert made.prediction.shape[0] == made.target.shape[0] == 4


# -- text --------------------------------------------------------------------------------------------------------------


def test_there_is_one_row_of_logits_for_each_real_token(text, values):
    made, target = run(text, values), feed(text, values, range(4))
    assert made.prediction.shape == (int(made.mask.sum()), text.tokenizer.size)
    assert torch.equal(made.mask, target.mask[:, 1:])
    assert torch.equal(made.target, target.data[:, 1:][made.mask])
    assert torch.equal(made.owner_P, target.owner_P)


def test_targets_go_from_begin_to_end_and_back_to_text(text, values):
    data, mask = text.prepare(values)
    assert (data[:, 0] == text.bos).all()
    rows = [row[real].tolist() for row, real in zip(data, mask, strict=True)]
    assert all(row[-1] == text.eos for row in rows)
    written = text.texts([row[1:-1] for row in rows])
    assert len(written) == 4
    if text.config.tokenizer == "bpe":
        assert all(value.startswith(start) and start for value, start in zip(values, written, strict=True))
        assert written[1] == values[1]


def test_long_texts_are_cut_to_max_tokens(text):
    data, _ = text.prepare(["a red dog runs " * 40])
    assert data.shape[1] == text.max_tokens + 1
    assert data[0, -1] == text.eos


def test_captions_do_not_see_each_other(text, values):
    whole, memory = run(text, values), latent(4, tokens=TOKENS, masked=True)
    for row, place in enumerate(_places(whole.mask)):
        alone = text(one_row(memory, row), feed(text, values[row : row + 1], [0]))
        torch.testing.assert_close(alone.prediction, whole.prediction[place], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("owner", [[0, 0, 0, 2], [0, 0, 1, 1], [1, 1, 1, 1]])
def test_captions_of_one_picture_are_as_one_by_one(text, values, owner):
    memory = latent(3, tokens=TOKENS, masked=True)
    whole = text(memory, feed(text, values, owner))
    for row, place in enumerate(_places(whole.mask)):
        alone = text(one_row(memory, owner[row]), feed(text, values[row : row + 1], [0]))
        torch.testing.assert_close(alone.prediction, whole.prediction[place], atol=1e-4, rtol=1e-3)


def test_later_words_are_not_seen(text, values):
    target = feed(text, values[:1], [0])
    changed = target.data.clone()
    changed[0, 2] = text.eos + 2
    memory = latent(1, tokens=TOKENS)
    first, other = text(memory, target), text(memory, replace(target, data=changed))
    torch.testing.assert_close(first.prediction[:2], other.prediction[:2])
    assert not torch.allclose(first.prediction[2:], other.prediction[2:], atol=1e-6)


def test_attention_sums_to_one_over_real_tokens(text, values):
    made = run(text, values)
    if made.attention is None:
        pytest.skip("gives no attention")
    assert made.attention.shape == (*made.mask.shape, TOKENS)
    torch.testing.assert_close(made.attention.sum(-1), torch.ones(made.mask.shape))
    assert not made.attention[::2, :, -1].any(), "masked tokens are not looked at"


@torch.no_grad()
def test_steps_give_what_teacher_forcing_gives(text, values):
    made, target = run(text, values), feed(text, values, range(4))
    state = text.start(latent(4, tokens=TOKENS, masked=True))
    stepped = torch.stack([text.step(state, target.data[:, t]) for t in range(made.mask.shape[1])], 1)
    assert stepped.dtype == torch.float32
    forced, steps = made.prediction.log_softmax(-1), stepped[made.mask].log_softmax(-1)
    torch.testing.assert_close(steps, forced, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_there_is_room_for_max_tokens_steps(text):
    state = text.start(latent(1, tokens=TOKENS))
    for _ in range(text.max_tokens):
        logits = text.step(state, torch.tensor([text.bos]))
    assert logits.isfinite().all()


@torch.no_grad()
def test_top_is_what_the_logits_are_made_from(text, values):
    """Every logit is a linear function of it, the same in all rows."""
    said, pictures = text.prepare(values)[0], 40
    state = text.start(latent(pictures, tokens=TOKENS), beams=2)
    for t in range(2):
        words_N = said[torch.arange(2 * pictures) % len(said), t]
        logits_NV, top_ND = text.step(state, words_N), text.top(state).float()
        assert len(top_ND) == 2 * pictures > top_ND.shape[1] + 1
        with_one = torch.cat((top_ND, torch.ones(len(top_ND), 1)), 1)
        found = with_one @ torch.linalg.lstsq(with_one, logits_NV, driver="gelsd").solution
        torch.testing.assert_close(found, logits_NV, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_pieces_are_what_tokens_add_to_a_text(text, values):
    for value in values:
        row = [token for token in text.spelled(value) if token != UNK]
        assert b"".join(text.pieces[token] for token in row).decode().split() == text.texts([row])[0].split()
    assert not text.pieces[text.bos] and not text.pieces[text.eos]


@torch.no_grad()
def test_beams_share_the_memory_of_their_picture(text):
    state = text.start(latent(2, tokens=TOKENS, masked=True), beams=3)
    memory = [t for t in _tensors(state) if TOKENS in t.shape[1:]]
    assert all(len(t) == 2 for t in memory), [tuple(t.shape) for t in memory]


@torch.no_grad()
def test_beams_go_their_own_ways(text, values):
    said = text.prepare(values)[0][:, :3]
    memory, words = latent(2, tokens=TOKENS, masked=True), said[[0, 1, 2, 2, 1, 0]]
    state = text.start(memory, beams=3)
    together = [text.step(state, words[:, t]) for t in range(3)][-1]
    for row in range(6):
        alone = _say(text, one_row(memory, row // 3), words[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_reordered_rows_go_on_from_what_was_said(text, values):
    said = text.prepare(values)[0][:, :4]
    memory, words = latent(2, tokens=TOKENS, masked=True), said[[0, 1, 2, 3]]
    state, index = text.start(memory, beams=2), torch.tensor([1, 1, 3, 2])
    for t in range(2):
        text.step(state, words[:, t])
    text.reorder(state, index)
    text.step(state, words[:, 2])
    logits = text.step(state, words[:, 3])
    expected = _say(text, memory, torch.cat([words[index, :2], words[:, 2:]], 1), beams=2)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_dropped_pictures_change_nothing_for_the_others(text, values):
    said = text.prepare(values)[0][:, :3]
    memory, words = latent(3, tokens=TOKENS, masked=True), said[[0, 1, 2, 3, 0, 2]]
    keep, rows = torch.tensor([0, 2]), [0, 1, 4, 5]
    state = text.start(memory, beams=2)
    text.step(state, words[:, 0])
    text.drop(state, keep)
    text.step(state, words[rows, 1])
    logits = text.step(state, words[rows, 2])
    torch.testing.assert_close(logits, _say(text, memory.rows(keep), words[rows], beams=2), atol=1e-4, rtol=1e-3)


def _say(text: Any, memory: Any, words: Tensor, beams: int = 1) -> Tensor:
    """Logits after all these words."""
    state = text.start(memory, beams)
    for t in range(words.shape[1]):
        logits = text.step(state, words[:, t])
    return logits


def _places(mask_PT: Tensor) -> list[Tensor]:
    """For each caption, where its tokens stand among the N packed ones."""
    number_PT = mask_PT.flatten().cumsum(0).view_as(mask_PT) - 1
    return [number[real] for number, real in zip(number_PT, mask_PT, strict=True)]


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if dataclasses.is_dataclass(value):
        value = [getattr(value, f.name) for f in dataclasses.fields(value)]
    elif isinstance(value, dict):
        value = list(value.values())
    elif hasattr(value, "__dict__") and not isinstance(value, torch.nn.Module):
        value = list(vars(value).values())
    return [t for one in value for t in _tensors(one)] if isinstance(value, list | tuple) else []
