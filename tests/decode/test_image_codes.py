"""Codes of pictures, drawn one after the other: it learns what a text says, and is with a cache what it is without one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import codes, eight
from tests.contract._parts import latent

import tuwen
from tuwen.decode.image_codes import Config
from tuwen.errors import ConfigError, ShapeError
from tuwen.generate.raster import Config as Raster
from tuwen.model import CrossModal
from tuwen.task import draw
from tuwen.types import Feed, Latent, Route, Sample, Widths

COLOURS = list(eight.COLOURS)
TEXTS = [f"a {colour} picture" for colour in COLOURS]


def drawn_right(model, **options) -> float:
    """The share of colours of which a picture is drawn that is nearer to it than to the others."""
    answers = model.draw(TEXTS, **{"guidance": 2.0, **options})
    mean_K3 = torch.tensor([list(answer.pictures[0].reshape(-1, 3).mean(0)) for answer in answers])
    truth_K3 = torch.tensor([list(sample.fields["image"].reshape(-1, 3).mean(0)) for sample in eight.samples()])
    return float((torch.cdist(mean_K3, truth_K3).argmin(1) == torch.arange(len(COLOURS))).float().mean())


def part(**changes):
    """A decoder with weights large enough that its codes differ."""
    torch.manual_seed(0)
    made = replace(Config.tiny(), **changes).build(Widths(12, 10))
    made.fit(Config.example(1))
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim == 2:
                weight.mul_(4)
    return made.eval()


def feed(made, rows):
    data, mask = made.prepare(Config.example(rows))
    return Feed(data, torch.arange(rows), mask)


# -- learning ----------------------------------------------------------------------------------------------------------


def test_it_draws_what_is_said():
    """Chance is 1 in 8."""
    assert drawn_right(codes.model(), top_k=1) >= 0.75
    assert drawn_right(codes.model()) >= 0.6
    assert drawn_right(codes.model(), guidance=0.0) <= 0.4  # as if nothing were said
    assert drawn_right(codes.tokenizer(), top_k=1) <= 0.4  # has learned no text yet


def test_the_likelihood_of_codes_is_far_from_chance():
    batch = codes.model().batch(eight.samples(16), targets=True)
    nats = [
        float(one.recipe.objective["codes"].build()(one(batch), batch).values["codes"].detach())
        for one in (codes.model(), codes.tokenizer())
    ]
    assert nats[0] < 0.7 < 2.0 < nats[1]  # of 16 codes, chance is 2.77


def test_it_learns_nothing_from_texts_of_other_pictures():
    rows = eight.samples(16)
    moving = [
        Sample(row.key, {**row.fields, "text": other.fields["text"]})
        for shift in (1, 2, 3, 5)
        for row, other in zip(rows, rows[shift:] + rows[:shift], strict=True)
    ]
    made = CrossModal.create(codes.recipe(), rows)
    made.load_state_dict(codes.tokenizer().state_dict())
    assert drawn_right(codes.learn_stage(made, 1, 40, moving), top_k=1) <= 0.4


# -- seeds and neighbours ----------------------------------------------------------------------------------------------


def test_seeds_decide():
    model = codes.model()
    first, again, other = (model.draw(TEXTS, seed=seed, guidance=0.0) for seed in (1, 1, 2))
    assert all((a.pictures[0] == b.pictures[0]).all() for a, b in zip(first, again, strict=True))
    assert any((a.pictures[0] != b.pictures[0]).any() for a, b in zip(first, other, strict=True))
    four = model.draw("a red picture", num=4, seed=1, guidance=0.0, temperature=3.0).pictures
    assert len(four) == 4 and any((one != four[0]).any() for one in four)


def test_a_text_alone_is_drawn_as_beside_others():
    together = codes.model().draw(TEXTS, temperature=2.0)
    for text, answer in zip(TEXTS, together, strict=True):
        alone = codes.model().draw(text, temperature=2.0).pictures[0]
        assert abs(alone.astype(int) - answer.pictures[0].astype(int)).max() <= 1


def test_codes_are_drawn_as_a_flow_is():
    """From one text to another, away from one, the best of several; each step is told."""
    line = codes.model().draw("a red picture", to="a blue picture", num=4, top_k=1, guidance=1.0).pictures
    assert (line[0] == codes.model().draw("a red picture", top_k=1, guidance=1.0).pictures[0]).all()
    assert (line[3] == codes.model().draw("a blue picture", top_k=1, guidance=1.0).pictures[0]).all()
    heard = []
    request = draw.Request(text="this is red", without="this is blue", top_k=1)
    draw.run(codes.model(), [request], emit=lambda number, text: heard.append(text))
    assert heard == [f"step {step} of 4" for step in range(1, 5)]
    best = codes.model().draw("a red picture", candidates=3, judge=str(eight.directory()), guidance=0.0)
    assert len(best.pictures) == len(best.match) == 1


def test_codes_are_not_drawn_near_a_picture():
    with pytest.raises(ConfigError, match="this model draws codes, not along a flow; leave out like"):
        codes.model().draw("a red picture", like=eight.samples(16)[0].fields["image"])


def test_a_loaded_model_draws_the_same():
    loaded = tuwen.load(codes.directory())
    assert loaded.can() == ["draw", "reconstruct"]
    for one, other in zip(loaded.draw(TEXTS, seed=5), codes.model().draw(TEXTS, seed=5), strict=True):
        assert np.array_equal(one.pictures[0], other.pictures[0])


# -- the arithmetic ----------------------------------------------------------------------------------------------------


def test_steps_with_a_cache_give_what_teacher_forcing_gives():
    made, target = part(), feed(part(), 4)
    given = latent(4, masked=True)
    forced = made(given, target).prediction
    drawing = made.start(given)
    said = torch.cat([torch.full((4, 1), made.bos), target.data[:, :-1]], 1)
    with torch.no_grad():
        steps = torch.stack([made.step(drawing, said[:, t]) for t in range(made.length)], 1)
    assert forced.std() > 0.3
    torch.testing.assert_close(steps, forced, atol=1e-4, rtol=1e-4)


def greedy_without_a_cache(made, given):
    codes_PT = torch.zeros(len(given), made.length, dtype=torch.int64)
    for t in range(made.length):  # what stands at t and behind it is not looked at
        codes_PT[:, t] = made(given, Feed(codes_PT, torch.arange(len(given)))).prediction[:, t].argmax(-1)
    return codes_PT


@torch.no_grad()
def test_greedy_codes_are_those_that_are_computed_anew_each_time():
    made, given = part(), latent(6, masked=True)
    noise = made.noise(6, torch.Generator().manual_seed(0))
    drawn = Raster(top_k=1, guidance=1.0).build()(made, given, noise)
    assert torch.equal(drawn, greedy_without_a_cache(made, given))
    assert len(drawn.unique(dim=0)) > 2


@torch.no_grad()
def test_greedy_codes_are_those_of_gpt2():
    pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    from tuwen.decode._gpt2 import to_gpt2

    torch.manual_seed(1)
    made = Config(width=16, layers=2, heads=2).build(Widths(16, 10))
    made.fit(Config.example(1))
    for weight in made.parameters():
        if weight.ndim == 2:
            weight.mul_(4)
    made.eval()
    made.eos, made.max_tokens = made.bos, made.length  # what else a GPT-2 is told
    given = latent(5, width=16)
    gpt2 = to_gpt2(made)
    memory_PMD, _ = made._memory(given, torch.ones(5, dtype=torch.bool))
    begin = torch.full((5, 1), made.bos)
    written = gpt2.generate(
        begin, attention_mask=torch.ones_like(begin), encoder_hidden_states=memory_PMD, do_sample=False,
        max_new_tokens=made.length, suppress_tokens=[made.bos], eos_token_id=None, pad_token_id=made.bos,
    )  # fmt: skip
    drawn = Raster(top_k=1, guidance=1.0).build()(made, given, made.noise(5, torch.Generator()))
    assert torch.equal(drawn, written[:, 1:]) and len(drawn.unique(dim=0)) > 2


@torch.no_grad()
def test_later_codes_are_not_seen():
    made, target = part(), feed(part(), 1)
    changed = target.data.clone()
    changed[0, 2] = (changed[0, 2] + 1) % made.size
    first, other = made(latent(1), target), made(latent(1), replace(target, data=changed))
    torch.testing.assert_close(first.prediction[:, :3], other.prediction[:, :3])
    assert not torch.allclose(first.prediction[:, 3:], other.prediction[:, 3:], atol=1e-5)


@torch.no_grad()
def test_guidance_leads_away_from_saying_nothing():
    made, given = part(), latent(2, tokens=5)
    begin = torch.full((2,), made.bos)
    with_text, without, guided = (made.step(made.start(given, g), begin) for g in (1.0, 0.0, 2.5))
    torch.testing.assert_close(guided, without + 2.5 * (with_text - without), atol=1e-4, rtol=1e-4)
    other = latent(2, tokens=5, seed=9)
    torch.testing.assert_close(made.step(made.start(other, 0.0), begin), without)  # nothing is said either way


@torch.no_grad()
def test_guidance_may_lead_away_from_another_text():
    made, given, other = part(), latent(2, tokens=5), latent(2, tokens=8, seed=9)
    begin = torch.full((2,), made.bos)
    said, away = (made.step(made.start(one), begin) for one in (given, other))
    torch.testing.assert_close(made.step(made.start(given, 2.5, other), begin), away + 2.5 * (said - away))


def test_training_leaves_out_what_is_given_now_and_then():
    made, target = part(unsaid=0.5).train(), feed(part(), 4)
    torch.manual_seed(0)
    without = made(latent(4), target).prediction
    torch.manual_seed(0)
    other = made(latent(4, seed=9), target).prediction  # another text
    same = [torch.allclose(a, b, atol=1e-6) for a, b in zip(without, other, strict=True)]
    assert 0 < sum(same) < 4
    assert torch.equal(made.eval()(latent(4), target).prediction, made(latent(4), target).prediction)


def test_a_class_without_words_is_enough():
    made = part()
    given = Latent(torch.randn(3, 10))
    drawn = Raster().build()(made, given, made.noise(3, torch.Generator().manual_seed(0)))
    assert drawn.shape == (3, 6) and drawn.max() < made.size


# -- what cannot be ----------------------------------------------------------------------------------------------------


def test_pictures_without_codes_are_refused():
    with pytest.raises(
        ConfigError, match="draws codes, and the pictures have none; set space.image=vector_quantized or"
    ):
        part_of = Config.tiny().build(Widths(4, 4))
        part_of.fit([latent(1)])
    bare = codes.recipe()
    with pytest.raises(ConfigError, match="the pictures have none"):
        CrossModal.create(replace(bare, space={}), eight.samples(16))


def test_a_width_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match="width 10 is no multiple of heads 4"):
        Config(width=10, heads=4).build(Widths(4, 4))


def test_another_number_of_codes_is_refused():
    made = part()
    with pytest.raises(ShapeError, match="draws 6 codes, got 5"):
        made(latent(1), Feed(torch.zeros(1, 5, dtype=torch.int64), torch.arange(1)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"steps": 5}, "raster takes guidance, precision, temperature, top_k, top_p; leave out steps"),
        ({"method": "euler"}, r"method is 'euler'\. It can be raster\."),
        ({"temperature": 0.0}, "generate.raster.temperature is 0.0; it is from 0.000001"),
        ({"top_p": 1.5}, "generate.raster.top_p is 1.5; it is above 0 and at most 1"),
        ({"guidance": -1.0}, "guidance is -1.0; it is 0 or more, below 1000, for example guidance=3"),
        (
            {"steps": 5, "top_k": 3},
            "multistep takes guidance, guidance_from, guidance_until, steps, precision; leave out top_k",
        ),
    ],
)
def test_settings_that_cannot_be(options, text):
    with pytest.raises(ConfigError, match=text):
        codes.model().draw("a red picture", **options)


def test_finite_scalars_do_as_well():
    made = CrossModal.create(codes.scalars(), eight.samples(16)).eval()
    assert made.decoders["image@codes"].size == 12
    assert made.draw("a red picture").pictures[0].shape == (16, 16, 3)


def test_a_picture_may_be_given_in_place_of_a_text():
    """Codes of a picture, given the picture: any latent can be drawn from."""
    base = codes.recipe()
    routes = {**base.routes, "again": Route(given=("image",), make="image@codes")}
    made = CrossModal.create(
        replace(base, routes={"again": routes["again"], **base.routes}, stages=()), eight.samples(16)
    )
    decoded = made.eval()(made.batch(eight.samples(16), targets=True)).routes["again"]
    assert decoded.prediction.shape == (8, 4, 16)
