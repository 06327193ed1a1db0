"""Classes named: those of training, labels that are given, and what is said where it cannot be."""

import math

import pytest
import torch
from tests import eight

from tuwen.errors import CannotError, ConfigError
from tuwen.task._zero_shot import class_latent, shares
from tuwen.task.classify import Class, Request, Response, _response, able, run, show
from tuwen.types import Latent

IMAGES = [one.fields["image"] for one in eight.samples()]
COLOURS = list(eight.COLOURS)


def test_it_names_the_classes_of_training():
    """By chance one of eight."""
    found = eight.classifier().classify(IMAGES)
    assert [response.label for response in found] == COLOURS
    assert all(len(response.classes) == 5 and response.probability > 0.5 for response in found)


def test_labels_that_are_given():
    """By chance one of eight."""
    labels = [f"{colour} picture" for colour in COLOURS]
    found = eight.model().classify(IMAGES, labels=labels, top=8)
    assert sum(response.label == label for response, label in zip(found, labels, strict=True)) >= 7
    assert sum(one.probability for one in found[0].classes) == pytest.approx(1, abs=1e-3)
    assert found == eight.model().classify(IMAGES, labels, top=8)


def test_one_template_is_the_match_of_its_texts():
    """With one template, shares are those of `match`."""
    model, labels = eight.model(), ("red", "blue", "green")
    [response] = run(model, [Request(image=IMAGES[0], label=labels, template="a {} picture")])
    matched = model.match(IMAGES[0], [f"a {label} picture" for label in labels])
    found = {one.label: one.probability for one in response.classes}
    assert [found[label] for label in labels] == pytest.approx([one.share for one in matched.scores], abs=1e-3)


def test_several_templates_are_the_mean_of_their_vectors():
    model = eight.model()
    both = class_latent(model, ["red", "blue"], ["a {} picture", "this is {}"]).pooled
    for row, colour in enumerate(("red", "blue")):
        mean = model.encode(eight.texts(colour), field="text").mean(0)
        torch.testing.assert_close(both[row], mean / mean.norm(), atol=1e-4, rtol=1e-4)


def test_shares_by_hand():
    """Cosines 1 and 0, scaled by 2 * 3 / 6 * ln 3: softmax(ln 3, 0) = (3/4, 1/4)."""
    image = Latent(torch.tensor([[2.0, 0.0]]), scale=torch.tensor(2.0), bias=torch.tensor(0.0))
    classes = Latent(torch.eye(2), scale=torch.tensor(math.log(3) / 2), bias=torch.tensor(0.0))
    assert shares(image, classes).tolist() == [pytest.approx([0.75, 0.25])]


def test_the_best_stand_first():
    made = _response(["a", "b", "c"], torch.tensor([0.2, 0.7, 0.1]), top=2)
    two = (Class(label="b", probability=0.7), Class(label="a", probability=0.2))
    assert made == Response(label="b", probability=0.7, classes=two)
    assert show(made).splitlines() == [" 70.0%  b", " 20.0%  a"]


def test_several_labels_a_row_stand_for_themselves():
    [response] = eight.classifier(several=True).classify(IMAGES[:1], top=3)
    high = {one.label for one in response.classes if one.probability > 0.5}
    assert high == {"red", "warm"}


def test_requests_of_different_labels_in_one_call():
    model = eight.model()
    asked = [Request(image=IMAGES[i], label=label) for i, label in ((0, ("red", "blue")), (4, ("green", "blue")))]
    assert [response.label for response in run(model, asked)] == ["red", "blue"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["cat"]}, "label is ['cat']; give two or more to choose from: --label cat --label dog"),
        ({"labels": ["cat", " "]}, "label is ['cat', ' ']; give two or more to choose from"),
        ({"labels": ["a", "b"], "template": "a photo"}, "template is 'a photo'; it needs {} where the label goes"),
        ({"labels": ["a", "b"], "template": ()}, "template is ''; it needs {} where the label goes"),
        ({"template": "a {}"}, "template has no effect without labels to put into it"),
        ({"labels": ["a", "b"], "field": "action"}, "field 'action' has no effect beside label"),
        ({"top": 0}, "top is 0; it takes a whole number from 1"),
        ({}, "this model was trained on no labels; say which to choose from: --label cat --label dog"),
    ],
)
def test_what_cannot_be_asked_is_named(options, message):
    with pytest.raises(ConfigError) as caught:
        eight.model().classify(IMAGES[0], **options)
    assert message in str(caught.value)


def test_a_field_that_the_model_does_not_name():
    with pytest.raises(ConfigError, match="field is 'action'; this model names: label."):
        eight.classifier().classify(IMAGES[0], field="action")


def test_labels_for_a_model_that_matches_nothing():
    with pytest.raises(CannotError, match="this model compares no texts with pictures, .* leave them out to get the"):
        eight.classifier().classify(IMAGES[0], labels=["red", "blue"])


def test_a_model_without_it():
    model = eight.model(match=False, steps=1)
    assert not able(model)
    with pytest.raises(CannotError, match="not trained to classify; it can: caption. `tuwen train DATA -r classifier`"):
        model.classify(IMAGES[0])
