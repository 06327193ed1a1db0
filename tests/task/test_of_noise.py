"""Pictures along a flow: near a picture, with a hole filled, away from a text, in parts that fit the memory."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from tests import drawing, eight

from tuwen.errors import CannotError, ConfigError, DataError
from tuwen.task import _of_noise, draw
from tuwen.types import Located

COLOURS = list(eight.COLOURS)
RIGHT = np.zeros((24, 24), np.uint8)
RIGHT[:, 12:] = 255


@pytest.fixture(scope="module")
def model():
    return drawing.flow()


def plain(colour, side=24):
    return np.full((side, side, 3), eight.COLOURS[colour], np.uint8)


def nearest(pixels):
    """The name of the colour that a picture, or a part of one, is nearest to."""
    colours = np.array(list(eight.COLOURS.values()), float)
    return COLOURS[np.abs(colours - pixels.reshape(-1, 3).mean(0)).sum(1).argmin()]


def apart(one, other):
    """The largest difference of two pictures, in levels of 255."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_near_a_picture_it_stays_the_same_or_becomes_another(model):
    """Nothing is said: little strength leaves the colour, full strength is what is drawn of nothing, the same for all."""
    weak = [nearest(model.draw(like=plain(colour), strength=0.3).pictures[0]) for colour in COLOURS]
    assert sum(map(str.__eq__, weak, COLOURS)) >= 7
    whole = [model.draw(like=plain(colour), strength=1.0).pictures[0] for colour in COLOURS]
    assert all(apart(one, whole[0]) <= 1 for one in whole)
    [without] = model.draw("a red picture", guidance=0.0).pictures
    assert apart(whole[0], without) <= 1


def test_a_text_changes_a_picture_as_far_as_it_may(model):
    options = {"like": plain("blue"), "seed": 1}
    assert nearest(model.draw("a red picture", strength=0.1, guidance=1.0, **options).pictures[0]) == "blue"
    assert nearest(model.draw("a red picture", strength=0.9, **options).pictures[0]) == "red"
    [all_of_it] = model.draw("a red picture", strength=1.0, **options).pictures
    assert apart(all_of_it, model.draw("a red picture", seed=1).pictures[0]) <= 1


def test_a_hole_is_filled_to_go_with_the_rest(model):
    """Nothing is said: the colour of the half that stays is all there is to go by. Chance is 1 in 8; where nothing is kept, one
    colour is drawn for all eight pictures."""
    filled = {colour: model.draw(like=plain(colour), mask=RIGHT, num=2).pictures for colour in COLOURS}
    right = [nearest(one[:, 4:]) == colour for colour, some in filled.items() for one in some]
    assert np.mean(right) >= 0.6
    for colour, some in filled.items():
        assert all((one[:, :4] == eight.COLOURS[colour]).all() for one in some), "what stays is the same to the bit"
    [first, second] = filled["red"]
    assert (first[:, 4:] != second[:, 4:]).any()


def test_a_text_says_what_a_hole_is_filled_with(model):
    [made] = model.draw("a red picture", like=plain("blue"), mask=RIGHT).pictures
    assert nearest(made[:, 4:]) == "red" and nearest(made[:, :4]) == "blue"


def test_what_stays_is_exact_for_every_level(model):
    """All 256 levels of every channel come back as they are, whatever strength and method."""
    like = np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * np.array([1, 2, 4], np.uint8) + np.array(
        [0, 64, 3], np.uint8
    )
    mask = np.zeros((8, 8), np.uint8)
    mask[0, 0] = 255
    for options in ({"steps": 60}, {"strength": 0.4}, {"method": "heun", "steps": 3}):
        [made] = model.draw("a red picture", like=like, mask=mask, **options).pictures
        assert (made.reshape(-1, 3)[1:] == like.reshape(-1, 3)[1:]).all()


def test_pictures_and_masks_of_other_sizes_and_with_alpha(model):
    large = np.zeros((96, 96, 4), np.uint8)
    large[..., :3], large[..., 3] = eight.COLOURS["blue"], 255
    small = np.asarray(RIGHT[::2, ::2])
    cut = np.zeros((12, 12, 4), np.uint8)
    cut[:, :6, 3] = 255  # black on the left, transparent on the right
    for mask in (RIGHT, small, cut):
        [made] = model.draw("a red picture", like=large, mask=mask).pictures
        assert (made[:, :4] == eight.COLOURS["blue"]).all() and nearest(made[:, 4:]) == "red"
    large[..., 3] = 0  # what is transparent is white
    assert nearest(model.draw(like=large, strength=0.2).pictures[0]) == "white"


def test_the_border_that_a_model_adds_is_no_hole():
    """Pictures that are not square, in a model that pads them with white."""
    decoder = copy.deepcopy(drawing.flow().decoders["image"])
    decoder.config = replace(decoder.config, fit="pad")
    like, mask = np.zeros((12, 24, 3), np.uint8), np.zeros((12, 24), np.uint8)
    with pytest.raises(DataError, match="the mask is black all over"):
        _of_noise.hole(decoder, Located(like), Located(mask))
    mask[:, 12:] = 255
    hole_HW = _of_noise.hole(decoder, Located(like), Located(mask))[0, 0]
    assert hole_HW[2:6, 4:].all() and not hole_HW[:, :4].any() and not hole_HW[:2].any() and not hole_HW[6:].any()


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_guidance_counts_for_its_share_of_the_way_that_is_walked(model, strength):
    """Near a picture the way is shorter; what leads for half of it leads for half of that, too."""
    options = {"like": plain("blue"), "strength": strength, "steps": 20}
    with_it, without = (model.draw("a red picture", guidance=one, **options).pictures[0] for one in (8.0, 1.0))
    assert apart(with_it, without) > 0
    with pytest.raises(ConfigError, match="guidance_from is 0.2; none of 1 steps begins between it and guidance_until"):
        model.draw("a red picture", guidance=8.0, guidance_from=0.2, steps=1)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((24, 12), np.uint8), "the mask is 12 x 24 pixels and the picture 24 x 24; they are of one shape."),
        (np.zeros((24, 24), np.uint8), "the mask is black all over"),
        (np.full((48, 48), 255, np.uint8), "the mask is white all over"),
        ("no-such-mask.png", "no-such-mask.png cannot be read as an image: there is no such file"),
    ],
)
def test_masks_that_cannot_be(model, mask, message):
    with pytest.raises(DataError, match=message):
        model.draw("a red picture", like=plain("blue"), mask=mask)


def test_a_text_is_led_away_from(model):
    """What both say is the same: only the colour counts, and the two lead apart."""
    plainly, away = (
        model.draw("a blue picture", without=without, num=4, guidance=2.0).pictures
        for without in ("", "a purple picture")
    )
    purple = np.array(eight.COLOURS["purple"], float)
    far = [np.abs(np.array(some, float) - purple).mean() for some in (plainly, away)]
    assert far[1] > far[0]


def test_between_two_texts(model):
    found = model.draw("a red picture", to="a blue picture", num=5, seed=3).pictures
    ends = [model.draw(f"a {colour} picture", seed=3).pictures[0] for colour in ("red", "blue")]
    assert apart(found[0], ends[0]) <= 1 and apart(found[-1], ends[1]) <= 1
    assert [nearest(found[0]), nearest(found[-1])] == ["red", "blue"]


OPTIONS = [
    {"text": "a red picture", "num": 3},
    {"text": "this is blue", "num": 2, "seed": 5},
    {"text": "a green picture", "without": "a red picture"},
    {"text": "a red picture", "to": "this is blue", "num": 3, "steps": 4},
    {"text": "a red picture", "like": plain("blue"), "num": 2},
    {"text": "this is white", "like": plain("green"), "mask": RIGHT, "num": 2, "seed": 2},
    {"like": plain("green"), "mask": RIGHT, "num": 2},
]


def drawn(model, requests):
    return [
        answer.pictures
        for answer in draw.run(model, [draw.Request(steps=one.pop("steps", 3), **one) for one in requests])
    ]


def test_a_picture_does_not_depend_on_those_beside_it(model, monkeypatch):
    """Together, alone, and two at a time: the same but for the last bits."""
    together = drawn(model, [dict(one) for one in OPTIONS])
    alone = [drawn(model, [dict(one)])[0] for one in OPTIONS]
    monkeypatch.setattr(_of_noise, "AT_ONCE", 2)
    parts = drawn(model, [dict(one) for one in OPTIONS])
    for whole, *others in zip(together, alone, parts, strict=True):
        for other in others:
            assert len(whole) == len(other) and max(map(apart, whole, other)) <= 1


def test_no_more_are_drawn_at_once_than_fit(model, monkeypatch):
    sizes = []
    velocity = type(model.decoders["image"]).velocity

    def counted(self, x_PCHW, t, latent, guidance=1.0):
        sizes.append(len(x_PCHW))
        return velocity(self, x_PCHW, t, latent, guidance)

    monkeypatch.setattr(type(model.decoders["image"]), "velocity", counted)
    model.draw("a red picture", num=40, steps=1)
    assert sizes == [16, 16, 8]
    sizes.clear()
    monkeypatch.setattr(_of_noise, "SIDE", 4)  # a fourth of the pixels: a fourth of the pictures
    model.draw("a red picture", num=6, steps=1)
    assert sizes == [4, 2]


def test_each_step_is_told_and_may_be_the_last(model):
    told = []
    requests = [draw.Request(text="a red picture", num=20, steps=3), draw.Request(text="this is blue", steps=5)]
    draw.run(model, requests, emit=lambda number, text: told.append((number, text)))
    assert told == [(0, f"step {step} of 11") for step in range(1, 7)] + [
        (1, f"step {step} of 11") for step in range(7, 12)
    ]
    told.clear()
    first, second = draw.run(
        model, requests, emit=lambda number, text: told.append(text), cancelled=lambda: len(told) >= 8
    )
    assert len(told) == 8 and len(first.pictures) == 20 and second.pictures == ()
    assert draw.show(second) == "nothing was drawn"


def test_nothing_is_said_and_nothing_is_given(model):
    with pytest.raises(CannotError, match='draws of a text only; say what to draw: tuwen draw MODEL "a red circle"'):
        model.draw(" ")
