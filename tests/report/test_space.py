"""Maps: neighbours stay neighbours, the gap between fields is taken out and said, few points do no harm."""

import re

import numpy as np
import pytest
from tests.report._read import Page

from tuwen.report.space import POINTS, Dot, flat, space_map


def groups(count=30, width=16, seed=0):
    """Two groups of vectors of each field; all texts are moved by the same long vector."""
    generator = np.random.default_rng(seed)
    centre_2D = np.eye(2, width) * 2
    which_N = np.arange(count) % 2
    image_ND = centre_2D[which_N] + 0.1 * generator.normal(size=(count, width))
    text_ND = centre_2D[which_N] + 0.1 * generator.normal(size=(count, width)) + 5 * np.eye(1, width, k=5)
    return np.concatenate([image_ND, text_ND]), ["image"] * count + ["text"] * count, np.concatenate([which_N, which_N])


@pytest.mark.parametrize("layout", ["pca", "tsne"])
def test_groups_lie_apart_whatever_their_field(layout):
    vectors_ND, fields, which_N = groups()
    places_N2, about = flat(vectors_ND, fields, layout)
    inside = [np.linalg.norm(places_N2[which_N == k] - places_N2[which_N == k].mean(0), axis=1).mean() for k in (0, 1)]
    between = np.linalg.norm(places_N2[which_N == 0].mean(0) - places_N2[which_N == 1].mean(0))
    assert between > 2 * max(inside)
    assert places_N2.min() >= 0 and places_N2.max() <= 1
    assert float(re.search(r"the means of image and text are ([\d.]+) apart", about)[1]) == pytest.approx(5, abs=0.1)


def test_pca_says_how_much_it_holds():
    """Points on a line: two axes hold everything."""
    line_ND = np.arange(5.0)[:, None] * np.ones((1, 4))
    places_N2, about = flat(line_ND, ["image"] * 5, "pca")
    assert "100%" in about and "apart" not in about
    assert np.allclose(np.sort(places_N2[:, 0]), [0, 0.25, 0.5, 0.75, 1])
    assert flat(np.ones((3, 1)), ["a"] * 3, "pca")[0].shape == (3, 2)


def test_dots():
    pixels = np.zeros((8, 8, 3), np.uint8)
    dots = [Dot(field="image", key=str(i), image=pixels) for i in range(3)]
    dots += [Dot(field="text", key=str(i), text=f"<b>{i}") for i in range(3)]
    read = Page(space_map(np.random.default_rng(0).normal(size=(6, 4)), dots))
    assert not read.wrong and len(read.named("img")) == 3
    labels = [link["aria-label"] for link in read.named("a")]
    assert labels == ["image: 0", "image: 1", "image: 2", "text: <b>0", "text: <b>1", "text: <b>2"]


def test_many_and_few():
    dots = [Dot(field="text", key=str(i)) for i in range(2 * POINTS)]
    assert len(Page(space_map(np.random.default_rng(0).normal(size=(2 * POINTS, 3)), dots)).named("a")) == POINTS
    assert space_map(np.ones((2, 3)), dots[:2]) == ""
    assert Page(space_map(np.ones((3, 3)), dots[:3])).named("a"), "all in one place"


def test_groups_have_colours():
    dots = [Dot(field="image", key=str(i), group=f"label {i % 6}") for i in range(12)]
    read = Page(space_map(np.random.default_rng(0).normal(size=(12, 4)), dots))
    colours = [link["style"].rpartition("background: ")[2] for link in read.named("a")]
    assert len(set(colours)) == 6 and colours[0] == colours[6] and "label 5" in read.text
