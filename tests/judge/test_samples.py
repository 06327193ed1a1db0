"""Drawn pictures as a whole: by generators that are known, and what is left out where something is lacking."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests import autoencoders, drawing, eight

from tuwen.generate.greedy import Config as Greedy
from tuwen.judge import samples
from tuwen.judge._asked import Asked
from tuwen.judge._eyes import Eyes, Glance
from tuwen.task import draw
from tuwen.types import Sample

RANDOM = np.random.default_rng(0)
CLASSES = ["red", "green", "blue"]


def rows(num, split="test"):
    """Pictures of one colour, of three kinds; each text is another."""
    found = []
    for i in range(num):
        colour = RANDOM.normal(40, 12, 3)
        colour[i % 3] += 150
        pixels = np.broadcast_to(colour.clip(0, 255).astype(np.uint8), (16, 16, 3))
        text = f"{split} {i} {CLASSES[i % 3]}"
        found.append(Sample(f"{split}{i}", {"image": pixels, "text": [text], "label": CLASSES[i % 3]}, split))
    return found


TEST, KNOWN, OTHER = rows(60), rows(90, "train"), rows(60, "other")


class Mean:
    """An eye that sees the mean colour, and names the strongest."""

    classes = CLASSES

    def look(self, images):
        mean_N3 = np.array([np.asarray(image, float).reshape(-1, 3).mean(0) for image in images])
        return Glance(mean_N3, [CLASSES[k] for k in mean_N3.argmax(1)])


class Matcher:
    """Knows the colour of each text."""

    def images(self, values):
        return Mean().look(values).feature_ND

    def texts(self, values):
        at = {row.fields["text"][0]: row.fields["image"] for row in TEST}
        return self.images([at[text] for text in values])


@pytest.fixture
def judged(monkeypatch):
    """Figures, chance and the judge of a model that draws `pictures` of the rows."""

    def judge(pictures, *, over=TEST, eyes=None, **asked):
        drawn = dict(zip(("".join(row.fields["text"][:1]) for row in over), pictures, strict=True))
        monkeypatch.setattr(
            draw, "run", lambda model, requests: [draw.Response(pictures=(drawn[r.text],), seed=0) for r in requests]
        )
        eyes = Eyes(Mean(), matcher=Matcher(), known=KNOWN) if eyes is None else eyes
        found = samples.Judge(drawing.model(), Asked(method=Greedy().build(), eyes=eyes, **asked))
        for start in range(0, len(over), 7):
            found.add(None, drawing.model().batch(over[start : start + 7]))
        rates = list(found.rates())
        figures = {name: value for one, _ in rates for name, value in one.figures.items()}
        return figures, {name: value for _, chance in rates for name, value in chance.items()}, found

    return judge


def pictures_of(some):
    return [row.fields["image"] for row in some]


def test_as_good_as_real_ones(judged):
    """Other pictures of the same kinds: at what real ones reach, and near to no training picture."""
    found, _, judge = judged(pictures_of(OTHER))
    assert found["fid_halves"] == pytest.approx(found["fid_real"], rel=0.9) and found["fid"] < 200
    assert abs(found["kid"]) < 3 * found["kid_spread"]
    assert found["sample_precision"] > 0.75 and found["sample_recall"] > 0.75 and found["sample_density"] > 0.7
    assert found["memorised"] < 0.2 and found["memorised_real"] == 0.05
    assert found["classifier_accuracy"] == found["classifier_accuracy_real"] == 1
    assert judge.notes() == []


def test_a_fid_has_an_interval_and_halves_are_compared_with_halves(judged):
    """The pictures of other rows differ by chance alone, so that 0 is not far; inverted ones are far from it for sure."""
    for pictures, least, most in (
        (pictures_of(OTHER), -400, 400),
        ([255 - one for one in pictures_of(TEST)], 1000, 1e6),
    ):
        found, _, judge = judged(pictures)
        [(low, high)] = [one.intervals()["fid"] for one, _ in judge.rates() if "fid" in one.figures]
        assert least < low < found["fid"] < high < most
    near, far = (judged(some)[0] for some in (pictures_of(OTHER), [255 - one for one in pictures_of(TEST)]))
    assert near["sample_recall_halves"] == pytest.approx(near["sample_recall_real"], abs=0.35)
    assert far["sample_recall_halves"] < near["sample_recall_halves"] / 2


def test_real_pictures_are_made_square_as_the_model_learned_them(judged, monkeypatch):
    """The middle of a wide picture is another colour than the whole."""
    wide = [np.concatenate([0 * one, one, 0 * one], 1) for one in pictures_of(TEST)]
    over = [replace(row, fields={**row.fields, "image": pixels}) for row, pixels in zip(TEST, wide, strict=True)]
    squashed, _, _ = judged(pictures_of(TEST), over=over)
    painter = drawing.model().decoders["image"]
    monkeypatch.setattr(painter, "config", replace(painter.config, fit="crop"))
    cropped, _, _ = judged(pictures_of(TEST), over=over)
    assert cropped["fid"] == pytest.approx(0, abs=1e-3) and squashed["fid"] > 1000


def test_the_very_pictures(judged):
    found, _, _ = judged(pictures_of(TEST))
    assert found["fid"] == pytest.approx(0, abs=1e-6) and found["sample_precision"] == found["sample_recall"] == 1
    assert found["r_precision"] == found["r_precision_real"] > 0.4


def test_copies_of_training_pictures(judged):
    found, _, judge = judged(pictures_of(KNOWN[:60]))
    assert found["memorised"] == 1 and found["sample_precision"] > 0.7
    said = {row["key"]: row["sample"] for row in judge.rows()}
    assert all(said[row.key]["nearest"] == known.key for row, known in zip(TEST, KNOWN, strict=False))
    assert (
        said["test0"]["nearer"] == 0
        and said["test0"]["text"] == "test 0 red"
        and len({s["seed"] for s in said.values()}) == 60
    )
    json.dumps(judge.rows())


def test_one_picture_of_everything(judged):
    """It is a good picture, and that is all: nothing is recalled, and a label or a text fits by chance."""
    found, chance, _ = judged([TEST[0].fields["image"]] * 60)
    assert found["sample_precision"] == 1 and found["sample_recall"] <= 2 / 60 and found["fid"] > 1000
    assert found["classifier_accuracy"] == chance["classifier_accuracy"] == pytest.approx(1 / 3)
    assert found["r_precision"] <= 2 / 60 and chance["r_precision"] == chance["r_precision_real"] == 1 / 60


def test_other_kinds(judged):
    found, _, _ = judged([255 - row.fields["image"] for row in TEST])
    assert found["sample_precision"] == found["sample_coverage"] == 0 and found["kid"] > 10 * found["kid_spread"]
    assert found["classifier_accuracy"] == 0 and found["fid_halves"] > 5 * found["fid_real"]


def test_what_is_not_there_is_left_out(judged):
    found, _, judge = judged(pictures_of(OTHER), eyes=Eyes(Mean()))
    assert not {"memorised", "r_precision"} & found.keys() and {"fid", "classifier_accuracy"} <= found.keys()
    assert judge.rows()[0]["sample"].keys() == {"text", "seed"}
    blank = [Sample(row.key, {**row.fields, "label": "mauve"}) for row in TEST]
    assert "classifier_accuracy" not in judged(pictures_of(OTHER), over=blank)[0], "no class of the network"


def test_rows_that_are_drawn(judged):
    """A row needs a picture, and a text where the model reads texts; of those the first `draws`."""
    image = TEST[0].fields["image"]
    others = [Sample("no picture", {"text": ["x"]}), Sample("no text", {"image": image, "text": []})]
    _, _, judge = judged([None, None, *pictures_of(OTHER)], over=[*others, *TEST], draws=40)
    assert [row.key for row in judge.samples] == [row.key for row in TEST[:40]]


def test_too_few(judged):
    found, _, judge = judged(pictures_of(OTHER), draws=15)
    assert found == {} and judge.notes() == [
        "15 drawn pictures are too few to compare with real ones; draw at least 16"
    ]


def test_fewer_pictures_than_features(judged):
    class Wide:
        classes: list[str] = []

        def look(self, images):
            return Glance(np.stack([np.resize(np.asarray(image, float), 100) ** 1.5 for image in images]), [])

    noisy = [Sample(row.key, {**row.fields, "image": RANDOM.integers(0, 255, (16, 16, 3), np.uint8)}) for row in TEST]
    _, _, judge = judged(pictures_of(OTHER), over=noisy, eyes=Eyes(Wide()))
    assert (
        "fid is of 60 pictures in 100 features, which 60 pictures show in 3 directions only; it compares"
        in judge.notes()[0]
    )


def test_many_training_pictures_are_thinned(judged, monkeypatch):
    from tuwen.judge import _eyes

    for module in (_eyes, samples):
        monkeypatch.setattr(module, "MOST_KNOWN", 40)
    _, _, judge = judged(pictures_of(KNOWN[:60]))
    assert [row.key for row in judge.known[:2]] == ["train0", "train3"] and len(judge.known) == 30
    assert judge.notes() == ["memorised looks through 30 of the 90 training pictures"]


def test_intervals_hold_the_figures(judged):
    for rates, _ in judged(pictures_of(OTHER))[2].rates():
        for name, (low, high) in rates.intervals().items():
            assert low <= rates.figures[name] <= high, name


def test_without_a_network_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(draw, "run", None)
    judge = samples.Judge(drawing.model(), Asked(method=Greedy().build()))
    judge.add(None, drawing.model().batch(TEST[:4]))
    assert list(judge.rates()) == judge.rows() == judge.notes() == []
    assert samples.able(drawing.model()) and not samples.able(eight.model())


def test_a_model_that_reads_no_texts_is_asked_for_no_labels():
    judge = samples.Judge(
        autoencoders.model("vae"), Asked(method=Greedy().build(), eyes=Eyes(Mean(), matcher=Matcher()))
    )
    judge.add(None, autoencoders.model("vae").batch(TEST[:20]))
    figures = {name for rates, _ in judge.rates() for name in rates.figures}
    assert "fid" in figures and not {"classifier_accuracy", "r_precision"} & figures


def test_a_text_that_is_a_class_is_its_label(judged):
    """And where neither label nor text is one, that is said."""
    named = [Sample(row.key, {**row.fields, "label": None, "text": [row.fields["label"]]}) for row in TEST]
    found, _, judge = judged(pictures_of(named), over=named, eyes=Eyes(Mean()))
    assert found["classifier_accuracy"] == 1 and not any("classifier_accuracy" in note for note in judge.notes())
    unnamed = [Sample(row.key, {**row.fields, "label": None}) for row in TEST]
    found, _, judge = judged(pictures_of(unnamed), over=unnamed, eyes=Eyes(Mean()))
    assert "classifier_accuracy" not in found
    assert (
        "classifier_accuracy is not given: no row has a label, or a text, that is a class of the network"
        in judge.notes()
    )
