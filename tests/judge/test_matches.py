"""Retrieval judged, by hand."""

import math
from dataclasses import replace

import pytest
import torch
from tests import eight
from tests.test_evaluation import batches

from tuwen.evaluation import evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.judge.matches import recall_rates


def test_chance_of_the_contrastive_loss():
    """8 pictures with 2 texts each: (ln(1 + 14) + ln(8)) / 2."""
    found = evaluate(eight.model(), batches(eight.model()), method=Greedy())
    assert found.chance["contrastive"] == pytest.approx((math.log(15) + math.log(8)) / 2)


def test_recall_by_hand():
    """Two pictures, four texts; the second picture's texts look like the first one."""
    image = torch.eye(2)
    text = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    rates, chance = recall_rates(image, text, torch.tensor([4, 7]), torch.tensor([4, 4, 7, 7]))
    figures = rates.figures
    assert figures["i2t_r1"] == pytest.approx((2 / 3 + 1) / 2), (
        "picture 4: two of three tied are its own; picture 7: sure"
    )
    assert figures["t2i_r1"] == 0.75 and figures["t2i_r5"] == 1
    assert chance["t2i_r1"] == 0.5 and chance["i2t_r1"] == 0.5
    low, high = rates.intervals()["t2i_r1"]
    assert (low, high) == (0.5, 1.0), "the rows are pictures: their texts are drawn together"


def test_pictures_that_fill_no_gallery_are_said():
    model = eight.model()
    found = evaluate(model, batches(model), method=Greedy(), gallery=3)
    assert found.figures["num_galleries"] == 2
    assert "2 of 8 pictures fill no gallery of 3 and are left out" in found.notes


def test_recall_leaves_out_texts_without_a_picture():
    rates, _ = recall_rates(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), torch.tensor([1, 3]))
    assert rates.figures["t2i_r1"] == 0 and rates.num_rows == 1
    assert recall_rates(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), torch.tensor([2, 3])) is None


def test_a_picture_without_texts_is_a_candidate_wherever_it_stands():
    """Four of the eight without texts: in batches of their own, or among the others."""
    rows = [
        replace(one, fields={**one.fields, "text": one.fields["text"] if i < 4 else []})
        for i, one in enumerate(eight.samples())
    ]
    shuffled = [rows[i] for i in (0, 4, 1, 5, 2, 6, 3, 7)]
    apart, among = (
        evaluate(eight.model(), batches(eight.model(), some, size=4), method=Greedy()) for some in (rows, shuffled)
    )
    assert apart.chance["t2i_r1"] == among.chance["t2i_r1"] == 1 / 8
    assert apart.figures["t2i_r1"] == among.figures["t2i_r1"] and apart.figures["i2t_r1"] == among.figures["i2t_r1"]
